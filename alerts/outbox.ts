import type { Delivery, OutboxRow } from '../core/alert.ts';
import { type DurationMs, type EpochMs, type Outcome, severityRank } from '../core/types.ts';
import { DAY_MS, MINUTE_MS } from '../core/window.ts';
import { type ChannelQueue, type QueuedRow, STORM_WINDOW_MS, tellsThatItFired } from './channel-queue.ts';

/** The first wait after a failed attempt; each further one is twice as long, up to the maximum. */
export const RETRY_FIRST_MS: DurationMs = 1000;
export const RETRY_MAX_MS: DurationMs = 5 * MINUTE_MS;
/** A channel that failed is left alone this long at most before it is tried with another message, which may fare better. */
export const CHANNEL_PAUSE_MAX_MS: DurationMs = 5000;
/** A message that nobody took for this long is given up and reported to the fallback channel. */
export const GIVE_UP_AFTER_MS: DurationMs = DAY_MS;
/** More messages than this waiting on one channel become one. */
export const QUEUED_MAX = 20;
/** Of these the most severe are still sent on their own. */
export const KEPT_MAX = 5;
/** So many messages of a channel within ten minutes are a storm: then one summary in five minutes, and what is critical. */
export const STORM_POSTS = 27;
export const STORM_SUMMARY_MS: DurationMs = 5 * MINUTE_MS;
/** Up to this part of a wait is left out at random, so that many senders do not come back at the same moment. */
const JITTER = 0.25;

/** What a channel's sender does next. */
export type NextAction =
  | { readonly kind: 'send'; readonly queued: QueuedRow }
  | { readonly kind: 'merge'; readonly rows: readonly OutboxRow[]; readonly isStorm: boolean }
  /** Its incident was never told on this channel: saying that it ended would only confuse. */
  | { readonly kind: 'skip'; readonly row: OutboxRow }
  | { readonly kind: 'wait'; readonly until: EpochMs }
  | { readonly kind: 'idle' };

/** Oldest first; rows of one incident strictly in order, so that nobody hears of an end before the beginning. */
export function nextAction(queue: ChannelQueue, now: EpochMs): NextAction {
  if (queue.rows.size === 0) return { kind: 'idle' };
  if (queue.pausedUntil > now) return { kind: 'wait', until: queue.pausedUntil };
  const merge = mergeable(queue);
  if (merge.length > 0) return { kind: 'merge', rows: merge, isStorm: false };
  const storm = stormOf(queue, now);
  if (storm !== undefined && storm.isSummaryDue && storm.held.length > 0) return { kind: 'merge', rows: storm.held, isStorm: true };
  const held = new Set(storm?.held.map((row) => row.id));
  const waiting = new Set<string>();
  let until = storm !== undefined && held.size > 0 ? storm.until : Number.POSITIVE_INFINITY;
  for (const queued of queue.rows.values()) {
    const incident = queued.row.incident?.id;
    // A message in place of many is no earlier than what was queued of any of them before.
    const isBehind = incident === undefined ? isCovered(queued.row, waiting) : waiting.has(incident);
    if (held.has(queued.row.id)) {
      if (incident !== undefined) waiting.add(incident);
      continue;
    }
    if (!isBehind && queued.nextAt <= now) {
      const isMoot = queued.row.kind === 'resolved' && incident !== undefined && !queue.wasTold(incident);
      return isMoot ? { kind: 'skip', row: queued.row } : { kind: 'send', queued };
    }
    if (incident !== undefined) waiting.add(incident);
    for (const each of [...(queued.row.covers?.firing ?? []), ...(queued.row.covers?.ended ?? [])]) waiting.add(each);
    if (!isBehind) until = Math.min(until, queued.nextAt);
  }
  return { kind: 'wait', until };
}

function isCovered({ covers }: OutboxRow, waiting: ReadonlySet<string>): boolean {
  return covers !== undefined && waiting.size > 0 && [...covers.firing, ...covers.ended].some((incident) => waiting.has(incident));
}

