import { hashView, hashLanes, hashText } from '../../core/hash.ts';
import { HashTable, grown } from './hash-table.ts';

/**
 * The values of one dimension: bytes as a log spells them to a small integer, with the canonical text and
 * its 64-bit hash. Different spellings (ports, upper case, control characters) share one number. Number 0 is
 * "none". Identity is the hash: at 64 bits a chance collision among a million values has probability 3e-8,
 * and it would merge two rows of a top list, never an entity.
 */
export class Terms {
  readonly #table = new HashTable(4096);
  readonly #canonical: (raw: string) => string;
  hi = new Int32Array(1024);
  lo = new Int32Array(1024);
  texts: (string | undefined)[] = [''];

  constructor(canonical: (raw: string) => string) {
    this.#canonical = canonical;
  }

  get size(): number {
    return this.texts.length;
  }

  /** The number of the value spelled by `bytes[start, end)`. */
  intern(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    if (end <= start) return 0;
    hashView(bytes, view, start, end);
    const found = this.#table.find(hashLanes.hi, hashLanes.lo);
    return found >= 0 ? found : this.#learn(bytes, start, end, hashLanes.hi, hashLanes.lo);
  }

  /** The number of the value spelled by `text`. */
  internText(text: string): number {
    const bytes = Buffer.from(text);
    return this.intern(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
  }

  /** The number of a canonical text, with or without knowing the text itself (restored rows know hashes only). */
  restore(hi: number, lo: number, text: string | undefined): number {
    const found = this.#table.find(hi, lo);
    if (found >= 0) {
      this.texts[found] ??= text;
      return found;
    }
    return this.#add(hi, lo, text);
  }

  textOf(hi: number, lo: number): string | undefined {
    const found = this.#table.find(hi, lo);
    return found < 0 ? undefined : this.texts[found];
  }

  indexOf(hi: number, lo: number): number {
    return this.#table.find(hi, lo);
  }

  clear(): void {
    this.#table.clear();
    this.texts = [''];
  }

  #learn(bytes: Uint8Array, start: number, end: number, rawHi: number, rawLo: number): number {
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
    const text = this.#canonical(raw);
    if (text === '') {
      this.#table.insert(rawHi, rawLo, 0);
      return 0;
    }
    hashText(text);
    const index = this.restore(hashLanes.hi, hashLanes.lo, text);
    if (this.hi[index] !== rawHi || this.lo[index] !== rawLo) this.#table.insert(rawHi, rawLo, index);
    return index;
  }

  #add(hi: number, lo: number, text: string | undefined): number {
    const index = this.texts.length;
    if (index >= this.hi.length) {
      this.hi = grown(this.hi);
      this.lo = grown(this.lo);
    }
    this.hi[index] = hi;
    this.lo[index] = lo;
    this.texts.push(text);
    this.#table.insert(hi, lo, index);
    return index;
  }
}
