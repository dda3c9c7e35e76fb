import { expect, test } from 'vitest';
import { BUS_LAG_MAX_MS, ProgressTable, TRUST_MS, UNHEARD_WARN_MS } from '../../../app/pipeline/progress-table.ts';
import type { PartitionHead, PartitionProgress } from '../../../core/ports.ts';
import type { EpochMs } from '../../../core/types.ts';
import { DAY_MS } from '../../../core/window.ts';
import { watermarkOf } from '../../../detectors/watermark.ts';

const NOW = Date.UTC(2026, 0, 5, 10, 15);
const LATENESS = 5000;

const segmentOf = (partition: number) => ({ source: 1, partition, generation: 1, start: 0 });
const head = (partition: number, newest: EpochMs): PartitionHead => ({
  segment: segmentOf(partition),
  next: 10,
  isSealed: false,
  rejects: {},
  dropped: 0,
  records: 10,
  newest,
});
const said = (partition: number, newest: EpochMs, isAtEnd = true): PartitionProgress => ({ source: 1, partition, newest, isAtEnd, heardAt: 0 });
const watermark = (table: ProgressTable, now: EpochMs): EpochMs | undefined =>
  watermarkOf(table.all(now), now, { lateness: LATENESS, followLateness: LATENESS, idleAfter: 15 * 60_000 });

test('a partition that the store knows and nobody spoke of holds everything back', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 60_000), head(1, NOW - 90_000)], NOW);
  table.hear([said(0, NOW - 60_000)], NOW);
  expect(watermark(table, NOW)).toBe(NOW - 90_000 - LATENESS);
  table.hear([said(1, NOW - 90_000)], NOW);
  expect(watermark(table, NOW)).toBe(NOW - LATENESS);
});

test('a partition without any event yet, new to everybody, lets nothing be closed until it is at its end', () => {
  const table = new ProgressTable();
  table.hear([said(0, NOW), said(1, 0, false)], NOW);
  table.receive({ segment: segmentOf(0), newest: NOW }, NOW);
  expect(watermark(table, NOW)).toBeUndefined();
  table.hear([said(1, 0)], NOW);
  expect(watermark(table, NOW)).toBe(NOW - LATENESS);
});

test('what was published and is still on its way over the bus holds back what it may change', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 300_000)], NOW);
  table.hear([said(0, NOW - 1000)], NOW);
  expect(watermark(table, NOW)).toBe(NOW - 300_000 - LATENESS);
  table.receive({ segment: segmentOf(0), newest: NOW - 120_000 }, NOW);
  expect(watermark(table, NOW)).toBe(NOW - 120_000 - LATENESS);
  table.receive({ segment: segmentOf(0), newest: NOW - 1000 }, NOW);
  expect(watermark(table, NOW)).toBe(NOW - LATENESS);
});

test('what is complete counts for a busy partition, unless some of it is still on its way, and also when its process went silent', () => {
  const table = new ProgressTable();
  const busy = { ...said(0, NOW - 2000, false), completeAt: NOW - 3000 };
  table.hear([busy], NOW);
  expect(watermark(table, NOW)).toBeUndefined();
  table.receive({ segment: segmentOf(0), newest: NOW - 2000 }, NOW);
  expect(watermark(table, NOW)).toBe(NOW - 2000 - LATENESS);
  table.hear([{ ...busy, completeAt: NOW - 1000 }], NOW);
  expect(watermark(table, NOW)).toBe(NOW - 1000 - LATENESS);
  expect(watermark(table, NOW + TRUST_MS)).toBe(NOW - 1000 - LATENESS);
});

test('what never comes over the bus is waited for, but not for ever', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 300_000)], NOW);
  for (let ms = 0; ms < BUS_LAG_MAX_MS; ms += 1000) {
    table.hear([said(0, NOW - 1000)], NOW + ms);
    expect(watermark(table, NOW + ms)).toBe(NOW - 300_000 - LATENESS);
  }
  const later = NOW + BUS_LAG_MAX_MS;
  table.hear([said(0, NOW - 1000)], later);
  expect(watermark(table, later)).toBe(later - LATENESS);
});

test('a process that died at the end of its partitions is not believed to be there still', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 2000)], NOW);
  table.hear([said(0, NOW - 2000)], NOW);
  expect(watermark(table, NOW + TRUST_MS - 1)).toBe(NOW + TRUST_MS - 1 - LATENESS);
  expect(watermark(table, NOW + TRUST_MS)).toBe(NOW - 2000 - LATENESS);
  table.hear([said(0, NOW - 2000)], NOW + TRUST_MS);
  expect(watermark(table, NOW + TRUST_MS)).toBe(NOW + TRUST_MS - LATENESS);
});

test('a partition that nobody reads is reported, until somebody does', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 2000), head(1, NOW - 2000)], NOW);
  const later = NOW + UNHEARD_WARN_MS + 1;
  table.hear([said(0, NOW - 2000)], later);
  expect(table.unheard(NOW + 1000)).toEqual([]);
  expect(table.unheard(later).map(({ partition }) => partition)).toEqual([1]);
  table.hear([said(1, NOW - 2000)], later);
  expect(table.unheard(later)).toEqual([]);
});

test('after an outage of days a partition holds back until its process has had time to start; one of a topic that was given up does not for ever', () => {
  const table = new ProgressTable();
  table.know([head(0, NOW - 3 * DAY_MS), head(1, NOW - 3 * DAY_MS)], NOW);
  table.hear([said(0, NOW - 3 * DAY_MS)], NOW + UNHEARD_WARN_MS);
  expect(watermark(table, NOW + UNHEARD_WARN_MS)).toBe(NOW - 3 * DAY_MS - LATENESS);
  const later = NOW + UNHEARD_WARN_MS + 1;
  table.hear([said(0, NOW - 3 * DAY_MS)], later);
  expect(watermark(table, later)).toBe(later - LATENESS);
  expect(table.unheard(later)).toEqual([]);
});

test('the next process of a partition may know less of it than the one before: nothing goes back', () => {
  const table = new ProgressTable();
  table.hear([said(0, NOW)], NOW);
  table.receive({ segment: segmentOf(0), newest: NOW }, NOW);
  table.hear([said(0, NOW - 50_000, false)], NOW);
  expect(watermark(table, NOW)).toBe(NOW - LATENESS);
});
