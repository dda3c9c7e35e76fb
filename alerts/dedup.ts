import { createHash } from 'node:crypto';
import type { EntityId } from '../core/types.ts';

const DEDUP_KEY_HEX = 16;

/** What makes two findings belong to one alert. Severity, value, time and host are left out on purpose. */
export type DedupParts = { readonly tenant: string; readonly rule: string; readonly lineage: EntityId; readonly dimension: string };

/** 64 bits of SHA-256, as hex. Each part goes in with its length, so that `a|bc` and `ab|c` differ whatever the parts hold. */
export function dedupKey(parts: DedupParts): string {
  const hash = createHash('sha256');
  for (const part of [parts.tenant, parts.rule, parts.lineage, parts.dimension]) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex').slice(0, DEDUP_KEY_HEX);
}
