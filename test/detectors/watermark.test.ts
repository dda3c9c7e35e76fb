import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PartitionProgress } from '../../core/ports.ts';
import { Delays, watermarkOf } from '../../detectors/watermark.ts';

const NOW = Date.UTC(2026, 0, 5, 10);
const MINUTE = 60_000;

function partition(more: Partial<PartitionProgress>): PartitionProgress {
  return { source: 1, partition: 0, newest: NOW - 3_600_000, isAtEnd: false, heardAt: NOW, ...more };
}

describe('the watermark', () => {
  test('of a file that is read is a minute behind its newest event', () => {
    expect(watermarkOf([partition({ newest: NOW - 500_000 })], NOW)).toBe(NOW - 560_000);
    expect(watermarkOf([partition({ newest: NOW - 500_000 })], NOW, { lateness: 5_000 })).toBe(NOW - 505_000);
  });

  test('never follows an event from the future', () => {
    expect(watermarkOf([partition({ newest: NOW + 86_400_000 })], NOW)).toBe(NOW - MINUTE);
  });

  test('of a file at its end follows the clock, however old its events are', () => {
    expect(watermarkOf([partition({ isAtEnd: true })], NOW)).toBe(NOW - MINUTE);
    expect(watermarkOf([partition({ isAtEnd: true, newest: 0 })], NOW)).toBe(NOW - MINUTE);
  });

  test('follows the clock more closely where a file is followed live, within 5 s and 15 min', () => {
    const followed = [partition({ isAtEnd: true })];
    expect(watermarkOf(followed, NOW, { followLateness: 8_000 })).toBe(NOW - 8_000);
    expect(watermarkOf(followed, NOW, { followLateness: 10 })).toBe(NOW - 5_000);
    expect(watermarkOf(followed, NOW, { followLateness: 3_600_000 })).toBe(NOW - 15 * MINUTE);
  });

  test('of a partition that is never at its end for long follows when it was last complete', () => {
    const busy = partition({ newest: NOW - 2000, completeAt: NOW - 3000 });
    expect(watermarkOf([busy], NOW, { followLateness: 6000 })).toBe(NOW - 9000);
    expect(watermarkOf([busy], NOW)).toBe(NOW - MINUTE - 2000);
    expect(watermarkOf([partition({ newest: NOW - 2000, completeAt: NOW - 600_000 })], NOW, { followLateness: 6000 })).toBe(NOW - MINUTE - 2000);
    expect(watermarkOf([partition({ newest: 0, completeAt: NOW - 3000 })], NOW, { followLateness: 6000 })).toBe(NOW - 9000);
    expect(watermarkOf([partition({ newest: 0, completeAt: NOW + 86_400_000 })], NOW, { followLateness: 6000 })).toBe(NOW - 6000);
  });

  test('is the minimum over partitions', () => {
    const partitions = [partition({ isAtEnd: true }), partition({ newest: NOW - 900_000 }), partition({ newest: NOW - 300_000 })];
    expect(watermarkOf(partitions, NOW)).toBe(NOW - 960_000);
  });

  test('waits for a partition that was just assigned, and not for one that delivers nothing for five minutes', () => {
    const others = [partition({ isAtEnd: true })];
    expect(watermarkOf([...others, partition({ newest: 0 })], NOW)).toBeUndefined();
    expect(watermarkOf([...others, partition({ newest: 0, heardAt: NOW - 5 * MINUTE + 1 })], NOW)).toBeUndefined();
    expect(watermarkOf([...others, partition({ newest: 0, heardAt: NOW - 5 * MINUTE })], NOW)).toBe(NOW - MINUTE);
    expect(watermarkOf([...others, partition({ heardAt: NOW - 2 * MINUTE })], NOW, { idleAfter: MINUTE })).toBe(NOW - MINUTE);
  });

  test('does not exist without partitions', () => {
    expect(watermarkOf([], NOW)).toBeUndefined();
  });

  test('never passes now less the smallest lateness', () => {
    const any = fc.record({
      newest: fc.integer({ min: 0, max: NOW * 2 }),
      isAtEnd: fc.boolean(),
      heardAt: fc.integer({ min: 0, max: NOW }),
    });
    fc.assert(
      fc.property(fc.array(any), fc.option(fc.integer({ min: 0, max: 1e7 }), { nil: undefined }), (partitions, followLateness) => {
        expect(watermarkOf(partitions, NOW, { followLateness }) ?? 0).toBeLessThanOrEqual(NOW - 5_000);
      }),
    );
  });
});

describe('the lateness of followed files', () => {
  test('is five seconds before anything was seen, and for logs that are written at once', () => {
    const delays = new Delays();
    expect(delays.lateness()).toBe(5_000);
    delays.add(20, NOW, 1_000);
    delays.add(-4_000, NOW, 1_000);
    expect(delays.lateness()).toBe(5_000);
  });

  test('covers 99 of 100 delays, never more than a quarter of an hour', () => {
    const delays = new Delays();
    delays.add(100, NOW, 980);
    delays.add(40_000, NOW, 20);
    // Buckets are within 3.2 %.
    expect(delays.lateness()).toBeGreaterThan(38_000);
    expect(delays.lateness()).toBeLessThan(42_000);
    delays.add(7_200_000, NOW, 1_000);
    expect(delays.lateness()).toBe(15 * MINUTE);
  });

  test('forgets what is twenty thousand events old', () => {
    const delays = new Delays();
    for (let i = 0; i < 10_000; i++) delays.add(600_000, NOW);
    for (let i = 0; i < 20_001; i++) delays.add(10, NOW);
    expect(delays.lateness()).toBe(5_000);
  });

  test('forgets what is twenty minutes old, however few there are', () => {
    const delays = new Delays();
    delays.add(600_000, NOW);
    delays.add(10, NOW + 10 * MINUTE);
    expect(delays.lateness()).toBeGreaterThan(500_000);
    delays.add(10, NOW + 20 * MINUTE);
    expect(delays.lateness()).toBe(5_000);
  });
});
