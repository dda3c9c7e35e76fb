import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { DurationMs, EpochMs, Severity } from '../../core/types.ts';
import type { HistogramStats } from './histogram.ts';

/** One number with the labels that tell it from its like. */
export type Sample<L extends string> = Readonly<Record<L, string>> & { readonly value: number };

/**
 * What Keywatch tells of itself, looked at when somebody asks. Counters are absolute since the start. What is absent
 * or empty is not shown. Labels are bounded: never a key, a client or an address of one.
 */
export type MetricsStats = {
  readonly received?: readonly Sample<'source'>[];
  readonly counted?: readonly Sample<'source'>[];
  readonly discarded?: readonly Sample<'source' | 'reason'>[];
  readonly store?: {
    /** By result: written, conflict, failed. */
    readonly documents?: readonly Sample<'result'>[];
    readonly bulkSeconds?: HistogramStats;
    readonly retries?: number;
    readonly conflicts?: number;
  };
  readonly partitions?: readonly {
    readonly source: string;
    readonly partition: string;
    /** Records that are readable and not read; undefined where it cannot be known. */
    readonly lagRecords?: number | undefined;
    /** How long the open segment is open; undefined when there is none. */
    readonly segmentAgeMs?: DurationMs | undefined;
  }[];
  /** 1 for a partition of a topic that waits for a person, 0 for the others. */
  readonly halted?: readonly Sample<'topic' | 'partition'>[];
  /** Event time to the moment it was counted. */
  readonly eventDelaySeconds?: HistogramStats;
  readonly watermark?: EpochMs;
  readonly judgedThrough?: EpochMs;
  readonly alertsOpen?: Readonly<Partial<Record<Severity, number>>>;
  readonly outboxPending?: readonly Sample<'channel'>[];
  readonly notifications?: readonly Sample<'channel' | 'result'>[];
  readonly isJudge?: boolean;
  readonly http?: {
    readonly requests: ReadonlyMap<number, number>;
    readonly accepted: number;
    readonly duplicates: number;
  };
  readonly spool?: { readonly bytes: number; readonly bytesMax: number; readonly queuedBytes: number; readonly end: number; readonly released: number };
};

export interface MetricsSource {
  /** Asked once per scrape. */
  stats(): MetricsStats | Promise<MetricsStats>;
}

export type Metrics = {
  readonly contentType: string;
  /** The exposition text of this moment. */
  text(): Promise<string>;
};

/** A pattern may match thousands of topics: the partitions that are furthest behind are shown. */
const PARTITIONS_MAX = 1000;

