import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { decodeCounters, encodeCounters } from '../../core/cells.ts';
import { C, COUNTER_COUNT } from '../../core/counters.ts';
import { latencyBucket } from '../../core/sketch/latency.ts';
import { DIMENSIONS, Sketch, areTextsAll } from '../../core/sketch/sketch.ts';
import { type Minute, entityId } from '../../core/types.ts';
import { bump, grownLength, longer } from '../parse/hash-table.ts';
import type { Normaliser } from '../parse/normaliser.ts';
import type { EventCells } from '../parse/tokens.ts';
import { TERMS_OF, TEXT_OF, noText } from './dimension-terms.ts';
import { LatencyArena } from './latency-arena.ts';
import { TallyArena } from './tally-arena.ts';

const ADDRESS = DIMENSIONS.indexOf('address');
const NETWORK = DIMENSIONS.indexOf('network');
const ASN = DIMENSIONS.indexOf('asn');
const COUNTRY = DIMENSIONS.indexOf('country');
const AGENT = DIMENSIONS.indexOf('agent');
const ROUTE = DIMENSIONS.indexOf('route');
const OBJECT = DIMENSIONS.indexOf('object');
const ATTEMPTED = DIMENSIONS.indexOf('attempted');
const DIMENSION_COUNT = DIMENSIONS.length;
const TEXTS_ALL = DIMENSIONS.map(areTextsAll);
const NO_SLOT = -1;
const CHUNK_BYTES = 1 << 18;
/** More than all but the largest rows take; a larger one grows its chunk. */
const ROW_BYTES = 1 << 13;

/**
 * The (entity, window) cells of the open segment: counters, latency histogram and tallies in slabs indexed
 * by slot. No object per slot or per event; cleared whole at the segment's end.
 */
export class Slots {
  size = 0;
  window = new Int32Array(1024);
  owner = new Int32Array(1024);
  isDirty = new Uint8Array(1024);
  /** Slots that events made dirty since somebody set this to 0. */
  changed = 0;
  counters = new Float64Array(1024 * COUNTER_COUNT);
  #latency = new Int32Array(1024);
  #tally = new Int32Array(1024 * DIMENSION_COUNT);
  readonly #tallies = new TallyArena();
  readonly #latencies = new LatencyArena();
  /** Open addressing over (window, owner): slot + 1. */
  #table = new Int32Array(4096);
  #mask = 4095;
  /** Per owner: the slot last used, to be checked before use. */
  #last = new Int32Array(1024).fill(NO_SLOT);
  #whole = new Int32Array(0);
  readonly #normaliser: Normaliser;
  /** Rows are packed behind one another in chunks that are handed out and never written again: an array of its own per row would cost more than packing it. */
  #out = new ByteWriter(CHUNK_BYTES);

  constructor(normaliser: Normaliser) {
    this.#normaliser = normaliser;
  }

  get bytes(): number {
    return this.counters.byteLength + this.#tally.byteLength + this.#table.byteLength + this.#tallies.bytes + this.#latencies.bytes;
  }

  clear(): void {
    this.changed = 0;
    this.isDirty.fill(0, 0, this.size);
    this.counters.fill(0, 0, this.size * COUNTER_COUNT);
    this.#latency.fill(0, 0, this.size);
    this.#tally.fill(0, 0, this.size * DIMENSION_COUNT);
    this.#table.fill(0);
    this.#last.fill(NO_SLOT);
    this.#whole.fill(NO_SLOT);
    this.#tallies.clear();
    this.#latencies.clear();
    this.size = 0;
  }

