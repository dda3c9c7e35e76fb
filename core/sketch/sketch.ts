import type { ByteReader, ByteWriter } from '../bytes.ts';
import { networkOf } from '../network.ts';
import { hashLanes, hashText } from '../hash.ts';
import { LatencyHistogram } from './latency.ts';
import { Tally, type TallyItem, compareItems } from './tally.ts';

/**
 * What is counted by value. `object` is the last identifier in the path, by hash only; `attempted` exists on
 * network entities: the fingerprints that failed to authenticate from there.
 */
export const DIMENSIONS = ['address', 'network', 'asn', 'country', 'agent', 'route', 'object', 'attempted'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Addresses and networks keep all their texts: they are short, and networks are derived from them. */
export function areTextsAll(dimension: Dimension): boolean {
  return dimension === 'address' || dimension === 'network';
}

/** The latency histogram and the tallies of one window. */
export class Sketch {
  latency = new LatencyHistogram();
  readonly tallies = new Map<Dimension, Tally>();

  tally(dimension: Dimension): Tally {
    const stored = this.tallies.get(dimension);
    if (stored !== undefined) return stored;
    // While the addresses are exact, the networks follow from them and are not stored.
    if (dimension === 'network') return networksOf(this.tallies.get('address') ?? new Tally());
    return new Tally();
  }

  merge(other: Sketch): void {
    const networks = mergedNetworks(this, other);
    this.latency.merge(other.latency);
    for (const [dimension, tally] of other.tallies) {
      if (dimension === 'network') continue;
      const mine = this.tallies.get(dimension);
      if (mine === undefined) this.tallies.set(dimension, new Tally([...tally.items], tally.registers?.slice()));
      else mine.merge(tally);
    }
    this.tallies.delete('network');
    if (this.tallies.get('address')?.isExact === false) this.tallies.set('network', networks);
  }

  /** A section per dimension: its number plus one, then the tally; 0 ends. */
  encode(out: ByteWriter): void {
    this.latency.encode(out);
    DIMENSIONS.forEach((dimension, index) => {
      const tally = this.tallies.get(dimension);
      if (tally === undefined || tally.items.length === 0) return;
      out.byte(index + 1);
      tally.encode(out, areTextsAll(dimension));
    });
    out.byte(0);
  }

  static decode(input: ByteReader): Sketch {
    const sketch = new Sketch();
    sketch.latency = LatencyHistogram.decode(input);
    for (;;) {
      const section = input.byte();
      if (section === 0) return sketch;
      sketch.tallies.set(DIMENSIONS[section - 1] as Dimension, Tally.decode(input));
    }
  }
}

function mergedNetworks(a: Sketch, b: Sketch): Tally {
  const mine = a.tally('network');
  const merged = new Tally([...mine.items], mine.registers?.slice());
  merged.merge(b.tally('network'));
  return merged;
}

/** Folds an exact tally of addresses into one of networks. */
export function networksOf(addresses: Tally): Tally {
  const byNetwork = new Map<string, TallyItem>();
  for (const item of addresses.items) {
    const text = networkOf(item.text ?? '');
    hashText(text);
    const before = byNetwork.get(text);
    byNetwork.set(text, {
      hi: hashLanes.hi,
      lo: hashLanes.lo,
      text,
      count: (before?.count ?? 0) + item.count,
      failed: (before?.failed ?? 0) + item.failed,
      over: 0,
    });
  }
  return new Tally([...byNetwork.values()].sort(compareItems));
}
