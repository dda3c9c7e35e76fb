import type { ByteWriter } from '../../core/bytes.ts';
import { HLL_REGISTERS, hllIndex, hllRank } from '../../core/sketch/hyperloglog.ts';

import { TALLY_ITEMS_MAX, TALLY_TEXTS_MAX, type Tally, type TallyItem, encodeTallyHead, encodeTallyItem } from '../../core/sketch/tally.ts';
import { grown } from '../parse/hash-table.ts';

/** Ints per item of an exact list: hi, lo, count, failed. */
const ITEM = 4;
/** Ints per item of a copied list: hi, lo, count, failed, over. */
const HEAVY = 5;
/** A heavy block is columns of 32 ints, so that looking for a value or for the lightest one reads two cache lines: lo, hi, count, failed, over. */
const LO = 1;
const HI = LO + TALLY_ITEMS_MAX;
const COUNT = HI + TALLY_ITEMS_MAX;
const FAILED = COUNT + TALLY_ITEMS_MAX;
const OVER = FAILED + TALLY_ITEMS_MAX;
const REGISTER_INTS = HLL_REGISTERS / 4;
const HEAVY_BLOCK = 1 + TALLY_ITEMS_MAX * HEAVY + REGISTER_INTS;
/** Header of a heavy block; an exact one holds its number of items and class. */
const HEAVY_HEADER = -1;
const CLASSES = 6;

/**
 * Tallies of the open segment, all in one Int32Array: no object per tally, nothing for the garbage
 * collector. A tally is an offset into the arena (0 is empty); adding may move it, so the offset is returned.
 * Lists double from 1 to 32 items; the 33rd distinct value turns the list into HyperLogLog plus space-saving.
 */
export class TallyArena {
  #ints = new Int32Array(1 << 16);
  #registers = new Uint8Array(this.#ints.buffer);
  #length = 1;
  /** Heads of the free lists by class; the last is for heavy blocks. A free block's first int is the next one. */
  readonly #free = new Int32Array(CLASSES + 1);

  clear(): void {
    this.#length = 1;
    this.#free.fill(0);
  }

  get bytes(): number {
    return this.#ints.byteLength;
  }

  isHeavy(tally: number): boolean {
    return tally !== 0 && this.#ints[tally] === HEAVY_HEADER;
  }

  /** Counts a value; returns the tally's offset, which may have changed. */
  add(tally: number, hi: number, lo: number, count: number, failed: number): number {
    // The first value of a list is the one that comes again in most windows; small enough to be inlined.
    const ints = this.#ints;
    if (ints[tally + 2] === lo && ints[tally + 1] === hi && (ints[tally] as number) > 0) {
      ints[tally + 3] = (ints[tally + 3] as number) + count;
      ints[tally + 4] = (ints[tally + 4] as number) + failed;
      return tally;
    }
    return this.#addLater(tally, hi, lo, count, failed);
  }