  /** The slot of (owner, window), made when there is none. */
  slot(owner: number, window: Minute): number {
    if (owner < this.#last.length) {
      const last = this.#last[owner] as number;
      if (last !== NO_SLOT && this.window[last] === window) return last;
    } else this.#growOwners(owner);
    let at = hash(owner, window) & this.#mask;
    for (;;) {
      const stored = this.#table[at] as number;
      if (stored === 0) break;
      const slot = stored - 1;
      if (this.owner[slot] === owner && this.window[slot] === window) {
        this.#last[owner] = slot;
        return slot;
      }
      at = (at + 1) & this.#mask;
    }
    const slot = this.size++;
    if (slot >= this.window.length) this.#growSlots();
    this.window[slot] = window;
    this.owner[slot] = owner;
    this.counters[slot * COUNTER_COUNT + C.first] = Number.POSITIVE_INFINITY;
    this.#table[at] = slot + 1;
    if (this.size * 2 > this.#mask) this.#growTable();
    if (window !== 0) this.#last[owner] = slot;
    return slot;
  }

  find(owner: number, window: Minute): number {
    let at = hash(owner, window) & this.#mask;
    for (;;) {
      const stored = this.#table[at] as number;
      if (stored === 0) return NO_SLOT;
      if (this.owner[stored - 1] === owner && this.window[stored - 1] === window) return stored - 1;
      at = (at + 1) & this.#mask;
    }
  }

  /** Counts one event in a slot, without its histogram and tallies. */
  count(slot: number, event: EventCells): void {
    if (this.isDirty[slot] === 0) {
      this.isDirty[slot] = 1;
      this.changed++;
    }
    const counters = this.counters;
    const base = slot * COUNTER_COUNT;
    counters[base] = (counters[base] as number) + 1;
    const status = event.status;
    if (status === 0) bump(counters, base + 6, 1);
    else {
      const klass = (status / 100) | 0;
      bump(counters, base + klass, 1);
      if (status >= 400) {
        if (status === 401) {
          bump(counters, base + 7, 1);
          bump(counters, base + 10, 1);
        } else if (status === 403) {
          bump(counters, base + 8, 1);
          bump(counters, base + 10, 1);
        } else if (status === 429) bump(counters, base + 9, 1);
      }
    }
    if (event.bytesIn >= 0) {
      bump(counters, base + 11, event.bytesIn);
      bump(counters, base + 13, 1);
    }
    if (event.bytesOut >= 0) {
      bump(counters, base + 12, event.bytesOut);
      bump(counters, base + 14, 1);
    }
    const latency = event.latencyUs;
    if (latency >= 0) {
      bump(counters, base + 15, 1);
      bump(counters, base + 16, latency);
      if (latency > (counters[base + 17] as number)) counters[base + 17] = latency;
    }
    if (event.access === 1) bump(counters, base + 18, 1);
    else if (event.access === 2) bump(counters, base + 19, 1);
    const at = event.at;
    if (at < (counters[base + 20] as number)) counters[base + 20] = at;
    if (at > (counters[base + 21] as number)) counters[base + 21] = at;
  }

  /** Counts the client's address only. */
  sketchAddress(slot: number, event: EventCells): void {
    if (event.address === 0) return;
    const terms = this.#normaliser.addresses;
    const at = slot * DIMENSION_COUNT + ADDRESS;
    this.#tally[at] = this.#tallies.add(
      this.#tally[at] as number,
      terms.hi[event.address] as number,
      terms.lo[event.address] as number,
      1,
      event.status >= 400 ? 1 : 0,
    );
  }

  /** Counts one event in a slot's histogram and tallies. `attempted` is the owner number of the refused credential, for network rows; else -1. */
  sketch(slot: number, event: EventCells, attempted: number): void {
    const { latencyUs } = event;
    if (latencyUs >= 0) this.#latency[slot] = this.#latencies.add(this.#latency[slot] as number, latencyBucket(latencyUs), 1);
    const failed = event.status >= 400 ? 1 : 0;
    const tally = this.#tally;
    const base = slot * DIMENSION_COUNT;
    const tallies = this.#tallies;
    const normaliser = this.#normaliser;
    if (event.address !== 0) {
      const terms = normaliser.addresses;
      const before = tally[base + ADDRESS] as number;
      const wasHeavy = tallies.isHeavy(before);
      if (wasHeavy) this.#countNetwork(base, event.address, 1, failed);
      const after = tallies.add(before, terms.hi[event.address] as number, terms.lo[event.address] as number, 1, failed);
      if (after !== before) {
        tally[base + ADDRESS] = after;
        // The addresses have just become an estimate: from here on the networks are counted by themselves.
        if (!wasHeavy && tallies.isHeavy(after)) this.#startNetworks(base, after);
      }
    }
    if (event.asn !== 0) {
      const terms = normaliser.asns;
      tally[base + ASN] = tallies.add(tally[base + ASN] as number, terms.hi[event.asn] as number, terms.lo[event.asn] as number, 1, failed);
    }
    if (event.country !== 0) {
      const terms = normaliser.countries;
      tally[base + COUNTRY] = tallies.add(tally[base + COUNTRY] as number, terms.hi[event.country] as number, terms.lo[event.country] as number, 1, failed);
    }
    if (event.agent !== 0) {
      const terms = normaliser.agents;
      tally[base + AGENT] = tallies.add(tally[base + AGENT] as number, terms.hi[event.agent] as number, terms.lo[event.agent] as number, 1, failed);
    }
    if (event.route !== 0) {
      const terms = normaliser.routes.terms;
      tally[base + ROUTE] = tallies.add(tally[base + ROUTE] as number, terms.hi[event.route] as number, terms.lo[event.route] as number, 1, failed);
    }
    if ((event.objectHi | event.objectLo) !== 0) {
      tally[base + OBJECT] = tallies.add(tally[base + OBJECT] as number, event.objectHi, event.objectLo, 1, failed);
    }
    if (attempted >= 0) {
      const owners = normaliser.owners;
      tally[base + ATTEMPTED] = tallies.add(tally[base + ATTEMPTED] as number, owners.hi[attempted] as number, owners.lo[attempted] as number, 1, 1);
    }
  }

