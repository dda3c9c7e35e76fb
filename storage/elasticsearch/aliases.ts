import { hashLanes, hashText } from '../../core/hash.ts';
import { termOf } from './names.ts';
import { readDocs, refresh } from './read-docs.ts';
import type { BulkDocument } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';
import type { Alias } from '../../core/partial.ts';
import type { EntityId, EpochMs } from '../../core/types.ts';

type AliasSource = { readonly fingerprint: string; readonly credential: string };

/** Bits of the version that decide between two credentials seen at the same time. */
const TIE_BITS = 20n;

/**
 * A fingerprint belongs to the credential seen with it last, in whatever order batches arrive: when it was seen is the
 * version. Of two that were seen in the same millisecond the hash decides, so that every order ends the same.
 */
export function aliasDocument(index: string, alias: Alias, seen: EpochMs): BulkDocument {
  const { fingerprint, credential } = alias;
  hashText(credential);
  const version = (BigInt(Math.max(0, Math.floor(seen))) << TIE_BITS) | BigInt(hashLanes.hi >>> 12);
  return { op: 'index', index, id: termOf(fingerprint), version: version.toString(), source: JSON.stringify({ fingerprint, credential, seen }) };
}

export async function readAliases(elasticsearch: Elasticsearch, index: string): Promise<ReadonlyMap<EntityId, EntityId>> {
  await refresh(elasticsearch, [index]);
  const aliases = new Map<EntityId, EntityId>();
  for await (const page of readDocs<AliasSource>(elasticsearch, { index, filter: [], order: 'any' })) {
    for (const { _source: source } of page) if (source !== undefined) aliases.set(source.fingerprint as EntityId, source.credential as EntityId);
  }
  return aliases;
}
