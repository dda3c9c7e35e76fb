import type { Alert } from '../../core/alert.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { EntityId, EpochMs, DurationMs, RejectReason } from '../../core/types.ts';
import type { KeySummary, StatusCounts } from '../json/key.ts';

/**
 * Everything `analyze` found, in memory. The pipeline fills it; `json.ts`, `terminal.ts` and `html/` only render it.
 * `null` means unknown and is never shown as 0. Texts from traffic are raw in here: each renderer makes them safe.
 */
export type AnalyzeReport = {
  /** Of Keywatch. */
  readonly version: string;
  readonly source: ReportSource;
  /** Format name to records read in it. */
  readonly formats: Readonly<Record<string, number>>;
  /** Of the events that were counted, both ends included; null without events. */
  readonly range: { readonly from: EpochMs; readonly to: EpochMs } | null;
  readonly totals: ReportTotals;
  /** The whole range in equal buckets, see `activityGrid`; null without events. */
  readonly activity: ReportActivity | null;
  readonly keys: ReportKeys;
  /** Client networks from which authentication failed, most failures first. */
  readonly networks: readonly ReportNetwork[];
  readonly top: ReportTop;
  /** Which limits judged: "the shipped thresholds", "plan gold". Fits after "would have raised" and before it. */
  readonly limits: string;
  /** Confirmed ones only: what people would have been told. */
  readonly alerts: readonly Alert[];
  /** One entry per rule that ran, also those that raised nothing. */
  readonly rules: readonly ReportRule[];
  readonly rejects: readonly ReportReject[];
  readonly coverage: readonly ReportCoverage[];
  /** What could not be read: one line each, free of secrets. */
  readonly problems: readonly string[];
  /** Absent when `--suggest` was not asked for. */
  readonly suggestions?: readonly Suggestion[];
  readonly cost: ReportCost;
};

export type ReportSource = {
  /** Labels of the files as people know them, in reading order; may be cut after the first few. */
  readonly names: readonly string[];
  readonly files: number;
  /** Of the decompressed stream. */
  readonly bytes: number;
  readonly records: number;
};

export type ReportTotals = {
  /** Records that became events inside the asked range. */
  readonly events: number;
  readonly dropped: number;
  readonly rejected: number;
  readonly requests: number;
  readonly status: StatusCounts;
  readonly errors: number;
  readonly failedAuth: number;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  /** Whole microseconds; null when the log shows no durations. */
  readonly latency: { readonly p50Us: number; readonly p95Us: number; readonly p99Us: number } | null;
};

/** Totals per bucket; all series have `grid.buckets` values. */
export type ReportActivity = {
  readonly grid: ActivityGrid;
  readonly requests: ArrayLike<number>;
  readonly errors: ArrayLike<number>;
  readonly failedAuth: ArrayLike<number>;
  /** Null when the log shows no response sizes. */
  readonly bytesOut: ArrayLike<number> | null;
};

/** Sorted by `compareKeys` (json/key.ts). Any iterable, so that a million keys may be made one at a time. */
export type ReportKeys = Iterable<ReportKey> & { readonly length: number };

export type ReportKey = KeySummary & {
  /** How people call it (`KeyDirectory.label`). May hold text from traffic. */
  readonly label: string;
  /** Requests per bucket of the grid. Only the first few hundred keys are ever drawn: leave it out for the others. */
  readonly series?: ArrayLike<number>;
};

export type ReportNetwork = {
  readonly id: EntityId;
  readonly label: string;
  readonly failedAuth: number;
  /** Distinct credentials tried; null when the log does not show them. */
  readonly credentials: number | null;
  readonly first: EpochMs | null;
  readonly last: EpochMs | null;
};

export type ReportTopItem = { readonly value: string; readonly requests: number; readonly failed: number };
/** The heaviest values, most requests first; empty where the log does not show the dimension. */
export type ReportTop = { readonly routes: readonly ReportTopItem[]; readonly agents: readonly ReportTopItem[]; readonly countries: readonly ReportTopItem[] };

