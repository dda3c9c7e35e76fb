import type { ByteReader, ByteWriter } from '../bytes.ts';
import { hashLanes, hashText } from '../hash.ts';
import { HLL_REGISTERS, hllAdd, hllDecode, hllEncode, hllEstimate, hllMerge } from './hyperloglog.ts';

/** Distinct values are exact up to here; above, their number comes from HyperLogLog and the items are the heaviest ones. */
export const TALLY_ITEMS_MAX = 32;
/** Items beyond the heaviest eight are stored by hash only: messages and screens show fewer than that. */
export const TALLY_TEXTS_MAX = 8;

export type TallyItem = {
  /** The 64-bit hash of the value, as two signed lanes (`core/hash.ts`). */
  readonly hi: number;
  readonly lo: number;
  readonly text?: string | undefined;
  readonly count: number;
  readonly failed: number;
  /** Space-saving: `count` may be too high by up to this (Metwally, Agrawal, El Abbadi 2005). 0 while exact. */
  readonly over: number;
};

/**
 * The values of one dimension with their counts, and how many of them are distinct. Exact to 32 values;
 * above, `registers` hold the distinct number and `items` are the heavy hitters with an error bound.
 */
export class Tally {
  items: TallyItem[];
  registers: Uint8Array | undefined;

  constructor(items: TallyItem[] = [], registers?: Uint8Array) {
    this.items = items;
    this.registers = registers;
  }

  get isExact(): boolean {
    return this.registers === undefined;
  }

  distinct(): number {
    return this.registers === undefined ? this.items.length : Math.max(this.items.length, Math.round(hllEstimate(this.registers)));
  }

  /** Heaviest first. */
  top(count: number): readonly TallyItem[] {
    return this.items.slice(0, count);
  }

  /** Union. The distinct number is independent of order; above 32 values the counts keep their error bound. */
  merge(other: Tally): void {
    const byHash = new Map<string, TallyItem>();
    // A value missing from a full list may still have been seen there up to its smallest count.
    const floorA = floorOf(this);
    const floorB = floorOf(other);
    for (const item of this.items) byHash.set(`${item.hi},${item.lo}`, floorB === 0 ? item : { ...item, count: item.count + floorB, over: item.over + floorB });
    for (const item of other.items) {
      const key = `${item.hi},${item.lo}`;
      const mine = byHash.get(key);
      byHash.set(
        key,
        mine === undefined
          ? { ...item, count: item.count + floorA, over: item.over + floorA }
          : {
              hi: item.hi,
              lo: item.lo,
              text: mine.text ?? item.text,
              count: mine.count - floorB + item.count,
              failed: mine.failed + item.failed,
              over: mine.over - floorB + item.over,
            },
      );
    }
    const merged = [...byHash.values()].sort(compareItems);
    if (this.registers === undefined && other.registers === undefined && merged.length <= TALLY_ITEMS_MAX) {
      this.items = merged;
      return;
    }
    const registers = this.registers ?? registersOf(this.items);
    hllMerge(registers, other.registers ?? registersOf(other.items));
    this.registers = registers;
    this.items = merged.slice(0, TALLY_ITEMS_MAX);
  }

  encode(out: ByteWriter, areTextsAll: boolean): void {
    const items = [...this.items].sort(compareItems);
    encodeTallyHead(out, items.length, this.registers);
    items.forEach((item, index) => {
      encodeTallyItem(
        out,
        item.hi,
        item.lo,
        areTextsAll || index < TALLY_TEXTS_MAX ? item.text : undefined,
        item.count,
        item.failed,
        item.over,
        this.registers !== undefined,
      );
    });
  }

  static decode(input: ByteReader): Tally {
    const head = input.varint();
    const size = head >>> 1;
    const registers = (head & 1) === 1 ? hllDecode(input) : undefined;
    const items: TallyItem[] = [];
    for (let i = 0; i < size; i++) items.push(decodeTallyItem(input, registers !== undefined));
    return new Tally(items, registers);
  }
}