/** In a storm: what is held back, and until when. Undefined while there is none. */
function stormOf(
  queue: ChannelQueue,
  now: EpochMs,
): { readonly held: readonly OutboxRow[]; readonly isSummaryDue: boolean; readonly until: EpochMs } | undefined {
  if (queue.postsAt(now) < STORM_POSTS) return undefined;
  // Whoever was told of a critical incident one by one is told of its end so, too.
  const held = [...queue.rows.values()]
    .map((queued) => queued.row)
    .filter((row) => row.covers === undefined && row.incident !== undefined && row.incident.severity !== 'critical');
  const summaryAt = queue.stormToldAt + STORM_SUMMARY_MS;
  return { held, isSummaryDue: now >= summaryAt, until: Math.min(summaryAt, queue.firstPostAt + STORM_WINDOW_MS + 1) };
}

/** The rows to be told in one, or none. Some may have been tried: to be told twice is better than to wait in a long queue. */
function mergeable(queue: ChannelQueue): readonly OutboxRow[] {
  if (queue.rows.size <= QUEUED_MAX) return [];
  const rows = [...queue.rows.values()]
    .map((queued) => queued.row)
    .filter((row) => row.incident !== undefined || row.covers !== undefined || row.kind === 'pipeline');
  return splitRows(rows).merged;
}

/** Of more rows than a channel should get one by one: those that keep a message of their own, and those that become one. */
export function splitRows(rows: readonly OutboxRow[]): { readonly kept: readonly OutboxRow[]; readonly merged: readonly OutboxRow[] } {
  if (rows.length <= QUEUED_MAX) return { kept: rows, merged: [] };
  const seen = new Set<string>();
  const firsts = rows.filter((row) => {
    const isFirst = row.incident !== undefined && !seen.has(row.incident.id);
    if (row.incident !== undefined) seen.add(row.incident.id);
    return isFirst && tellsThatItFired(row);
  });
  const kept = new Set(firsts.sort((a, b) => rankOf(b) - rankOf(a)).slice(0, KEPT_MAX));
  return { kept: rows.filter((row) => kept.has(row)), merged: rows.filter((row) => !kept.has(row)) };
}

function rankOf(row: OutboxRow): number {
  if (row.incident === undefined) return -1;
  // A fleet speaks for many.
  return severityRank(row.incident.severity) + (row.incident.kind === 'fleet' ? 0.5 : 0);
}

/** How an attempt is recorded: sent, to be tried again, or given up. */
export function deliveryOf(attempt: {
  readonly queued: QueuedRow;
  readonly queue: ChannelQueue;
  readonly outcome: Outcome;
  readonly now: EpochMs;
  /** In [0, 1). */
  readonly random: number;
}): Delivery {
  const { queued, queue, outcome, now } = attempt;
  const delivery = { row: queued.row.id, at: now, attempt: queued.attempts + 1 };
  if (outcome.ok) return { ...delivery, result: 'sent' };
  if (!outcome.retryable) return { ...delivery, result: 'dead', reason: outcome.reason };
  const jitter = 1 - JITTER * attempt.random;
  // Retry-After counts from the answer, and is a floor.
  const asked = outcome.retryAfterMs ?? 0;
  const nextAt = now + Math.max(asked, Math.round(backoff(queued.attempts) * jitter));
  if (nextAt > queued.row.createdAt + GIVE_UP_AFTER_MS)
    return { ...delivery, result: 'dead', reason: `${outcome.reason}; given up after ${delivery.attempt} attempts` };
  // The channel as a whole waits too, but never long: one bad message must not hold the others, and only trying shows that it is up again.
  const pausedUntil = now + Math.max(asked, Math.min(CHANNEL_PAUSE_MAX_MS, Math.round(backoff(queue.failures) * jitter)));
  return { ...delivery, result: 'retry', reason: outcome.reason, nextAt, pausedUntil };
}

/** `failures` attempts failed before this one. */
function backoff(failures: number): DurationMs {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 20));
}
