import type { Alert, Notification } from '../../core/alert.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { formatCount, sparkline } from './units.ts';

const CHART_MINUTES_MAX = 60;
/** Fewer minutes than that are no habit. */
const BAND_MINUTES_MIN = 10;
const BAND_LOW = 0.1;
const BAND_HIGH = 0.9;

export type NoticeChart = {
  readonly title: string;
  readonly values: readonly number[];
  readonly spark: string;
  /** `usual 29–55 · now 582`, below the sparkline. */
  readonly caption: string;
  /** What was usual in the minutes before the breach: eight in ten of them lay between. */
  readonly band?: { readonly low: number; readonly high: number };
  /** Where it is one of requests per minute too. */
  readonly limit?: number;
};

/** Requests per minute up to the finding. The newest minutes only: a picture, not a record. */
export function chartOf({ series }: Notification, { finding, startedAt }: Alert): NoticeChart | undefined {
  if (series === undefined || series.length === 0) return undefined;
  const values = series.slice(-CHART_MINUTES_MAX).map((value) => (Number.isFinite(value) && value > 0 ? value : 0));
  const isComparable = finding.unit === 'requests' && finding.window.end - finding.window.start === MINUTE_MS;
  const limit = isComparable ? finding.expected : undefined;
  const over = limit === undefined ? 0 : values.filter((value) => value > limit).length;
  // The last value is the minute of the finding: what began earlier does not count as usual.
  const breaching = Math.max(1, Math.ceil((finding.window.end - startedAt) / MINUTE_MS));
  const band = bandOf(values.slice(0, Math.max(0, values.length - breaching)));
  const now = values.at(-1) ?? 0;
  return {
    title: `Requests per minute, the last ${values.length} min, highest ${formatCount(Math.max(...values))}${over === 0 ? '' : `, ${over} min over the limit`}`,
    values,
    spark: sparkline(values),
    caption: `${band === undefined ? '' : `usual ${formatCount(band.low)}–${formatCount(band.high)} · `}now ${formatCount(now)}`,
    ...(band === undefined ? {} : { band }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function bandOf(before: readonly number[]): NoticeChart['band'] {
  if (before.length < BAND_MINUTES_MIN) return undefined;
  const sorted = before.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) * BAND_LOW)] ?? 0;
  const high = sorted[Math.ceil((sorted.length - 1) * BAND_HIGH)] ?? 0;
  // Nothing at all is no habit either: the key was not there.
  return high === 0 ? undefined : { low, high };
}