/** Everything under `keywatch_`, and what prom-client tells of the process. One registry each: nothing is global. */
export function createMetrics(source: MetricsSource, build: { readonly version: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({ name: 'keywatch_build_info', help: 'Version of Keywatch and of Node; always 1.', labelNames: ['version', 'node'], registers: [registry] }).set(
    { version: build.version, node: process.version },
    1,
  );
  const fillers = [...flow(registry), ...storeMetrics(registry), ...judgeMetrics(registry), ...httpMetrics(registry)];
  /** Two scrapes at once would fill the same cells. */
  let turn: Promise<unknown> = Promise.resolve();
  const scrape = async (): Promise<string> => {
    const stats = await source.stats();
    for (const fill of fillers) fill(stats);
    return registry.metrics();
  };
  return {
    contentType: registry.contentType,
    text: () => {
      const text = turn.then(scrape);
      turn = text.catch(() => undefined);
      return text;
    },
  };
}

type Filler = (stats: MetricsStats) => void;

function flow(registry: Registry): Filler[] {
  return [
    counter(registry, 'keywatch_records_received_total', 'Records that were read.', ['source'], ({ received }) => received),
    counter(registry, 'keywatch_events_counted_total', 'Events that were counted.', ['source'], ({ counted }) => counted),
    counter(registry, 'keywatch_records_discarded_total', 'Records that were not counted.', ['source', 'reason'], ({ discarded }) => discarded),
    gauge(registry, 'keywatch_partition_lag_records', 'Records that can be read and were not.', ['source', 'partition'], ({ partitions }) =>
      largest(partitions?.map(({ source, partition, lagRecords }) => ({ source, partition, value: lagRecords }))),
    ),
    gauge(
      registry,
      'keywatch_partition_halted',
      '1 for a partition that is not read until a person decides; /readyz says why.',
      ['topic', 'partition'],
      ({ halted }) => largest(halted),
    ),
    gauge(registry, 'keywatch_segment_age_seconds', 'How long the open segment of a partition is open.', ['source', 'partition'], ({ partitions }) =>
      largest(partitions?.map(({ source, partition, segmentAgeMs }) => ({ source, partition, value: seconds(segmentAgeMs) }))),
    ),
    histogram(registry, 'keywatch_event_delay_seconds', 'From the time of an event to its being counted.', ({ eventDelaySeconds }) => eventDelaySeconds),
  ];
}

function storeMetrics(registry: Registry): Filler[] {
  return [
    counter(registry, 'keywatch_store_documents_total', 'Documents or rows that the store was given.', ['result'], ({ store }) => store?.documents),
    histogram(registry, 'keywatch_store_bulk_seconds', 'How long the store took for a batch.', ({ store }) => store?.bulkSeconds),
    counter(registry, 'keywatch_store_retries_total', 'Batches, or parts of them, that were sent again.', [], ({ store }) => one(store?.retries)),
    counter(registry, 'keywatch_store_conflicts_total', 'Documents of which the store had a newer version.', [], ({ store }) => one(store?.conflicts)),
  ];
}

function judgeMetrics(registry: Registry): Filler[] {
  return [
    gauge(registry, 'keywatch_watermark_seconds', 'Event time that all partitions have passed, as Unix time.', [], ({ watermark }) => one(seconds(watermark))),
    gauge(registry, 'keywatch_judged_through_seconds', 'End of the newest window that was judged, as Unix time.', [], ({ judgedThrough }) =>
      one(seconds(judgedThrough)),
    ),
    gauge(registry, 'keywatch_alerts_open', 'Alerts that are open.', ['severity'], ({ alertsOpen }) =>
      alertsOpen === undefined ? undefined : Object.entries(alertsOpen).map(([severity, value]) => ({ severity, value })),
    ),
    gauge(registry, 'keywatch_outbox_pending', 'Messages that are not delivered yet.', ['channel'], ({ outboxPending }) => outboxPending),
    counter(registry, 'keywatch_notifications_total', 'Attempts to deliver a message.', ['channel', 'result'], ({ notifications }) => notifications),
    gauge(registry, 'keywatch_is_judge', '1 in the process that judges.', [], ({ isJudge }) => one(isJudge === undefined ? undefined : Number(isJudge))),
  ];
}

function httpMetrics(registry: Registry): Filler[] {
  return [
    counter(registry, 'keywatch_http_requests_total', 'Requests that were answered.', ['status'], ({ http }) =>
      http === undefined ? undefined : [...http.requests].map(([status, value]) => ({ status: String(status), value })),
    ),
    counter(registry, 'keywatch_http_events_accepted_total', 'Events that were answered with 202, repeats not among them.', [], ({ http }) =>
      one(http?.accepted),
    ),
    counter(registry, 'keywatch_http_duplicates_total', 'Requests that repeated an Idempotency-Key.', [], ({ http }) => one(http?.duplicates)),
    gauge(registry, 'keywatch_spool_bytes', 'Files of the spool.', [], ({ spool }) => one(spool?.bytes)),
    gauge(registry, 'keywatch_spool_limit_bytes', 'What the spool may hold.', [], ({ spool }) => one(spool?.bytesMax)),
    gauge(registry, 'keywatch_spool_queued_bytes', 'Requests that wait for the disk.', [], ({ spool }) => one(spool?.queuedBytes)),
    gauge(registry, 'keywatch_spool_unstored_bytes', 'Bytes of the spool that are not stored yet.', [], ({ spool }) =>
      one(spool === undefined ? undefined : Math.max(0, spool.end - spool.released)),
    ),
  ];
}

type Values = readonly (Readonly<Record<string, string | number>> & { readonly value: number })[] | undefined;

function counter(registry: Registry, name: string, help: string, labelNames: readonly string[], read: (stats: MetricsStats) => Values): Filler {
  const metric = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  return (stats) => fill(metric, labelNames, read(stats), (labels, value) => value >= 0 && metric.inc(labels, value));
}

function gauge(registry: Registry, name: string, help: string, labelNames: readonly string[], read: (stats: MetricsStats) => Values): Filler {
  const metric = new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  return (stats) => fill(metric, labelNames, read(stats), (labels, value) => metric.set(labels, value));
}

function fill(
  metric: { readonly reset: () => void; readonly remove: () => void },
  labelNames: readonly string[],
  values: Values,
  set: (labels: Record<string, string | number>, value: number) => void,
): void {
  metric.reset();
  // Without labels prom-client shows 0 where nothing is known.
  if (labelNames.length === 0) metric.remove();
  for (const { value, ...labels } of values ?? []) if (Number.isFinite(value)) set(labels, value);
}

/** prom-client counts one value at a time; ours were counted where they arose. */
function histogram(registry: Registry, name: string, help: string, read: (stats: MetricsStats) => HistogramStats | undefined): Filler {
  const metric = new Histogram({ name, help, registers: [registry] });
  const shape = metric.get();
  let current: HistogramStats | undefined;
  metric.get = async () => ({ ...(await shape), values: current === undefined ? [] : valuesOf(name, current) });
  // The text is made by a method of its own, which the types do not show.
  Object.defineProperty(metric, 'getForPromString', { value: () => metric.get() });
  return (stats) => void (current = read(stats));
}

function valuesOf(name: string, { bounds, counts, sum }: HistogramStats): Awaited<ReturnType<Histogram['get']>>['values'] {
  let total = 0;
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => {
    total += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le: bound === Number.POSITIVE_INFINITY ? '+Inf' : bound }, value: total };
  });
  return [...buckets, { metricName: `${name}_sum`, labels: {}, value: sum }, { metricName: `${name}_count`, labels: {}, value: total }];
}

function one(value: number | undefined): Values {
  return value === undefined ? undefined : [{ value }];
}

function largest<T extends { readonly value: number | undefined }>(samples: readonly T[] | undefined): (T & { readonly value: number })[] | undefined {
  return samples
    ?.flatMap((sample) => (sample.value === undefined ? [] : [{ ...sample, value: sample.value }]))
    .sort((a, b) => b.value - a.value)
    .slice(0, PARTITIONS_MAX);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
