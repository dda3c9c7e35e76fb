import { EVENT_TIME_MAX, EVENT_TIME_MIN } from '../../core/window.ts';

const MONTHS: ReadonlyMap<string, number> = new Map(
  ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].map((name, index) => [name, index]),
);

/** NaN: no time that can be read. */
export const NO_TIME = Number.NaN;

/**
 * Reads the times that logs write: common log format, RFC 3339 with any offset and fraction, and epochs in
 * s, ms, us or ns by their size. A log repeats its minute thousands of times, so the last one is remembered by its bytes.
 */
export class TimeReader {
  readonly #last = new Uint8Array(32);
  readonly #lastView = new DataView(this.#last.buffer);
  #lastMinuteMs = 0;
  #lastKind = 0;
  #lastLength = 0;

  read(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const length = end - start;
    if (length === 26 && bytes[start + 2] === 47) return this.#clf(bytes, view, start, end);
    if (length >= 20 && length <= 40 && bytes[start + 4] === 45 && (bytes[start + 10] === 84 || bytes[start + 10] === 32)) return this.#iso(bytes, start, end);
    return readEpoch(bytes, start, end);
  }

  /** CLF `23/Nov/2026:21:20:02 +0000`: everything but the seconds is compared with the last one. */
  #clf(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const last = this.#lastView;
    const isSame =
      this.#lastKind === 1 &&
      view.getInt32(start, true) === last.getInt32(0, true) &&
      view.getInt32(start + 4, true) === last.getInt32(4, true) &&
      view.getInt32(start + 8, true) === last.getInt32(8, true) &&
      view.getInt32(start + 12, true) === last.getInt32(12, true) &&
      bytes[start + 16] === this.#last[16] &&
      bytes[start + 17] === this.#last[17] &&
      view.getInt32(start + 20, true) === last.getInt32(20, true) &&
      bytes[start + 24] === this.#last[24] &&
      bytes[start + 25] === this.#last[25];
    if (!isSame) {
      const minute = clfMinute(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
      if (Number.isNaN(minute)) return NO_TIME;
      this.#lastMinuteMs = minute;
      this.#lastKind = 1;
      this.#last.set(bytes.subarray(start, end));
    }
    const seconds = twoDigits(bytes, start + 18);
    return seconds < 0 || seconds > 60 ? NO_TIME : this.#lastMinuteMs + seconds * 1000;
  }

  #iso(bytes: Uint8Array, start: number, end: number): number {
    let at = start + 19;
    let fractionMs = 0;
    if (bytes[at] === 46 || bytes[at] === 44) {
      at++;
      let scale = 100;
      while (at < end) {
        const digit = (bytes[at] as number) - 48;
        if (digit < 0 || digit > 9) break;
        if (scale >= 1) fractionMs += digit * scale;
        scale /= 10;
        at++;
      }
    }
    const last = this.#last;
    const zoneLength = end - at;
    let isSame = this.#lastKind === 2 && this.#lastLength === zoneLength && zoneLength <= 8;
    for (let i = 0; isSame && i < 16; i++) if (bytes[start + i] !== last[i]) isSame = false;
    for (let i = 0; isSame && i < zoneLength; i++) if (bytes[at + i] !== last[16 + i]) isSame = false;
    if (!isSame) {
      const zone = Buffer.from(bytes.subarray(at, end)).toString('latin1');
      const minute = isoMinute(Buffer.from(bytes.subarray(start, start + 16)).toString('latin1'), zone);
      if (Number.isNaN(minute)) return NO_TIME;
      this.#lastMinuteMs = minute;
      this.#lastKind = 2;
      this.#lastLength = zoneLength;
      if (zoneLength <= 8) {
        last.set(bytes.subarray(start, start + 16));
        last.set(bytes.subarray(at, end), 16);
      } else this.#lastKind = 0;
    }
    const seconds = bytes[start + 16] === 58 ? twoDigits(bytes, start + 17) : -1;
    return seconds < 0 || seconds > 60 ? NO_TIME : this.#lastMinuteMs + seconds * 1000 + Math.floor(fractionMs);
  }
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 48;
  const ones = (bytes[at + 1] as number) - 48;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

function clfMinute(text: string): number {
  const match = /^(\d\d)\/([A-Za-z]{3})\/(\d{4}):(\d\d):(\d\d):\d\d ([+-])(\d\d)(\d\d)$/.exec(text);
  if (match === null) return NO_TIME;
  const month = MONTHS.get((match[2] as string).toLowerCase());
  if (month === undefined) return NO_TIME;
  return utc(Number(match[3]), month, Number(match[1]), Number(match[4]), Number(match[5])) - offsetMs(match[6], match[7], match[8]);
}

function isoMinute(text: string, zone: string): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)$/.exec(text);
  const offset = /^\s?(?:Z|UTC|([+-])(\d\d):?(\d\d)?)?$/i.exec(zone);
  if (match === null || offset === null) return NO_TIME;
  return utc(Number(match[1]), Number(match[2]) - 1, Number(match[3]), Number(match[4]), Number(match[5])) - offsetMs(offset[1], offset[2], offset[3]);
}

function utc(year: number, month: number, day: number, hour: number, minute: number): number {
  if (month > 11 || day < 1 || day > 31 || hour > 23 || minute > 59) return NO_TIME;
  const ms = Date.UTC(year, month, day, hour, minute);
  // Date.UTC rolls 31 June over to 1 July: such a date is broken.
  return new Date(ms).getUTCDate() === day ? ms : NO_TIME;
}

function offsetMs(sign: string | undefined, hours: string | undefined, minutes: string | undefined): number {
  if (sign === undefined) return 0;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes ?? 0)) * 60_000;
}

/** As `TimeReader.read`, for a time that is a number. */
export function epochMs(value: number): number {
  if (Number.isNaN(value) || value < 0) return NO_TIME;
  if (value < 1e10) return Math.floor(value * 1000 + 0.0005);
  if (value < 1e13) return Math.floor(value);
  if (value < 1e16) return Math.floor(value / 1e3);
  return Math.floor(value / 1e6);
}

/** Epoch seconds, milliseconds, microseconds or nanoseconds, told apart by size (valid for 2000-2100). */
function readEpoch(bytes: Uint8Array, start: number, end: number): number {
  return epochMs(readDecimal(bytes, start, end));
}

const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/** A decimal number without exponent on the fast way; NaN when it is none. */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const isNegative = bytes[at] === 45;
  if (isNegative) at++;
  if (at >= end) return Number.NaN;
  let mantissa = 0;
  let digits = 0;
  let fraction = -1;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 48 && byte <= 57) {
      mantissa = mantissa * 10 + byte - 48;
      digits++;
      if (fraction >= 0) fraction++;
    } else if (byte === 46 && fraction < 0) fraction = 0;
    else return slowDecimal(bytes, start, end);
  }
  if (digits === 0) return Number.NaN;
  // Above 15 digits the steps would round differently from a correct parse.
  if (digits > 15) return slowDecimal(bytes, start, end);
  const value = fraction > 0 ? mantissa / (POWERS[fraction] as number) : mantissa;
  return isNegative ? -value : value;
}

function slowDecimal(bytes: Uint8Array, start: number, end: number): number {
  const text = Buffer.from(bytes.subarray(start, Math.min(end, start + 40)))
    .toString('latin1')
    .trim();
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

export function isInRange(time: number): boolean {
  return time >= EVENT_TIME_MIN && time < EVENT_TIME_MAX;
}
