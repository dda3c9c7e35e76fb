import { Fingerprinter } from '../../core/fingerprint.ts';
import { readCells } from '../../core/cells.ts';
import { C, type Counters, at, emptyCounters, mergeCounters } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { Secret } from '../../core/secret.ts';
import type { EntityId } from '../../core/types.ts';
import { detectFormat } from '../../ingest/parse/detect.ts';
import type { Format } from '../../ingest/parse/format.ts';
import { Normaliser, type NormaliserOptions } from '../../ingest/parse/normaliser.ts';
import type { PartitionIngestOptions } from '../../ingest/ingest-options.ts';
import { PartitionIngest } from '../../ingest/partition-ingest.ts';

/** A pepper that only tests use. */
export const testFingerprinter = new Fingerprinter(new Secret(Buffer.alloc(32, 7).toString('base64')));

export function testNormaliser(options: Partial<NormaliserOptions> = {}): Normaliser {
  return new Normaliser({ fingerprinter: testFingerprinter, ...options });
}

export function formatFor(sample: Uint8Array, said?: string): Format {
  const found = detectFormat(sample, { format: said });
  if (found.format === undefined) throw new Error(found.why);
  return found.format;
}

export function testIngest(format: Format, options: Partial<PartitionIngestOptions> = {}): PartitionIngest {
  return new PartitionIngest({ source: 1, partition: 0, generation: 1, segmentBytes: 2 ** 25, format, normaliser: testNormaliser(), ...options });
}

/** All of a log in one flush of an open segment: refused credentials one by one in `held`. */
export function ingestAll(bytes: Uint8Array, options: Partial<PartitionIngestOptions> & { readonly said?: string } = {}): PartialBatch {
  const format = options.format ?? formatFor(bytes.subarray(0, 65_536), options.said);
  const ingest = testIngest(format, options);
  ingest.block(bytes, 0);
  const batch = ingest.flush();
  if (batch === undefined) throw new Error('nothing was read');
  return batch;
}

/** Counters per owner, refused credentials one by one. Networks, a dimension of their own, are left out. */
export function perOwner(batch: PartialBatch): Map<EntityId, Counters> {
  const owners = new Map<EntityId, Counters>();
  for (const row of [...batch.rows, ...batch.held]) {
    if (row.entity.startsWith('refused:') || row.entity.startsWith('network:')) continue;
    const sums = owners.get(row.entity) ?? emptyCounters();
    mergeCounters(sums, readCells(row.cells).counters);
    owners.set(row.entity, sums);
  }
  return owners;
}

export function requestsOf(counters: Counters | undefined): number {
  return counters === undefined ? 0 : at(counters, C.requests);
}
