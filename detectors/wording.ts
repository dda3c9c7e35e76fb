import type { EpochMs } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';

const KB = 1024;
const MB = KB * 1024;
const GB = MB * 1024;

/** By number of decimals. Making one costs as much as judging a thousand windows. */
const FORMATS = [0, 1, 2, 3].map((digits) => new Intl.NumberFormat('en-US', { maximumFractionDigits: digits }));

/** `1,240`. */
export function count(value: number): string {
  return trimmed(value, 0);
}

/** `1 request`, `1,240 requests`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${Math.round(value) === 1 ? '' : 's'}`;
}

/** `10:04 UTC`, the time of day only: the day stands beside the sentence wherever it is shown. */
export function timeOfDay(at: EpochMs): string {
  const minutes = Math.floor(at / MINUTE_MS) % 1440;
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')} UTC`;
}

/** An observed share and its limit, with as many digits as it takes to tell them apart: `10.04 %` and `10 %`. */
export function percents(observed: number, limit: number): readonly [string, string] {
  return apart(observed, limit, (value, digits) => `${trimmed(value * 100, digits)} %`);
}

/** Bytes in units of 1024, as the limits are stated; to the byte where rounding would hide which is greater. */
export function sizes(observed: number, limit: number): readonly [string, string] {
  const [a, b] = apart(observed, limit, (value, digits) => size(value, digits));
  return a === b ? [`${count(observed)} bytes`, `${count(limit)} bytes`] : [a, b];
}

function apart(observed: number, limit: number, format: (value: number, digits: number) => string): readonly [string, string] {
  for (let digits = 1; digits < 3; digits++) {
    const a = format(observed, digits);
    const b = format(limit, digits);
    if (a !== b || observed === limit) return [a, b];
  }
  return [format(observed, 3), format(limit, 3)];
}

function size(bytes: number, digits: number): string {
  if (bytes >= GB) return `${trimmed(bytes / GB, digits)} GB`;
  if (bytes >= MB) return `${trimmed(bytes / MB, digits)} MB`;
  if (bytes >= KB) return `${trimmed(bytes / KB, digits)} KB`;
  return `${count(bytes)} bytes`;
}

/** At most `digits` decimals, none that say nothing. */
function trimmed(value: number, digits: number): string {
  return (FORMATS[digits] ?? FORMATS[0])?.format(value) ?? String(value);
}
