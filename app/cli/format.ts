import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';

/** Numbers, sizes and times as people read them. What is unknown is shown as a dash, never as 0. */
export const UNKNOWN = '–';

/** `1,234,567`; fractions keep up to two digits. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return value.toLocaleString('en-US', { maximumFractionDigits: Number.isInteger(value) ? 0 : 2 });
}

/** Four figures at most: `950`, `1,234`, `12.3k`, `4.56M`. For narrow columns. */
export function formatCount(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (value < 10_000) return formatNumber(Math.round(value * 100) / 100);
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** `512 B`, `1.5 MB`, with MB = 1024² as everywhere in Keywatch. */
export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return scaled(value, 1024, [' B', ' KB', ' MB', ' GB', ' TB', ' PB']);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  // 999.95 would be printed as 1000: the next unit takes over where rounding would reach the base.
  while (Math.abs(rest) >= base - 0.5 && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 ? (Number.isInteger(rest) ? 0 : 1) : rest < 10 ? 2 : rest < 100 ? 1 : 0;
  return `${Number(rest.toFixed(digits)).toLocaleString('en-US')}${units[unit] ?? ''}`;
}

/** The two largest units: `3 d 4 h`, `2 min 5 s`, `820 ms`. */
export function formatDuration(ms: DurationMs | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return UNKNOWN;
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return ms > 0 && ms < 10 ? `${Number(ms.toPrecision(2))} ms` : `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${Number((ms / 1000).toFixed(1))} s`;
  const rounded = ms < HOUR_MS ? Math.round(ms / 1000) * 1000 : Math.round(ms / MINUTE_MS) * MINUTE_MS;
  const steps: readonly (readonly [number, string])[] = [
    [DAY_MS, 'd'],
    [HOUR_MS, 'h'],
    [MINUTE_MS, 'min'],
    [1000, 's'],
  ];
  const first = steps.findIndex(([size]) => rounded >= size);
  const parts: string[] = [];
  let rest = rounded;
  for (const [size, name] of steps.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}

/** Microseconds as a latency: `850 µs`, `12 ms`, `1.2 s`. */
export function formatLatency(us: number | null | undefined): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return UNKNOWN;
  return us < 1000 ? `${Math.round(us)} µs` : formatDuration(us / 1000);
}

/** `12.3 %`; small shares keep their first figure. */
export function formatPercent(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return UNKNOWN;
  const percent = ratio * 100;
  if (percent === 0 || percent >= 99.95) return `${Math.round(percent)} %`;
  return `${percent < 1 ? Number(percent.toPrecision(1)) : Number(percent.toFixed(1))} %`;
}

/** `2026-11-23 10:42:00Z`: always UTC, and says so. */
export function formatTime(time: EpochMs | null | undefined): string {
  if (time === null || time === undefined || !isPrintableTime(time)) return UNKNOWN;
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

function isPrintableTime(time: EpochMs): boolean {
  return Number.isFinite(time) && time > 0 && time < 8.64e15;
}

/** `4 s ago`, `in 2 min`, `now`. */
export function formatAgo(time: EpochMs | null | undefined, now: EpochMs): string {
  if (time === null || time === undefined || !isPrintableTime(time)) return UNKNOWN;
  const ago = now - time;
  if (Math.abs(ago) < 1000) return 'now';
  const unit = [DAY_MS, HOUR_MS, MINUTE_MS, 1000].find((size) => Math.abs(ago) >= size) ?? 1000;
  const text = formatDuration(Math.floor(Math.abs(ago) / unit) * unit);
  return ago > 0 ? `${text} ago` : `in ${text}`;
}

const BARS = '▁▂▃▄▅▆▇█';

/** One character per value; an empty value is a space, so that silence differs from little traffic. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(0, ...values);
  return values
    .map((value) => (value <= 0 || max === 0 ? ' ' : (BARS[Math.min(BARS.length - 1, Math.floor((value / max) * (BARS.length - 0.001)))] ?? ' ')))
    .join('');
}