/** Canonical order: heaviest first, then by hash. Also decides who is evicted. */
export function compareItems(a: TallyItem, b: TallyItem): number {
  return b.count - a.count || a.hi - b.hi || a.lo - b.lo;
}

function floorOf(tally: Tally): number {
  return tally.registers === undefined || tally.items.length < TALLY_ITEMS_MAX ? 0 : Math.min(...tally.items.map((item) => item.count));
}

function registersOf(items: readonly TallyItem[]): Uint8Array {
  const registers = new Uint8Array(HLL_REGISTERS);
  for (const item of items) hllAdd(registers, item.hi, item.lo);
  return registers;
}

const decoder = new TextDecoder();

export function encodeTallyHead(out: ByteWriter, size: number, registers: Uint8Array | undefined): void {
  out.varint((size << 1) | (registers === undefined ? 0 : 1));
  if (registers !== undefined) hllEncode(registers, out);
}

/** Length 0 means by hash only, 1 an IPv4 address in four bytes, n + 2 a text of n bytes whose hash is computed again when read. */
export function encodeTallyItem(
  out: ByteWriter,
  hi: number,
  lo: number,
  text: string | undefined,
  count: number,
  failed: number,
  over: number,
  hasOver: boolean,
): void {
  if (text === undefined) {
    out.byte(0);
    out.int32(hi);
    out.int32(lo);
  } else if (!writeIpv4(out, text)) {
    writeText(out, text);
  }
  out.varint(count * 2 + (failed === 0 ? 0 : 1));
  if (failed !== 0) out.varint(failed);
  if (hasOver) out.varint(over);
}

/** Moves past a tally. */
export function skipTally(input: ByteReader): void {
  const head = input.varint();
  const hasOver = (head & 1) === 1;
  if (hasOver) hllDecode(input);
  for (let left = head >>> 1; left > 0; left--) {
    const length = input.varint();
    input.raw(length === 0 ? 8 : length === 1 ? 4 : length - 2);
    if (input.varint() % 2 === 1) input.varint();
    if (hasOver) input.varint();
  }
}

function decodeTallyItem(input: ByteReader, hasOver: boolean): TallyItem {
  const length = input.varint();
  let text: string | undefined;
  let hi = 0;
  let lo = 0;
  if (length === 0) {
    hi = input.int32();
    lo = input.int32();
  } else {
    text = length === 1 ? input.raw(4).join('.') : decoder.decode(input.raw(length - 2));
    hashText(text);
    hi = hashLanes.hi;
    lo = hashLanes.lo;
  }
  const head = input.varint();
  const count = Math.floor(head / 2);
  const failed = head % 2 === 1 ? input.varint() : 0;
  return { hi, lo, text, count, failed, over: hasOver ? input.varint() : 0 };
}

function writeText(out: ByteWriter, text: string): void {
  const size = text.length;
  out.reserve(size + 8);
  let at = out.length + (size + 2 < 128 ? 1 : 2);
  const { bytes } = out;
  for (let i = 0; i < size; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      const encoded = Buffer.from(text);
      out.varint(encoded.length + 2);
      out.raw(encoded);
      return;
    }
    bytes[at++] = code;
  }
  out.varint(size + 2);
  out.length = at;
}

/** Writes `a.b.c.d` in its canonical spelling as four bytes; anything else is left to the caller. */
function writeIpv4(out: ByteWriter, text: string): boolean {
  if (text.length > 15) return false;
  let octet = -1;
  let octets = 0;
  let word = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? 46 : text.charCodeAt(i);
    if (code === 46) {
      if (octet < 0 || octet > 255) return false;
      word = (word << 8) | octet;
      octets++;
      octet = -1;
    } else if (code >= 48 && code <= 57) {
      if (octet === 0) return false;
      octet = octet < 0 ? code - 48 : octet * 10 + code - 48;
    } else return false;
  }
  if (octets !== 4) return false;
  out.byte(1);
  out.byte(word >>> 24);
  out.byte((word >>> 16) & 255);
  out.byte((word >>> 8) & 255);
  out.byte(word & 255);
  return true;
}
