import type { Alert, JournalBody } from '../../../core/alert.ts';
import { encodeCells } from '../../../core/cells.ts';
import { C, type Counters, emptyCounters } from '../../../core/counters.ts';
import { hashLanes, hashText } from '../../../core/hash.ts';
import { latencyBucket } from '../../../core/sketch/latency.ts';
import { type Dimension, Sketch } from '../../../core/sketch/sketch.ts';
import { Tally, type TallyItem } from '../../../core/sketch/tally.ts';
import { type EntityId, type EpochMs, type Minute, entityId } from '../../../core/types.ts';
import { minuteOf } from '../../../core/window.ts';
import { openJournal } from '../../../storage/sqlite/journal.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';

export type FixtureEvent = {
  readonly at: EpochMs;
  readonly entity: EntityId;
  readonly status: number;
  readonly bytesOut?: number;
  readonly latencyUs?: number;
  readonly address?: string;
  readonly agent?: string;
  readonly route?: string;
};

/** Counts events in the plainest way and stores them as one sealed segment. */
export async function fillStore(
  directory: string,
  events: readonly FixtureEvent[],
  options: { readonly aliases?: readonly (readonly [string, string])[] } = {},
): Promise<void> {
  const rows = new Map<string, { readonly window: Minute; readonly entity: EntityId; readonly counters: Counters; readonly sketch: Sketch }>();
  for (const event of events) {
    const window = minuteOf(event.at);
    const key = `${window} ${event.entity}`;
    const row = rows.get(key) ?? { window, entity: event.entity, counters: emptyCounters(), sketch: new Sketch() };
    rows.set(key, row);
    count(row.counters, event);
    if (event.latencyUs !== undefined) row.sketch.latency.add(latencyBucket(event.latencyUs), 1);
    for (const dimension of ['address', 'agent', 'route'] as const) tally(row.sketch, dimension, event[dimension], event.status >= 400);
  }
  await using store = await openMetricStore({ directory });
  const source = await store.source('fixture');
  const outcome = await store.put({
    segment: { source, partition: 0, generation: 0, start: 0 },
    next: events.length,
    isSealed: true,
    rows: [...rows.values()].map((row) => ({ window: row.window, entity: row.entity, cells: encodeCells(row.counters, row.sketch) })),
    held: [],
    gone: [],
    aliases: (options.aliases ?? []).map(([credential, fingerprint]) => ({
      credential: entityId('key', credential),
      fingerprint: entityId('key', fingerprint),
    })),
    rejects: {},
    dropped: 0,
    records: events.length,
    newest: Math.max(...events.map((event) => event.at)),
  });
  if (!outcome.ok) throw new Error(outcome.reason);
}

function count(counters: Counters, event: FixtureEvent): void {
  const add = (index: number, value: number): void => {
    counters[index] = (counters[index] ?? 0) + value;
  };
  add(C.requests, 1);
  add([C.aborted, C.s1xx, C.s2xx, C.s3xx, C.s4xx, C.s5xx][event.status === 499 ? 0 : Math.floor(event.status / 100)] ?? C.aborted, 1);
  if (event.status === 401) add(C.s401, 1);
  if (event.status === 403) add(C.s403, 1);
  if (event.status === 429) add(C.s429, 1);
  if (event.status === 401 || event.status === 403) add(C.failedAuth, 1);
  if (event.bytesOut !== undefined) {
    add(C.bytesOut, event.bytesOut);
    add(C.bytesOutKnown, 1);
  }
  if (event.latencyUs !== undefined) {
    add(C.latencyKnown, 1);
    add(C.latencySum, event.latencyUs);
    counters[C.latencyMax] = Math.max(counters[C.latencyMax] ?? 0, event.latencyUs);
  }
  counters[C.first] = Math.min(counters[C.first] ?? event.at, event.at);
  counters[C.last] = Math.max(counters[C.last] ?? 0, event.at);
}

function tally(sketch: Sketch, dimension: Dimension, text: string | undefined, isFailed: boolean): void {
  if (text === undefined) return;
  hashText(text);
  const one: TallyItem = { hi: hashLanes.hi, lo: hashLanes.lo, text, count: 1, failed: isFailed ? 1 : 0, over: 0 };
  const known = sketch.tallies.get(dimension);
  if (known === undefined) sketch.tallies.set(dimension, new Tally([one]));
  else known.merge(new Tally([one]));
}

export function alertOf(fields: Partial<Alert> & Pick<Alert, 'id' | 'entity' | 'startedAt'>): Alert {
  return {
    dedupKey: fields.id,
    episode: minuteOf(fields.startedAt),
    rule: 'request_rate',
    label: 'key 9f3c12ab',
    state: 'firing',
    severity: 'critical',
    score: 90,
    lastBreachAt: fields.startedAt,
    peak: 1500,
    findings: 3,
    reopens: 0,
    dips: 0,
    excess: 0,
    finding: {
      id: `finding-${fields.id}`,
      rule: 'request_rate',
      entity: fields.entity,
      window: { start: fields.startedAt, end: fields.startedAt + 60_000 },
      severity: 'critical',
      score: 90,
      why: `1,500 requests in the minute, limit 1,000 (${fields.id}).`,
      observed: 1500,
      expected: 1000,
      unit: 'requests',
      action: 'apply rate limiting',
      contributions: [],
      isLive: false,
    },
    ...fields,
  };
}

/** Appends alerts to the journal of a data directory, each in an entry of its own, at its last breach. */
export async function fillJournal(directory: string, alerts: readonly Alert[], more: Partial<JournalBody> = {}): Promise<void> {
  await using journal = await openJournal({ directory });
  for (const alert of alerts) {
    const { seq } = await journal.head();
    const done = await journal.append(seq + 1, {
      at: alert.resolvedAt ?? alert.lastBreachAt,
      actor: 'test',
      transitions: [],
      alerts: [alert],
      outbox: [],
      deliveries: [],
      ...more,
    });
    if (done !== 'appended') throw new Error(`journal entry ${seq + 1} was ${done}`);
  }
}