export type ReportRule = {
  readonly rule: string;
  /** Warning and critical limit in a few words: "500 / 1,000 requests in 1 min" (`reportRules`). */
  readonly description?: string;
  readonly alerts: number;
  readonly criticals: number;
  /** Entities with at least one of them. */
  readonly keys: number;
};

export type ReportReject = {
  readonly reason: RejectReason;
  readonly count: number;
  readonly first: { readonly source: string; /** Byte in the decompressed stream. */ readonly position: number };
};

export type ReportCoverage = { readonly source: string; readonly format: string; /** Sentences of `blindFor`. */ readonly blind: readonly string[] };

/** A limit for one key from its own history. */
export type Suggestion = {
  readonly entity: EntityId;
  readonly label: string;
  readonly rule: string;
  readonly unit: 'requests' | 'ratio' | 'bytes' | 'failures';
  readonly warning: number;
  readonly critical: number;
  /** 99.9th percentile of what was observed. */
  readonly usual: number;
  /** Alerts that the limits of this run raised on it, and how many the suggested ones would. */
  readonly alerts: number;
  readonly remaining: number;
};

export type ReportCost = { readonly elapsedMs: DurationMs; readonly eventsPerSecond: number; readonly threads: number };

/** What `keywatch demo` adds to the HTML file. */
export type DemoPart = {
  readonly attacks: readonly DemoAttack[];
  /** Alerts that belong to no injected attack. */
  readonly falseAlerts: number;
  readonly messages: readonly DemoMessage[];
};
export type DemoAttack = {
  readonly name: string;
  readonly label: string;
  readonly startedAt: EpochMs;
  /** The rule that caught it; null when none did. */
  readonly caughtBy: string | null;
  /** Event time from the start of the attack to the alert. */
  readonly afterMs: DurationMs | null;
  /** Why it was not caught, or what else a reader should know. */
  readonly note?: string;
};
/** A message as the receiver on loopback got it. */
export type DemoMessage = { readonly channel: string; readonly at: EpochMs; readonly subject: string; readonly text: string };

/** Equal buckets of event time. `start` is aligned to the bucket, so that two runs over one log draw the same. */
export type ActivityGrid = { readonly start: EpochMs; readonly bucketMs: DurationMs; readonly buckets: number };

/** Most points a series has: as many as a narrow screen can show apart. */
export const ACTIVITY_BUCKETS_MAX = 96;

/** Bucket widths that people can name, in minutes; each is a multiple of the stored minute. */
const BUCKET_MINUTES = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10_080, 20_160, 43_200, 86_400, 259_200, 525_600];

/** The finest grid of at most 96 buckets that covers `[from, to]`. */
export function activityGrid(from: EpochMs, to: EpochMs): ActivityGrid {
  for (const minutes of BUCKET_MINUTES) {
    const bucketMs = minutes * MINUTE_MS;
    const start = Math.floor(from / bucketMs) * bucketMs;
    const buckets = Math.floor((to - start) / bucketMs) + 1;
    if (buckets <= ACTIVITY_BUCKETS_MAX) return { start, bucketMs, buckets };
  }
  const bucketMs = Math.ceil((to - from + 1) / (ACTIVITY_BUCKETS_MAX - 1) / MINUTE_MS) * MINUTE_MS;
  const start = Math.floor(from / bucketMs) * bucketMs;
  return { start, bucketMs, buckets: Math.floor((to - start) / bucketMs) + 1 };
}

/** The bucket that holds `time`; outside the grid it is negative or `>= buckets`. */
export function bucketOf(grid: ActivityGrid, time: EpochMs): number {
  return Math.floor((time - grid.start) / grid.bucketMs);
}

/** The heaviest `count` keys, without walking the others. */
export function firstKeys(keys: ReportKeys, count: number): readonly ReportKey[] {
  const first: ReportKey[] = [];
  if (count <= 0) return first;
  for (const key of keys) {
    first.push(key);
    if (first.length >= count) break;
  }
  return first;
}