  #countNetwork(base: number, address: number, count: number, failed: number): void {
    const number = this.#normaliser.networkNumber(address);
    const terms = this.#normaliser.networks;
    this.#tally[base + NETWORK] = this.#tallies.add(
      this.#tally[base + NETWORK] as number,
      terms.hi[number] as number,
      terms.lo[number] as number,
      count,
      failed,
    );
  }

  #startNetworks(base: number, addresses: number): void {
    const items = this.#tallies.items(addresses);
    for (let at = 0; at < items.length; at += 5) {
      const address = this.#normaliser.addresses.indexOf(items[at] as number, items[at + 1] as number);
      // A newcomer carries its predecessor's count as error bound: only what is its own is counted.
      const own = (items[at + 2] as number) - (items[at + 4] as number);
      if (address > 0) this.#countNetwork(base, address, own, items[at + 3] as number);
    }
  }

  /** The slot of an owner's whole segment: sketches are counted there, its counters are added up by `addUpWhole`. */
  whole(owner: number): number {
    if (owner >= this.#whole.length) {
      const bigger = new Int32Array(Math.max(this.#whole.length * 2, owner + 1)).fill(NO_SLOT);
      bigger.set(this.#whole);
      this.#whole = bigger;
    }
    let slot = this.#whole[owner] as number;
    if (slot === NO_SLOT) {
      slot = this.slot(owner, 0);
      this.#whole[owner] = slot;
    }
    this.isDirty[slot] = 1;
    return slot;
  }

  /** Makes the counters of every whole-segment slot the sums of its owner's windows. */
  addUpWhole(): void {
    const { counters } = this;
    for (const slot of this.#whole) {
      if (slot === NO_SLOT) continue;
      counters.fill(0, slot * COUNTER_COUNT, (slot + 1) * COUNTER_COUNT);
      counters[slot * COUNTER_COUNT + C.first] = Number.POSITIVE_INFINITY;
    }
    for (let slot = 0; slot < this.size; slot++) {
      const whole = this.window[slot] === 0 ? NO_SLOT : (this.#whole[this.owner[slot] as number] ?? NO_SLOT);
      if (whole !== NO_SLOT) this.#mergeCounters(whole, slot);
    }
  }

  /** Empties a slot and gives its lists back. */
  reset(slot: number): void {
    const base = slot * COUNTER_COUNT;
    this.counters.fill(0, base, base + COUNTER_COUNT);
    this.counters[base + C.first] = Number.POSITIVE_INFINITY;
    this.#latencies.free(this.#latency[slot] as number);
    this.#latency[slot] = 0;
    for (let d = slot * DIMENSION_COUNT; d < (slot + 1) * DIMENSION_COUNT; d++) {
      this.#tallies.free(this.#tally[d] as number);
      this.#tally[d] = 0;
    }
  }

  /** Adds a slot's values to another one's. */
  merge(into: number, from: number): void {
    this.#mergeCounters(into, from);
    this.#latency[into] = this.#latencies.merge(this.#latency[into] as number, this.#latency[from] as number);
    const base = into * DIMENSION_COUNT;
    const wasHeavy = this.#tallies.isHeavy(this.#tally[base + ADDRESS] as number);
    const other = this.#tally[from * DIMENSION_COUNT + ADDRESS] as number;
    if (wasHeavy) this.#mergeNetworks(base, from * DIMENSION_COUNT);
    for (let d = 0; d < DIMENSION_COUNT; d++) {
      if (d !== NETWORK) this.#tally[base + d] = this.#tallies.merge(this.#tally[base + d] as number, this.#tally[from * DIMENSION_COUNT + d] as number);
    }
    const mine = this.#tally[base + ADDRESS] as number;
    if (!wasHeavy && this.#tallies.isHeavy(mine)) {
      if (this.#tallies.isHeavy(other)) this.#mergeNetworks(base, from * DIMENSION_COUNT);
      else this.#startNetworks(base, mine);
    }
  }

  #mergeCounters(into: number, from: number): void {
    const { counters } = this;
    const a = into * COUNTER_COUNT;
    const b = from * COUNTER_COUNT;
    for (let i = 0; i < COUNTER_COUNT; i++) {
      const x = counters[a + i] as number;
      const y = counters[b + i] as number;
      counters[a + i] = i === C.first ? Math.min(x, y) : i === C.last || i === C.latencyMax ? Math.max(x, y) : x + y;
    }
  }

  #mergeNetworks(base: number, from: number): void {
    const networks = this.#tally[from + NETWORK] as number;
    if (networks !== 0) {
      this.#tally[base + NETWORK] = this.#tallies.merge(this.#tally[base + NETWORK] as number, networks);
      return;
    }
    const items = this.#tallies.items(this.#tally[from + ADDRESS] as number);
    for (let at = 0; at < items.length; at += 5) {
      const address = this.#normaliser.addresses.indexOf(items[at] as number, items[at + 1] as number);
      if (address > 0) this.#countNetwork(base, address, items[at + 2] as number, items[at + 3] as number);
    }
  }

  /** The packed form of a slot; equal state gives equal bytes. */
  encode(slot: number): Uint8Array {
    if (this.#out.length > CHUNK_BYTES - ROW_BYTES) this.#out = new ByteWriter(CHUNK_BYTES);
    const out = this.#out;
    const start = out.length;
    encodeCounters(this.counters, slot * COUNTER_COUNT, out);
    this.#latencies.encode(this.#latency[slot] as number, out);
    const base = slot * DIMENSION_COUNT;
    for (let d = 0; d < DIMENSION_COUNT; d++) {
      const tally = this.#tally[base + d] as number;
      if (tally === 0) continue;
      out.byte(d + 1);
      this.#tallies.encode(tally, out, TEXTS_ALL[d] as boolean, TEXT_OF[d]?.(this.#normaliser) ?? noText);
    }
    out.byte(0);
    return out.bytes.subarray(start, out.length);
  }

  /** Puts stored cells back into a slot. */
  restore(slot: number, cells: Uint8Array): void {
    const input = new ByteReader(cells);
    const counters = decodeCounters(input);
    this.counters.set(counters, slot * COUNTER_COUNT);
    const sketch = Sketch.decode(input);
    this.#latency[slot] = this.#latencies.restore(sketch.latency);
    for (const [dimension, tally] of sketch.tallies) {
      const d = DIMENSIONS.indexOf(dimension);
      const terms = TERMS_OF[d]?.(this.#normaliser);
      if (terms !== undefined) for (const item of tally.items) terms.restore(item.hi, item.lo, item.text);
      else if (d === ATTEMPTED) for (const item of tally.items) this.#restoreName(item.hi, item.lo, item.text);
      this.#tally[slot * DIMENSION_COUNT + d] = this.#tallies.restore(tally);
    }
  }

  #restoreName(hi: number, lo: number, text: string | undefined): void {
    const { owners } = this.#normaliser;
    if (text !== undefined && owners.nameOf(hi, lo) === undefined) owners.restore(entityId('key', text));
  }

  #growOwners(owner: number): void {
    const bigger = new Int32Array(Math.max(this.#last.length * 2, owner + 1)).fill(NO_SLOT);
    bigger.set(this.#last);
    this.#last = bigger;
  }

  /** All to one number of slots: what is written behind an array's end is lost without a word. */
  #growSlots(): void {
    const slots = grownLength(this.window.length);
    this.window = longer(this.window, slots);
    this.owner = longer(this.owner, slots);
    this.isDirty = longer(this.isDirty, slots);
    this.counters = longer(this.counters, slots * COUNTER_COUNT);
    this.#latency = longer(this.#latency, slots);
    this.#tally = longer(this.#tally, slots * DIMENSION_COUNT);
  }

  #growTable(): void {
    const table = new Int32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let slot = 0; slot < this.size; slot++) {
      let at = hash(this.owner[slot] as number, this.window[slot] as number) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = slot + 1;
    }
    this.#table = table;
    this.#mask = mask;
  }
}

function hash(owner: number, window: number): number {
  let h = Math.imul(owner, 0x9e3779b1) ^ Math.imul(window, 0x85ebca6b);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 7;
}
