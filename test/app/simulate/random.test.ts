import { describe, expect, test } from 'vitest';
import { hashLanes, hashText } from '../../../core/hash.ts';
import { Random, WeightedSampler, zipfWeights } from '../../../app/simulate/random.ts';

describe('random', () => {
  test('a seed and a stream name one sequence, and different ones different sequences', () => {
    const draw = (seed: number, stream: string): number[] => {
      const random = new Random(seed, stream);
      return Array.from({ length: 20 }, () => random.uint32());
    };
    expect(draw(1, 'a')).toEqual(draw(1, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(2, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
  });

  test('the generator is sfc32 as published, so that a seed means the same for ever', () => {
    // The published loop in 32-bit arithmetic of BigInt, seeded as ours is.
    hashText('42/golden');
    const mask = 0xffffffffn;
    let [a, b, c, counter] = [BigInt.asUintN(32, BigInt(hashLanes.hi)), BigInt.asUintN(32, BigInt(hashLanes.lo)), 0n, 1n];
    c = BigInt.asUintN(32, BigInt(Math.imul(hashLanes.hi ^ (hashLanes.lo >>> 7), 0x9e3779b1)));
    const reference = (): number => {
      const t = (a + b + counter) & mask;
      counter = (counter + 1n) & mask;
      a = b ^ (b >> 9n);
      b = (c + (c << 3n)) & mask;
      c = ((c << 21n) | (c >> 11n)) & mask;
      c = (c + t) & mask;
      return Number(t);
    };
    for (let i = 0; i < 16; i++) reference();
    const random = new Random(42, 'golden');
    for (let i = 0; i < 1_000; i++) expect(random.uint32()).toBe(reference());
  });

  test('draws have the mean and spread that they claim', () => {
    const random = new Random(7);
    const size = 40_000;
    const mean = (draw: () => number): number => Array.from({ length: size }, draw).reduce((sum, value) => sum + value, 0) / size;
    expect(mean(() => random.unit())).toBeCloseTo(0.5, 1);
    expect(mean(() => random.exponential(3))).toBeCloseTo(3, 0);
    expect(mean(() => random.normal())).toBeCloseTo(0, 1);
    expect(mean(() => random.normal() ** 2)).toBeCloseTo(1, 1);
    const logNormals = Array.from({ length: size }, () => random.logNormal(200, 0.5)).sort((a, b) => a - b);
    expect(Math.abs((logNormals[size / 2] ?? 0) - 200)).toBeLessThan(6);
  });

  test('between reaches both ends and nothing else', () => {
    const random = new Random(3);
    const seen = new Set(Array.from({ length: 500 }, () => random.between(2, 5)));
    expect([...seen].sort((a, b) => a - b)).toEqual([2, 3, 4, 5]);
  });

  test('a UUID is one of version 4', () => {
    const random = new Random(9);
    for (let i = 0; i < 100; i++) expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('weighted sampler', () => {
  test('each index comes as often as its weight says', () => {
    const weights = [5, 0, 1, 3, 1];
    const sampler = new WeightedSampler(weights);
    const random = new Random(5);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 100_000; i++) {
      const index = sampler.draw(random);
      counts[index] = (counts[index] ?? 0) + 1;
    }
    expect(counts[1]).toBe(0);
    weights.forEach((weight, index) => expect(Math.abs((counts[index] ?? 0) / 100_000 - weight / 10)).toBeLessThan(0.01));
  });

  test('one weight alone is always drawn, and no weight at all is a bug', () => {
    const random = new Random(1);
    expect(new WeightedSampler([3]).draw(random)).toBe(0);
    expect(() => new WeightedSampler([])).toThrow('BUG');
    expect(() => new WeightedSampler([0, 0])).toThrow('BUG');
  });

  test('Zipf with exponent 1: the tenth key makes a tenth of what the first one makes', () => {
    const weights = zipfWeights(10, 1);
    expect(weights[0]).toBe(1);
    expect(weights[9]).toBeCloseTo(0.1, 12);
  });
});
