import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashLanes, hashText } from '../../../core/hash.ts';
import { Tally } from '../../../core/sketch/tally.ts';
import { DistinctUnion, distinctOfSet, encodeSet } from '../../../detectors/ledger/distinct.ts';

function tallyOf(values: Iterable<string>): Tally {
  const tally = new Tally();
  for (const text of values) {
    hashText(text);
    tally.merge(new Tally([{ hi: hashLanes.hi, lo: hashLanes.lo, text, count: 1, failed: 1, over: 0 }]));
  }
  return tally;
}

test('small sets are counted exactly, however they overlap', () => {
  const union = new DistinctUnion();
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 32 }), { maxLength: 30 }), (sets) => {
      union.reset();
      for (const set of sets) union.add(encodeSet(tallyOf(set.map(String))));
      expect(union.count()).toBe(new Set(sets.flat()).size);
      expect(union.isExact).toBe(true);
    }),
  );
});

test('more than 4,096 hashes are estimated within four standard errors', () => {
  const union = new DistinctUnion();
  union.reset();
  for (let i = 0; i < 400; i++) union.add(encodeSet(tallyOf(Array.from({ length: 32 }, (_, j) => `v${i * 16 + j}`))));
  // 400 sets that share half with the next: 399 * 16 + 32.
  expect(union.isExact).toBe(false);
  expect(Math.abs(union.count() - 6416)).toBeLessThan(6416 * 0.092);
});

test('an estimated set in between is united with the exact ones before and after it', () => {
  const union = new DistinctUnion();
  union.reset();
  const big = tallyOf(Array.from({ length: 1000 }, (_, i) => `big${i}`));
  expect(big.isExact).toBe(false);
  union.add(encodeSet(tallyOf(Array.from({ length: 30 }, (_, i) => `before${i}`))));
  union.add(encodeSet(big));
  union.add(encodeSet(tallyOf(Array.from({ length: 30 }, (_, i) => `after${i}`))));
  expect(union.isExact).toBe(false);
  expect(Math.abs(union.count() - 1060)).toBeLessThan(1060 * 0.092);
  union.reset();
  expect(union.count()).toBe(0);
  expect(union.isExact).toBe(true);
});

test('an encoded set knows its size', () => {
  expect(distinctOfSet(encodeSet(tallyOf(['a', 'b', 'c'])))).toBe(3);
});