  #addLater(tally: number, hi: number, lo: number, count: number, failed: number): number {
    if (tally === 0) {
      const fresh = this.#allocate(0);
      this.#ints[fresh] = 1;
      this.#putItem(fresh + 1, hi, lo, count, failed);
      return fresh;
    }
    const ints = this.#ints;
    const header = ints[tally] as number;
    if (header === HEAVY_HEADER) {
      this.#addHeavy(tally, hi, lo, count, failed, 0);
      return tally;
    }
    const size = header & 0xff;
    const end = tally + 1 + size * ITEM;
    for (let at = tally + 1; at < end; at += ITEM) {
      if (ints[at + 1] === lo && ints[at] === hi) {
        ints[at + 2] = (ints[at + 2] as number) + count;
        ints[at + 3] = (ints[at + 3] as number) + failed;
        return tally;
      }
    }
    const klass = header >>> 8;
    if (size < 1 << klass) {
      this.#putItem(end, hi, lo, count, failed);
      ints[tally] = header + 1;
      return tally;
    }
    if (klass < CLASSES - 1) {
      const bigger = this.#allocate(klass + 1);
      this.#ints.copyWithin(bigger + 1, tally + 1, end);
      this.#putItem(bigger + 1 + size * ITEM, hi, lo, count, failed);
      this.#ints[bigger] = ((klass + 1) << 8) | (size + 1);
      this.#release(tally, klass);
      return bigger;
    }
    const heavy = this.#makeHeavy(tally, size);
    this.#release(tally, klass);
    this.#addHeavy(heavy, hi, lo, count, failed, 0);
    return heavy;
  }

  free(tally: number): void {
    if (tally === 0) return;
    const header = this.#ints[tally] as number;
    this.#release(tally, header === HEAVY_HEADER ? CLASSES : header >>> 8);
  }

  /** Items of a tally as an array of [hi, lo, count, failed, over] groups, in no order. For folds off the hot path. */
  items(tally: number): Int32Array {
    if (tally === 0) return new Int32Array(0);
    const header = this.#ints[tally] as number;
    if (header === HEAVY_HEADER) return this.#heavyItems(tally).slice();
    const size = header & 0xff;
    const items = new Int32Array(size * HEAVY);
    for (let i = 0; i < size; i++) items.set(this.#ints.subarray(tally + 1 + i * ITEM, tally + 1 + i * ITEM + ITEM), i * HEAVY);
    return items;
  }

  /** Adds all of `from` to `into`; heavy counts keep their error bound. */
  merge(into: number, from: number): number {
    if (from === 0) return into;
    let target = into;
    const isHeavy = this.isHeavy(from);
    const items = sortedItems(this.items(from));
    for (const at of items.order) {
      const { values } = items;
      target = this.add(target, values[at] as number, values[at + 1] as number, values[at + 2] as number, values[at + 3] as number);
      if ((values[at + 4] as number) > 0 && this.isHeavy(target))
        this.#addOver(target, values[at] as number, values[at + 1] as number, values[at + 4] as number);
    }
    if (isHeavy) {
      if (!this.isHeavy(target)) {
        const size = (this.#ints[target] as number) & 0xff;
        const klass = (this.#ints[target] as number) >>> 8;
        const heavy = this.#makeHeavy(target, size);
        this.#release(target, klass);
        target = heavy;
      }
      const a = (target + 1 + TALLY_ITEMS_MAX * HEAVY) * 4;
      const b = (from + 1 + TALLY_ITEMS_MAX * HEAVY) * 4;
      for (let i = 0; i < HLL_REGISTERS; i++) {
        const rank = this.#registers[b + i] as number;
        if (rank > (this.#registers[a + i] as number)) this.#registers[a + i] = rank;
      }
    }
    return target;
  }

  encode(tally: number, out: ByteWriter, areTextsAll: boolean, textOf: (hi: number, lo: number) => string | undefined): void {
    const isHeavy = this.#ints[tally] === HEAVY_HEADER;
    const values = isHeavy ? this.#heavyItems(tally) : this.#ints;
    const stride = isHeavy ? HEAVY : ITEM;
    const first = isHeavy ? 0 : tally + 1;
    const size = isHeavy ? TALLY_ITEMS_MAX : (values[tally] as number) & 0xff;
    const registersAt = (tally + 1 + TALLY_ITEMS_MAX * HEAVY) * 4;
    const order = ORDER;
    let used = 0;
    for (let i = 0; i < size; i++) {
      const at = first + i * stride;
      if (isHeavy && values[at + 2] === 0) continue;
      // Insertion by the canonical order: heaviest first, then by hash.
      let j = used++;
      while (j > 0 && isBefore(values, at, order[j - 1] as number)) {
        order[j] = order[j - 1] as number;
        j--;
      }
      order[j] = at;
    }
    encodeTallyHead(out, used, isHeavy ? this.#registers.subarray(registersAt, registersAt + HLL_REGISTERS) : undefined);
    for (let i = 0; i < used; i++) {
      const at = order[i] as number;
      const hi = values[at] as number;
      const lo = values[at + 1] as number;
      const text = areTextsAll || i < TALLY_TEXTS_MAX ? textOf(hi, lo) : undefined;
      encodeTallyItem(out, hi, lo, text, values[at + 2] as number, values[at + 3] as number, isHeavy ? (values[at + 4] as number) : 0, isHeavy);
    }
  }

  /** Rebuilds a tally from its stored form. */
  restore(tally: Tally): number {
    if (tally.registers === undefined) {
      let offset = 0;
      for (const item of tally.items) offset = this.add(offset, item.hi, item.lo, item.count, item.failed);
      return offset;
    }
    const heavy = this.#allocate(CLASSES);
    this.#ints.fill(0, heavy, heavy + HEAVY_BLOCK);
    this.#ints[heavy] = HEAVY_HEADER;
    tally.items.forEach((item: TallyItem, index) => {
      this.#putHeavy(heavy + index, item.hi, item.lo, item.count, item.failed, item.over);
    });
    this.#registers.set(tally.registers, (heavy + 1 + TALLY_ITEMS_MAX * HEAVY) * 4);
    return heavy;
  }

  #putItem(at: number, hi: number, lo: number, count: number, failed: number): void {
    const ints = this.#ints;
    ints[at] = hi;
    ints[at + 1] = lo;
    ints[at + 2] = count;
    ints[at + 3] = failed;
  }

  #makeHeavy(tally: number, size: number): number {
    const heavy = this.#allocate(CLASSES);
    const ints = this.#ints;
    ints.fill(0, heavy, heavy + HEAVY_BLOCK);
    ints[heavy] = HEAVY_HEADER;
    for (let i = 0; i < size; i++) {
      const from = tally + 1 + i * ITEM;
      this.#putHeavy(heavy + i, ints[from] as number, ints[from + 1] as number, ints[from + 2] as number, ints[from + 3] as number, 0);
      this.#register(heavy, ints[from] as number, ints[from + 1] as number);
    }
    return heavy;
  }

  #register(heavy: number, hi: number, lo: number): void {
    const at = (heavy + 1 + TALLY_ITEMS_MAX * HEAVY) * 4 + hllIndex(hi);
    const rank = hllRank(lo);
    if (rank > (this.#registers[at] as number)) this.#registers[at] = rank;
  }

  /** Space-saving: an unknown value takes the place of the lightest one and inherits its count as error bound. */
  #addHeavy(heavy: number, hi: number, lo: number, count: number, failed: number, over: number): void {
    this.#register(heavy, hi, lo);
    const ints = this.#ints;
    const first = heavy + LO;
    for (let at = first; at < first + TALLY_ITEMS_MAX; at++) {
      if (ints[at] === lo && ints[at + HI - LO] === hi && ints[at + COUNT - LO] !== 0) {
        ints[at + COUNT - LO] = (ints[at + COUNT - LO] as number) + count;
        ints[at + FAILED - LO] = (ints[at + FAILED - LO] as number) + failed;
        return;
      }
    }
    let lightest = heavy;
    let floor = ints[heavy + COUNT] as number;
    for (let at = heavy + 1; at < heavy + TALLY_ITEMS_MAX; at++) {
      const weight = ints[at + COUNT] as number;
      if (weight > floor) continue;
      // Among equals the last in the canonical order goes.
      if (weight === floor && !isHashAfter(ints, at, lightest)) continue;
      lightest = at;
      floor = weight;
    }
    this.#putHeavy(lightest, hi, lo, floor + count, failed, floor + over);
  }

  #putHeavy(at: number, hi: number, lo: number, count: number, failed: number, over: number): void {
    const ints = this.#ints;
    ints[at + LO] = lo;
    ints[at + HI] = hi;
    ints[at + COUNT] = count;
    ints[at + FAILED] = failed;
    ints[at + OVER] = over;
  }

  #heavyItems(heavy: number): Int32Array {
    const ints = this.#ints;
    for (let i = 0; i < TALLY_ITEMS_MAX; i++) {
      const at = heavy + i;
      HEAVY_ITEMS[i * HEAVY] = ints[at + HI] as number;
      HEAVY_ITEMS[i * HEAVY + 1] = ints[at + LO] as number;
      HEAVY_ITEMS[i * HEAVY + 2] = ints[at + COUNT] as number;
      HEAVY_ITEMS[i * HEAVY + 3] = ints[at + FAILED] as number;
      HEAVY_ITEMS[i * HEAVY + 4] = ints[at + OVER] as number;
    }
    return HEAVY_ITEMS;
  }

  #addOver(heavy: number, hi: number, lo: number, over: number): void {
    const ints = this.#ints;
    for (let at = heavy; at < heavy + TALLY_ITEMS_MAX; at++) {
      if (ints[at + LO] === lo && ints[at + HI] === hi) ints[at + OVER] = (ints[at + OVER] as number) + over;
    }
  }

  #allocate(klass: number): number {
    const free = this.#free[klass] as number;
    if (free !== 0) {
      this.#free[klass] = this.#ints[free] as number;
      return this.#header(free, klass);
    }
    const ints = klass === CLASSES ? HEAVY_BLOCK : 1 + (1 << klass) * ITEM;
    while (this.#length + ints > this.#ints.length) {
      const bigger = grown(this.#ints);
      this.#ints = bigger;
      this.#registers = new Uint8Array(bigger.buffer);
    }
    const at = this.#length;
    this.#length += ints;
    return this.#header(at, klass);
  }

  #header(at: number, klass: number): number {
    this.#ints[at] = klass << 8;
    return at;
  }

  #release(at: number, klass: number): void {
    this.#ints[at] = this.#free[klass] as number;
    this.#free[klass] = at;
  }
}

const ORDER = new Int32Array(TALLY_ITEMS_MAX);
const HEAVY_ITEMS = new Int32Array(TALLY_ITEMS_MAX * HEAVY);

function isHashAfter(ints: Int32Array, a: number, b: number): boolean {
  const hiA = ints[a + HI] as number;
  const hiB = ints[b + HI] as number;
  return hiA !== hiB ? hiA > hiB : (ints[a + LO] as number) > (ints[b + LO] as number);
}

/** Canonical order of `compareItems` on raw items. */
function isBefore(ints: Int32Array, a: number, b: number): boolean {
  const countA = ints[a + 2] as number;
  const countB = ints[b + 2] as number;
  if (countA !== countB) return countA > countB;
  if (ints[a] !== ints[b]) return (ints[a] as number) < (ints[b] as number);
  return (ints[a + 1] as number) < (ints[b + 1] as number);
}

function sortedItems(values: Int32Array): { readonly values: Int32Array; readonly order: readonly number[] } {
  const order: number[] = [];
  for (let at = 0; at < values.length; at += HEAVY) if (values[at + 2] !== 0) order.push(at);
  order.sort((a, b) => (isBefore(values, a, b) ? -1 : 1));
  return { values, order };
}
