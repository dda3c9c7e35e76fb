import type { Verdict } from './normaliser.ts';
import type { Role, Tokens } from './tokens.ts';

/**
 * How one kind of record is cut into fields. `scan` is the fast way and may give up on anything unusual;
 * `parse` is the correct way and total. On records that `scan` accepts both give the same fields.
 */
export interface Format {
  readonly name: string;
  /** Fields that this format shows: what it does not show, rules are blind on. */
  readonly visible: ReadonlySet<Role>;
  readonly bytesKind: 'wire' | 'body';
  /** Whether the time is the start or the end of the request. */
  readonly timeIs: 'start' | 'end';
  readonly latencyToUs: number;
  /** Enough to build the format again: stored with a partition, so that a restart reads as before. */
  readonly descriptor: string;
  /** Cuts the line at `from`; returns the position of its line feed (or `limit`), or -1 to give up. */
  scan(tokens: Tokens, buf: Uint8Array, from: number, limit: number): number;
  /** Cuts the line `buf[from, to)` (no line feed). */
  parse(tokens: Tokens, buf: Uint8Array, from: number, to: number): Verdict;
}
