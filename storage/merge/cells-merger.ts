import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { encodeCounters } from '../../core/cells.ts';
import { type Counters, emptyCounters } from '../../core/counters.ts';
import { DIMENSIONS, Sketch, areTextsAll } from '../../core/sketch/sketch.ts';
import { LatencyMerger } from './latency-merger.ts';
import { clearCounters, mergePackedCounters } from './packed-counters.ts';
import { TallyMerger, skipTally, viewOf } from './tally-merger.ts';

const ADDRESS = DIMENSIONS.indexOf('address');
const NETWORK = DIMENSIONS.indexOf('network');

/**
 * Merges packed windows of one entity on their bytes: what folding minutes into hours does hundreds of
 * thousands of times, five to ten times faster than decoding each sketch (test/bench/store.ts). One instance
 * is reused for all groups.
 */
export class CellsMerger {
  /** Counters of the last group. */
  readonly counters: Counters = emptyCounters();
  readonly #latency = new LatencyMerger();
  readonly #tallies = DIMENSIONS.map(() => new TallyMerger());
  readonly #out = new ByteWriter(4096);

  /** The packed merge of a group, and its counters in `counters`. A group of one is returned as it is. */
  merge(group: readonly Uint8Array[]): Uint8Array {
    clearCounters(this.counters);
    const [only] = group;
    if (only !== undefined && group.length === 1) {
      mergePackedCounters(new ByteReader(only), this.counters);
      return only;
    }
    this.#latency.clear();
    for (const tally of this.#tallies) tally.clear();
    for (const cells of group) this.#add(cells);
    this.#out.reset();
    encodeCounters(this.counters, 0, this.#out);
    this.#latency.encode(this.#out);
    this.#encodeTallies(group);
    return this.#out.take();
  }

  #add(cells: Uint8Array): void {
    const input = new ByteReader(cells);
    const view = viewOf(cells);
    mergePackedCounters(input, this.counters);
    this.#latency.add(input);
    for (let section = input.byte(); section !== 0; section = input.byte()) {
      if (section === NETWORK + 1) skipTally(input);
      else (this.#tallies[section - 1] as TallyMerger).add(input, view);
    }
  }

  #encodeTallies(group: readonly Uint8Array[]): void {
    // While the addresses are exact the networks follow from them and are not stored.
    if (!(this.#tallies[ADDRESS] as TallyMerger).isExact) this.#addNetworks(group);
    DIMENSIONS.forEach((dimension, index) => {
      const tally = this.#tallies[index] as TallyMerger;
      if (tally.isEmpty) return;
      this.#out.byte(index + 1);
      tally.encode(this.#out, areTextsAll(dimension));
    });
    this.#out.byte(0);
  }

  #addNetworks(group: readonly Uint8Array[]): void {
    const scratch = new ByteWriter();
    for (const cells of group) {
      const input = new ByteReader(cells);
      mergePackedCounters(input, emptyCounters());
      scratch.reset();
      Sketch.decode(input).tally('network').encode(scratch, true);
      const packed = scratch.take();
      (this.#tallies[NETWORK] as TallyMerger).add(new ByteReader(packed), viewOf(packed));
    }
  }
}
