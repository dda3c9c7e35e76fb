import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { hashLanes, hashView } from '../../core/hash.ts';
import { HLL_REGISTERS, hllAdd, hllDecode, hllMerge } from '../../core/sketch/hyperloglog.ts';
import { TALLY_ITEMS_MAX, TALLY_TEXTS_MAX, encodeTallyHead } from '../../core/sketch/tally.ts';

const SLOTS_MIN = 64;
/** Marks an item of which only the hash is known. */
const NO_TEXT = new Uint8Array(0);
/** `255.255.255.255`. */
const IPV4_TEXT_MAX = 15;
const ipv4Text = new Uint8Array(IPV4_TEXT_MAX);
const ipv4View = viewOf(ipv4Text);

/**
 * Merges packed tallies of one dimension without decoding their texts. While every input is exact and no more
 * than 32 values occur, the result is byte for byte that of `Tally.merge`. Above, all inputs are merged in one
 * step: the counts of exact inputs stay exact and the order of the inputs does not matter, where merging two
 * by two would cut to 32 values each time and add an error each time.
 */
export class TallyMerger {
  #size = 0;
  #hi = new Int32Array(SLOTS_MIN);
  #lo = new Int32Array(SLOTS_MIN);
  #count = new Float64Array(SLOTS_MIN);
  #failed = new Float64Array(SLOTS_MIN);
  #over = new Float64Array(SLOTS_MIN);
  /** Sum of the floors of those inputs that show this item. */
  #floorSeen = new Float64Array(SLOTS_MIN);
  /** The text as it is packed, with its length in front; empty when it is known by hash only. */
  #text: Uint8Array[] = [];
  /** Open addressing over the items: index plus one, 0 is free. */
  #slots = new Int32Array(SLOTS_MIN * 2);
  /** A value that a full input does not show may still have been seen there up to its smallest count. */
  #floor = 0;
  #registers: Uint8Array | undefined;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get isExact(): boolean {
    return this.#registers === undefined && this.#size <= TALLY_ITEMS_MAX;
  }

  clear(): void {
    if (this.#size > 0) this.#slots.fill(0);
    this.#size = 0;
    this.#floor = 0;
    this.#registers = undefined;
  }

  /** `view` is a view of the reader's bytes. */
  add(input: ByteReader, view: DataView): void {
    const head = input.varint();
    const size = head >>> 1;
    const isInexact = (head & 1) === 1;
    if (isInexact) {
      const registers = hllDecode(input);
      if (this.#registers === undefined) this.#registers = registers;
      else hllMerge(this.#registers, registers);
    }
    const seen: number[] = [];
    let smallest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < size; i++) {
      const index = this.#readItem(input, view);
      const countAndFlag = input.varint();
      const count = Math.floor(countAndFlag / 2);
      this.#count[index] = (this.#count[index] as number) + count;
      if (countAndFlag % 2 === 1) this.#failed[index] = (this.#failed[index] as number) + input.varint();
      if (!isInexact) continue;
      this.#over[index] = (this.#over[index] as number) + input.varint();
      if (count < smallest) smallest = count;
      seen.push(index);
    }
    if (!isInexact || size < TALLY_ITEMS_MAX) return;
    this.#floor += smallest;
    for (const index of seen) this.#floorSeen[index] = (this.#floorSeen[index] as number) + smallest;
  }

  /** The merged tally, in canonical form. */
  encode(out: ByteWriter, areTextsAll: boolean): void {
    const isExact = this.isExact;
    const items = this.#heaviest();
    encodeTallyHead(out, items.length, isExact ? undefined : this.#allRegisters());
    items.forEach((index, rank) => {
      const text = this.#text[index] as Uint8Array;
      if (text.length > 0 && (areTextsAll || rank < TALLY_TEXTS_MAX)) out.raw(text);
      else {
        out.byte(0);
        out.int32(this.#hi[index] as number);
        out.int32(this.#lo[index] as number);
      }
      const failed = this.#failed[index] as number;
      const missed = this.#floor - (this.#floorSeen[index] as number);
      out.varint(((this.#count[index] as number) + missed) * 2 + (failed === 0 ? 0 : 1));
      if (failed !== 0) out.varint(failed);
      if (!isExact) out.varint((this.#over[index] as number) + missed);
    });
  }

  #allRegisters(): Uint8Array {
    const registers = this.#registers ?? new Uint8Array(HLL_REGISTERS);
    for (let i = 0; i < this.#size; i++) hllAdd(registers, this.#hi[i] as number, this.#lo[i] as number);
    return registers;
  }

  /** Indices of the heaviest 32 items in canonical order: by count, then by hash. */
  #heaviest(): number[] {
    const best: number[] = [];
    for (let i = 0; i < this.#size; i++) {
      if (best.length === TALLY_ITEMS_MAX && !this.#isBefore(i, best[TALLY_ITEMS_MAX - 1] as number)) continue;
      let at = best.length === TALLY_ITEMS_MAX ? TALLY_ITEMS_MAX - 1 : best.length;
      for (; at > 0 && this.#isBefore(i, best[at - 1] as number); at--) best[at] = best[at - 1] as number;
      best[at] = i;
    }
    return best;
  }

  #isBefore(a: number, b: number): boolean {
    const countA = (this.#count[a] as number) - (this.#floorSeen[a] as number);
    const countB = (this.#count[b] as number) - (this.#floorSeen[b] as number);
    if (countA !== countB) return countA > countB;
    const hiA = this.#hi[a] as number;
    const hiB = this.#hi[b] as number;
    return hiA !== hiB ? hiA < hiB : (this.#lo[a] as number) < (this.#lo[b] as number);
  }

  #readItem(input: ByteReader, view: DataView): number {
    const start = input.position;
    const hasText = readItemHash(input, view);
    return this.#find(hashLanes.hi, hashLanes.lo, input.bytes, start, hasText ? input.position : start);
  }

  /** The item of a hash, made when new; remembers its packed text `bytes[start, end)`. */
  #find(hi: number, lo: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    let slot = lo & mask;
    for (;;) {
      const index = (this.#slots[slot] as number) - 1;
      if (index < 0) break;
      if (this.#hi[index] === hi && this.#lo[index] === lo) {
        if (end > start && (this.#text[index] as Uint8Array).length === 0) this.#text[index] = bytes.subarray(start, end);
        return index;
      }
      slot = (slot + 1) & mask;
    }
    const index = this.#size;
    this.#slots[slot] = index + 1;
    this.#hi[index] = hi;
    this.#lo[index] = lo;
    this.#count[index] = 0;
    this.#failed[index] = 0;
    this.#over[index] = 0;
    this.#floorSeen[index] = 0;
    this.#text[index] = end > start ? bytes.subarray(start, end) : NO_TEXT;
    this.#size = index + 1;
    if (this.#size === this.#hi.length) this.#grow();
    return index;
  }

  #grow(): void {
    const size = this.#hi.length * 2;
    this.#hi = grown(this.#hi, new Int32Array(size));
    this.#lo = grown(this.#lo, new Int32Array(size));
    this.#count = grown(this.#count, new Float64Array(size));
    this.#failed = grown(this.#failed, new Float64Array(size));
    this.#over = grown(this.#over, new Float64Array(size));
    this.#floorSeen = grown(this.#floorSeen, new Float64Array(size));
    this.#slots = new Int32Array(size * 2);
    for (let i = 0; i < this.#size; i++) {
      let slot = (this.#lo[i] as number) & (this.#slots.length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = i + 1;
    }
  }
}

function grown<T extends Int32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}

/** Passes over a packed tally. */
export function skipTally(input: ByteReader): void {
  const head = input.varint();
  const isInexact = (head & 1) === 1;
  if (isInexact) hllDecode(input);
  for (let i = head >>> 1; i > 0; i--) {
    const length = input.varint();
    input.position += length === 0 ? 8 : length === 1 ? 4 : length - 2;
    skipItemCounts(input, isInexact);
  }
}

export function skipItemCounts(input: ByteReader, isInexact: boolean): void {
  if (input.varint() % 2 === 1) input.varint();
  if (isInexact) input.varint();
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the value of a packed item into `hashLanes`; true when its text is stored too. */
export function readItemHash(input: ByteReader, view: DataView): boolean {
  const length = input.varint();
  if (length === 0) {
    hashLanes.hi = input.int32();
    hashLanes.lo = input.int32();
    return false;
  }
  if (length === 1) {
    const size = writeIpv4Text(input.bytes, input.position);
    input.position += 4;
    hashView(ipv4Text, ipv4View, 0, size);
    return true;
  }
  const start = input.position;
  input.position = start + length - 2;
  hashView(input.bytes, view, start, input.position);
  return true;
}

/** Writes the dotted text of four bytes into `ipv4Text`; returns its length. */
function writeIpv4Text(bytes: Uint8Array, position: number): number {
  let at = 0;
  for (let i = 0; i < 4; i++) {
    const octet = bytes[position + i] as number;
    if (i > 0) ipv4Text[at++] = 46;
    if (octet >= 100) ipv4Text[at++] = 48 + Math.floor(octet / 100);
    if (octet >= 10) ipv4Text[at++] = 48 + (Math.floor(octet / 10) % 10);
    ipv4Text[at++] = 48 + (octet % 10);
  }
  return at;
}
