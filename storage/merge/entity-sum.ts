import { ByteReader } from '../../core/bytes.ts';
import { type Counters, emptyCounters } from '../../core/counters.ts';
import { hashLanes } from '../../core/hash.ts';
import { HLL_REGISTERS, hllAdd, hllDecode, hllEstimate, hllMerge } from '../../core/sketch/hyperloglog.ts';
import { DIMENSIONS } from '../../core/sketch/sketch.ts';
import { TALLY_ITEMS_MAX } from '../../core/sketch/tally.ts';
import { LatencyMerger } from './latency-merger.ts';
import { mergePackedCounters } from './packed-counters.ts';
import { readItemHash, skipItemCounts, viewOf } from './tally-merger.ts';

const ADDRESS_SECTION = DIMENSIONS.indexOf('address') + 1;

/** What a table of totals shows of one entity: its counters, and how many addresses it came from. Small: there can be a million. */
export class EntitySum {
  readonly counters: Counters = emptyCounters();
  /** Pairs of hash lanes, while there are at most 32. */
  #lanes: number[] = [];
  #registers: Uint8Array | undefined;

  add(cells: Uint8Array): void {
    const input = new ByteReader(cells);
    mergePackedCounters(input, this.counters);
    LatencyMerger.skip(input);
    // Sections are in the order of their dimensions, and addresses are the first one.
    if (input.byte() === ADDRESS_SECTION) this.#addAddresses(input);
  }

  /** Exact to 32, then estimated. */
  addresses(): number {
    return this.#registers === undefined ? this.#lanes.length / 2 : Math.max(TALLY_ITEMS_MAX, Math.round(hllEstimate(this.#registers)));
  }

  #addAddresses(input: ByteReader): void {
    const head = input.varint();
    const isInexact = (head & 1) === 1;
    if (isInexact) hllMerge(this.#estimating(), hllDecode(input));
    const view = viewOf(input.bytes);
    for (let i = head >>> 1; i > 0; i--) {
      readItemHash(input, view);
      this.#addHash(hashLanes.hi, hashLanes.lo);
      skipItemCounts(input, isInexact);
    }
  }

  #addHash(hi: number, lo: number): void {
    if (this.#registers !== undefined) {
      hllAdd(this.#registers, hi, lo);
      return;
    }
    for (let i = 0; i < this.#lanes.length; i += 2) if (this.#lanes[i] === hi && this.#lanes[i + 1] === lo) return;
    this.#lanes.push(hi, lo);
    if (this.#lanes.length > TALLY_ITEMS_MAX * 2) this.#estimating();
  }

  #estimating(): Uint8Array {
    if (this.#registers !== undefined) return this.#registers;
    const registers = new Uint8Array(HLL_REGISTERS);
    for (let i = 0; i < this.#lanes.length; i += 2) hllAdd(registers, this.#lanes[i] as number, this.#lanes[i + 1] as number);
    this.#lanes = [];
    this.#registers = registers;
    return registers;
  }
}
