import { createHash } from 'node:crypto';
import type { Alert, JournalEntry } from '../core/alert.ts';
import type { EpochMs } from '../core/types.ts';

/** What stands where the hash of an entry before the first one would be. */
export const GENESIS_HASH = '0'.repeat(64);

/** JSON with sorted keys, so that equal bodies have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

export function entryHash(prevHash: string, canonicalBody: string): string {
  return createHash('sha256').update(prevHash).update(canonicalBody).digest('hex');
}

export type ChainCheck = { readonly isIntact: true; readonly entries: number } | { readonly isIntact: false; readonly seq: number; readonly reason: string };

/** Recomputes every hash; names the first entry that does not follow from the one before. */
export async function checkChain(entries: AsyncIterable<JournalEntry>, lastSeqExpected: number): Promise<ChainCheck> {
  let hashBefore = GENESIS_HASH;
  let last = 0;
  for await (const { seq, prevHash, hash, ...body } of entries) {
    if (seq !== last + 1) return { isIntact: false, seq: last + 1, reason: `entry ${last + 1} is missing` };
    if (prevHash !== hashBefore) return { isIntact: false, seq, reason: `entry ${seq} does not follow entry ${last}` };
    if (hash !== entryHash(prevHash, canonicalJson(body))) return { isIntact: false, seq, reason: `entry ${seq} was changed after it was written` };
    hashBefore = hash;
    last = seq;
  }
  if (last < lastSeqExpected)
    return { isIntact: false, seq: last + 1, reason: `the journal ends at entry ${last}, but a snapshot was taken at entry ${lastSeqExpected}` };
  return { isIntact: true, entries: last };
}

/** When an alert last changed or breached. */
export function updatedAt(alert: Alert): EpochMs {
  return Math.max(alert.startedAt, alert.lastBreachAt, alert.firedAt ?? alert.startedAt, alert.resolvedAt ?? alert.startedAt);
}
