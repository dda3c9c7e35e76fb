import { z } from 'zod';
import { C, at, errorsOf, type Counters } from '../../core/counters.ts';
import type { EntityTotals } from '../../core/ports.ts';
import { type EntityId, type EntityKind, type EpochMs, entityKind } from '../../core/types.ts';
import { isoTime } from './time.ts';

/** Requests per status class, `aborted` (499, 0, -1 and "-") apart: the client went away, nobody failed. */
export type StatusCounts = {
  readonly s1xx: number;
  readonly s2xx: number;
  readonly s3xx: number;
  readonly s4xx: number;
  readonly s5xx: number;
  readonly aborted: number;
};

/** What one owner did over a range, as people and programs ask for it. `null` is unknown, never 0. */
export type KeySummary = {
  readonly id: EntityId;
  readonly kind: EntityKind;
  readonly requests: number;
  readonly status: StatusCounts;
  /** 4xx and 5xx without 401, 403 and 429. */
  readonly errors: number;
  readonly failedAuth: number;
  /** Null when no event showed a request size. */
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  /** Distinct client addresses; null when the source shows none. */
  readonly clients: number | null;
  /** Of the first and the last event; null without events. */
  readonly first: EpochMs | null;
  readonly last: EpochMs | null;
};

export function statusCounts(counters: Counters): StatusCounts {
  return {
    s1xx: at(counters, C.s1xx),
    s2xx: at(counters, C.s2xx),
    s3xx: at(counters, C.s3xx),
    s4xx: at(counters, C.s4xx),
    s5xx: at(counters, C.s5xx),
    aborted: at(counters, C.aborted),
  };
}

/** A counter of bytes, or null when none of its events showed a size. */
export function knownBytes(counters: Counters, bytes: 'bytesIn' | 'bytesOut'): number | null {
  return at(counters, bytes === 'bytesIn' ? C.bytesInKnown : C.bytesOutKnown) === 0 ? null : at(counters, C[bytes]);
}

export function keySummary(totals: EntityTotals): KeySummary {
  const { counters } = totals;
  const isSeen = at(counters, C.requests) > 0;
  return {
    id: totals.entity,
    kind: entityKind(totals.entity),
    requests: at(counters, C.requests),
    status: statusCounts(counters),
    errors: errorsOf(counters),
    failedAuth: at(counters, C.failedAuth),
    bytesIn: knownBytes(counters, 'bytesIn'),
    bytesOut: knownBytes(counters, 'bytesOut'),
    // An owner with events but no address: its source does not show clients.
    clients: totals.addresses === 0 ? null : totals.addresses,
    first: isSeen ? at(counters, C.first) : null,
    last: isSeen ? at(counters, C.last) : null,
  };
}

/** The order of every list of keys: most requests first, then by id, so that two runs print the same. */
export function compareKeys(a: Pick<KeySummary, 'requests' | 'id'>, b: Pick<KeySummary, 'requests' | 'id'>): number {
  return b.requests - a.requests || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

const count = z.int().nonnegative();
const bytes = count.nullable();

export const statusSchema = z
  .strictObject({ '1xx': count, '2xx': count, '3xx': count, '4xx': count, '5xx': count })
  .describe('Requests per status class. 499, 0, -1 and "-" (the client went away) are in none of them: requests minus the sum of these.');

/** One key, user or client: `analyze --json`, `keys list --json`. */
export const keySchema = z.strictObject({
  id: z
    .string()
    .describe(
      '`key:kf1_<32 hex>` by fingerprint, `key:<credential id>`, `user:<name>`, `client:<address> <agent>`, `refused:`, `late:`. The same text as `entity` of an alert.',
    ),
  kind: z
    .enum(['key', 'user', 'client', 'refused', 'late', 'network'])
    .describe(
      '`refused` is everything that was only ever refused as unauthenticated, together; `late` is what came from a message log more than 48 hours late.',
    ),
  requests: count,
  status: statusSchema,
  errors: count.describe('4xx and 5xx without 401, 403 and 429.'),
  failedAuth: count.describe('401 and 403, and what the gateway itself calls a failed authentication.'),
  bytesIn: bytes.describe('Null when the log shows no request size.'),
  bytesOut: bytes.describe('Null when the log shows no response size.'),
  clients: count.nullable().describe('Distinct client addresses: exact to 32, then within about 2.3 %. Null when the log shows none.'),
  first: z.iso.datetime().nullable().describe('Time of the first event, RFC 3339, UTC.'),
  last: z.iso.datetime().nullable(),
});
export type KeyJson = z.infer<typeof keySchema>;

/** The five classes of the contract; `aborted` is what is missing to `requests`. */
export function statusJson(status: StatusCounts): KeyJson['status'] {
  return { '1xx': status.s1xx, '2xx': status.s2xx, '3xx': status.s3xx, '4xx': status.s4xx, '5xx': status.s5xx };
}

export function keyJson(key: KeySummary): KeyJson {
  return {
    id: key.id,
    kind: key.kind,
    requests: key.requests,
    status: statusJson(key.status),
    errors: key.errors,
    failedAuth: key.failedAuth,
    bytesIn: key.bytesIn,
    bytesOut: key.bytesOut,
    clients: key.clients,
    first: isoTime(key.first),
    last: isoTime(key.last),
  };
}
