/**
 * The shared vocabulary. One word per concept, used in code, docs and on screen.
 *
 * record      a raw message of a source (a line, a Kafka message)
 * event       a normalised API access
 * verdict     what parsing made of a record: ok, drop or reject
 * key         an API key; its fingerprint is a keyed hash, its credential id the gateway's public id
 * entity      what is counted and judged: key, user, client, network, the `refused` row (and counted only: the `late` row)
 * window      a half-open minute of event time, aligned to the epoch
 * segment     a stretch of one partition's log, the unit of exactly-once
 * partial     absolute counters and sketches of one (entity, window) in one (partition, segment) up to `next`
 * finding     immutable result of one rule on one entity and window
 * alert       an episode of findings, known by its dedup key
 * notification one message to one channel
 */

/** Milliseconds since 1970-01-01 UTC. Event time unless the name says otherwise. */
export type EpochMs = number;
export type DurationMs = number;
/** A window, named by its start in whole minutes since the epoch. */
export type Minute = number;
/** A position in a partition's log: bytes of the decompressed stream for files, the record offset for Kafka. */
export type Offset = number;

/** Half-open: `start <= t < end`. */
export type TimeWindow = { readonly start: EpochMs; readonly end: EpochMs };

/**
 * - key: an API key, by credential id or fingerprint · user: an authenticated user name
 * - client: address and user agent of a line that carries no credential (never called a key)
 * - refused: the one row per window that holds every credential which was only ever refused
 * - late: the one row per day for events of a message log that came more than two days late
 * - network: a client network (/24 or /48), fed by failed authentication only
 */
export type EntityKind = 'key' | 'user' | 'client' | 'refused' | 'late' | 'network';
/** `kind:name`, for instance `key:kf1_9f…`, `client:203.0.113.24 curl/8.5.0`, `network:203.0.113.0/24`, `refused:`. */
export type EntityId = string & { readonly __brand: 'EntityId' };

/** Kinds whose rows add up to the total: every event is counted on exactly one of them. */
export const OWNER_KINDS: readonly EntityKind[] = ['key', 'user', 'client', 'refused', 'late'];

export function entityId(kind: EntityKind, name: string): EntityId {
  return `${kind}:${name}` as EntityId;
}

/** The row of a window that holds the refused credentials together. */
export const REFUSED: EntityId = entityId('refused', '');

/** The row, in the first minute of its record's UTC day, of what came too late to change its own window. */
export const LATE: EntityId = entityId('late', '');

export function entityKind(id: EntityId): EntityKind {
  return id.slice(0, id.indexOf(':')) as EntityKind;
}

export function entityName(id: EntityId): string {
  return id.slice(id.indexOf(':') + 1);
}

export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';
export const SEVERITIES: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

export function severityRank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

/** Why a record was not counted as an event. A bounded set: it becomes a label of metrics and reports. */
export const REJECT_REASONS = [
  'empty_line',
  'not_this_format',
  'truncated',
  'bad_json',
  'binary',
  'line_too_long',
  'no_time',
  'bad_time',
  'time_out_of_range',
  'no_status',
  'bad_status',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** What the world made of a request of ours. The world's fault is a value too. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly retryable: boolean; readonly reason: string; readonly retryAfterMs?: DurationMs };

export const OK: Outcome = { ok: true };

export function failed(reason: string, retryable: boolean, retryAfterMs?: DurationMs): Outcome {
  return retryAfterMs === undefined ? { ok: false, retryable, reason } : { ok: false, retryable, reason, retryAfterMs };
}

/** Closes a `switch` over a closed set: a new member fails to compile. */
export function assertNever(value: never): never {
  throw new Error(`BUG: unexpected value ${JSON.stringify(value)}`);
}
