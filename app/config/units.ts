import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import type { DurationMs } from '../../core/types.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** y is 365 days; there is no month, because months differ. */
const DURATION_UNITS: Readonly<Record<string, DurationMs>> = {
  ms: 1,
  s: 1000,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};
/** Decimal prefixes mean powers of 1024 here, the same numbers in rules, reports and dashboards. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1024,
  kib: 1024,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
  tb: 1024 ** 4,
  tib: 1024 ** 4,
};

/** `30s`, `1h30m`, `35d`, in milliseconds. A bare number has no unit and is refused, except 0. */
export function parseDuration(text: string): Parsed<DurationMs> {
  const plain = text.trim().toLowerCase();
  if (plain === '0') return { ok: true, value: 0 };
  if (/^(\d+(\.\d+)?\s*(ms|s|min|m|h|d|w|y)\s*)+$/.test(plain)) {
    let total = 0;
    for (const [, count = '0', unit = 's'] of plain.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w|y)/g))
      total += Number(count) * (DURATION_UNITS[unit] ?? Number.NaN);
    const value = Math.round(total);
    if (Number.isSafeInteger(value)) return { ok: true, value };
  }
  if (/^\d+(\.\d+)?$/.test(plain)) return { ok: false, message: `a duration needs a unit: ${plain}s, ${plain}m, ${plain}h or ${plain}d` };
  return { ok: false, message: 'expected a duration such as 30s, 15m, 24h, 35d or 7y' };
}

/** `512MB`, `1.5 GB`, `4096`, in bytes. */
export function parseSize(text: string): Parsed<number> {
  const found = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/.exec(text.trim().toLowerCase());
  const scale = found === null ? undefined : SIZE_UNITS[found[2] ?? ''];
  const value = scale === undefined ? Number.NaN : Math.round(Number(found?.[1]) * scale);
  if (Number.isSafeInteger(value)) return { ok: true, value };
  return { ok: false, message: 'expected a size such as 64KB, 512MB or 20GB (MB = 1024² bytes)' };
}

/** `5%` or the share itself, `0.05`; between 0 and 1. */
export function parseRatio(text: string): Parsed<number> {
  const found = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim());
  const value = found === null ? Number.NaN : Number((Number(found[1]) * (found[2] === '%' ? 0.01 : 1)).toPrecision(12));
  if (value >= 0 && value <= 1) return { ok: true, value };
  if (value > 1 && found?.[2] === '') return { ok: false, message: `expected a share such as 5% or 0.05; for percent write ${text.trim()}%` };
  return { ok: false, message: 'expected a share such as 5% or 0.05, at most 100%' };
}

export function parseCountOf(text: string): Parsed<number> {
  const plain = text.trim().replace(/_/g, '');
  const value = Number(plain);
  if (/^\d+$/.test(plain) && Number.isSafeInteger(value)) return { ok: true, value };
  return { ok: false, message: 'expected a whole number such as 500' };
}

/** The shortest spelling that `parseDuration` reads back: `35d`, `1h30m`. */
export function printDuration(ms: DurationMs): string {
  if (ms === 0) return '0s';
  const parts: string[] = [];
  let rest = ms;
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = DURATION_UNITS[unit] ?? 1;
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.join('');
}

/** The shortest spelling that `parseSize` reads back to the same number: `1GB`, `1536MB`. */
export function printSize(bytes: number): string {
  for (const [unit, size] of [
    ['TB', 1024 ** 4],
    ['GB', 1024 ** 3],
    ['MB', 1024 ** 2],
    ['KB', 1024],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** `5%`. */
export function printRatio(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(12))}%`;
}
