import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCells, readCells } from '../../../core/cells.ts';
import { C, COUNTER_COUNT, emptyCounters, mergeCounters } from '../../../core/counters.ts';
import { HLL_REGISTERS, hllAdd } from '../../../core/sketch/hyperloglog.ts';
import { hashLanes, hashText } from '../../../core/hash.ts';
import { DIMENSIONS, Sketch, type Dimension } from '../../../core/sketch/sketch.ts';
import { CellsMerger } from '../../../storage/merge/cells-merger.ts';
import { EntitySum } from '../../../storage/merge/entity-sum.ts';
import { tallyOf } from '../../conformance/history.ts';

type Spec = { readonly counts: readonly number[]; readonly latencies: readonly number[]; readonly values: readonly (readonly [Dimension, number, number])[] };

const specArb: fc.Arbitrary<Spec> = fc.record({
  counts: fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 45 })), { minLength: COUNTER_COUNT, maxLength: COUNTER_COUNT }),
  latencies: fc.array(fc.nat(447), { maxLength: 6 }),
  values: fc.array(fc.tuple(fc.constantFrom(...DIMENSIONS.filter((dimension) => dimension !== 'network')), fc.nat(9), fc.integer({ min: 1, max: 50 })), {
    maxLength: 12,
  }),
});

function textOf(dimension: Dimension, value: number): string {
  if (dimension !== 'address') return `${dimension}-${value} ü`;
  return value % 4 === 3 ? `2001:db8:${value}::1` : `203.0.${value % 3}.${value + 100}`;
}

function cellsOf(spec: Spec): Uint8Array {
  const counters = emptyCounters();
  spec.counts.forEach((value, index) => (counters[index] = value));
  counters[C.last] = (counters[C.first] ?? 0) + (spec.counts[C.last] ?? 0);
  const sketch = new Sketch();
  for (const bucket of spec.latencies) sketch.latency.add(bucket, bucket + 1);
  for (const dimension of DIMENSIONS) {
    const counts = new Map<string, number>();
    for (const [of, value, count] of spec.values) if (of === dimension) counts.set(textOf(of, value), (counts.get(textOf(of, value)) ?? 0) + count);
    if (counts.size > 0) sketch.tallies.set(dimension, tallyOf(counts));
  }
  return encodeCells(counters, sketch);
}

/** Merged as `core` defines it, one after the other. */
function reference(group: readonly Uint8Array[]): Uint8Array {
  const [first, ...rest] = group.map(readCells);
  if (first === undefined) throw new Error('an empty group');
  for (const { counters, sketch } of rest) {
    mergeCounters(first.counters, counters);
    first.sketch.merge(sketch);
  }
  return encodeCells(first.counters, first.sketch);
}

/** A window in which each address made `count` requests; merged by `core` from sets that are exact. */
function addresses(from: number, to: number, count = 1): Uint8Array {
  const sketch = new Sketch();
  for (let start = from; start < to; start += 32) {
    const part = new Sketch();
    part.tallies.set('address', tallyOf(new Map(Array.from({ length: Math.min(32, to - start) }, (_, i) => [addressOf(start + i), count]))));
    sketch.merge(part);
  }
  return encodeCells(emptyCounters(), sketch);
}

function addressOf(i: number): string {
  return `10.${i >> 8}.${i & 255}.7`;
}

function registersOf(texts: Iterable<string>): Uint8Array {
  const registers = new Uint8Array(HLL_REGISTERS);
  for (const text of texts) {
    hashText(text);
    hllAdd(registers, hashLanes.hi, hashLanes.lo);
  }
  return registers;
}

describe('merging packed windows', () => {
  const merger = new CellsMerger();

  test('gives the bytes that decoding and merging gives, while every set is exact', () => {
    fc.assert(
      fc.property(fc.array(specArb, { minLength: 1, maxLength: 6 }), (specs) => {
        const group = specs.map(cellsOf);
        expect(Buffer.from(merger.merge(group)).toString('hex')).toBe(Buffer.from(reference(group)).toString('hex'));
        expect([...merger.counters]).toEqual([...readCells(reference(group)).counters]);
      }),
      { numRuns: 300 },
    );
  });

  test('does not depend on the order, and not on what was merged before, exact or not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 9 })), { minLength: 2, maxLength: 6 }), fc.nat(5), (ranges, turn) => {
        const group = ranges.map(([a, b, count]) => addresses(Math.min(a, b), Math.max(a, b) + 1, count));
        const turned = [...group.slice(turn), ...group.slice(0, turn)];
        const once = Buffer.from(merger.merge(group)).toString('hex');
        merger.merge([addresses(0, 200), addresses(100, 300)]);
        expect(Buffer.from(merger.merge(turned)).toString('hex')).toBe(once);
      }),
      { numRuns: 200 },
    );
  });

  test('above 32 values the distinct number is that of the union, networks too, and counts are within their stated error', () => {
    const level = (parts: readonly Uint8Array[]): Uint8Array => new CellsMerger().merge(parts);
    // Two levels, as minutes to hours to days: 10.0.0.7 in every window, the others now and then.
    const hours = Array.from({ length: 5 }, (_, hour) => level([addresses(0, 3, 40), addresses(hour * 50, hour * 50 + 45, 1), addresses(3, 20, 2)]));
    const { sketch } = readCells(level(hours));
    const seen = new Map<string, number>();
    for (let hour = 0; hour < 5; hour++) {
      for (const [from, to, count] of [
        [0, 3, 40],
        [hour * 50, hour * 50 + 45, 1],
        [3, 20, 2],
      ] as const) {
        for (let i = from; i < to; i++) seen.set(addressOf(i), (seen.get(addressOf(i)) ?? 0) + count);
      }
    }
    const tally = sketch.tally('address');
    expect(tally.registers).toEqual(registersOf(seen.keys()));
    expect(sketch.tally('network').registers).toEqual(registersOf(Array.from(seen.keys(), (address) => `${address.slice(0, -2)}.0/24`)));
    expect(tally.items).toHaveLength(32);
    for (const { text, count, over } of tally.items) {
      const truth = seen.get(text ?? '') ?? 0;
      expect({ text, isBelow: truth <= count, isAbove: truth >= count - over }).toEqual({ text, isBelow: true, isAbove: true });
    }
    expect(new Set(tally.items.slice(0, 3).map((item) => item.text))).toEqual(new Set(['10.0.0.7', '10.0.1.7', '10.0.2.7']));
  });

  test('exact windows that together hold more than 32 values keep exact counts for the heaviest', () => {
    const { sketch } = readCells(merger.merge([addresses(0, 30, 5), addresses(10, 40, 3)]));
    const top = sketch.tally('address').items.slice(0, 20);
    expect(top.map((item) => [item.count, item.over])).toEqual(Array.from({ length: 20 }, () => [8, 0]));
  });
});

describe('the sum of an entity', () => {
  test('counts addresses as the merged sketch does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(90), fc.nat(90)), { minLength: 1, maxLength: 5 }), (ranges) => {
        const group = ranges.map(([a, b]) => addresses(Math.min(a, b), Math.max(a, b) + 1));
        const sum = new EntitySum();
        for (const cells of group) sum.add(cells);
        expect(sum.addresses()).toBe(readCells(new CellsMerger().merge(group)).sketch.tally('address').distinct());
      }),
      { numRuns: 100 },
    );
  });
});
