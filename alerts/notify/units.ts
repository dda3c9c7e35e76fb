import type { Finding } from '../../core/finding.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/window.ts';

// Made once: a formatter costs a hundred times what a number does.
const UP_TO_TWO = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const UP_TO_ONE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,345`; fractions keep two digits. */
export function formatCount(value: number): string {
  return UP_TO_TWO.format(value);
}

/** `1.2 GB`, with GB = 1024³ as everywhere in Keywatch. */
export function formatBytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let rest = value;
  let unit = 0;
  // 1023.95 would be printed as 1,024: the next unit takes over where rounding would reach it.
  while (Math.abs(rest) >= 1023.95 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  // Two decimals below 10: a value just over its limit must not read like the limit.
  return `${(unit === 0 ? WHOLE : Math.abs(rest) < 9.995 ? UP_TO_TWO : UP_TO_ONE).format(rest)} ${units[unit] ?? ''}`;
}

/** `7.3 %`. A share that is not nothing is never printed as `0 %`. */
export function formatShare(ratio: number): string {
  const percent = ratio * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${UP_TO_ONE.format(percent)} %`;
}

const NOUNS = { requests: 'request', failures: 'failure', credentials: 'credential', minutes: 'minute', points: 'point' } as const;

/** A value of a finding with its unit: `12,345 requests`, `1.2 GB`, `7.3 %`. */
export function formatQuantity(value: number, unit: Finding['unit']): string {
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'ratio') return formatShare(value);
  return `${formatCount(value)} ${NOUNS[unit]}${value === 1 ? '' : 's'}`;
}

/** What was observed and over which stretch of time: `2,310 requests in 1 min`. */
export function formatObserved(finding: Finding): string {
  const quantity = formatQuantity(finding.observed, finding.unit);
  return finding.unit === 'minutes' ? quantity : `${quantity} in ${formatDuration(finding.window.end - finding.window.start)}`;
}

/** The two largest units: `1 h 5 min`, `25 min`, `40 s`. */
export function formatDuration(ms: DurationMs): string {
  const rounded = ms < HOUR_MS ? Math.max(0, Math.round(ms / 1000)) * 1000 : Math.round(ms / MINUTE_MS) * MINUTE_MS;
  const steps: readonly (readonly [DurationMs, string])[] = [
    [DAY_MS, 'd'],
    [HOUR_MS, 'h'],
    [MINUTE_MS, 'min'],
    [1000, 's'],
  ];
  const parts: string[] = [];
  let rest = rounded;
  for (const [size, name] of steps) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

/** `2026-11-23 10:42:00 UTC`. */
export function formatUtc(time: EpochMs): string {
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const BARS = '▁▂▃▄▅▆▇█';

/** One character per value, scaled to the largest. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(...values, 0);
  return values.map((value) => BARS[max === 0 ? 0 : Math.round((value / max) * (BARS.length - 1))] ?? '').join('');
}
