import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import type { StoredPartial } from '../../core/ports.ts';
import { type EntityId, LATE, type Minute, REFUSED } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { createJudge } from '../../detectors/judge.ts';
import { LATER, NOBODY, T0, batch, closeAll, directoryOf, findings, key, row, segment } from './support.ts';

/** What one segment says of each key and minute after each of its flushes: absolute, growing. */
type Flush = { readonly minute: number; readonly key: number; readonly more: number };
type Segment = readonly Flush[][];

const flushArb: fc.Arbitrary<Flush> = fc.record({ minute: fc.integer({ min: -12, max: 4 }), key: fc.nat(2), more: fc.integer({ min: 1, max: 400 }) });
const historyArb = fc.record({
  segments: fc.array(fc.array(fc.array(flushArb, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
  /** Per segment: how many flushes the store has, and which rows of the next one that was cut off in the middle. */
  stored: fc.array(fc.record({ flushes: fc.nat(4), ahead: fc.nat(15) }), { minLength: 4, maxLength: 4 }),
  again: fc.array(fc.nat(1000), { maxLength: 12 }),
});

function batchesOf(segments: readonly Segment[]): PartialBatch[][] {
  return segments.map((flushes, index) => {
    const sums = new Map<string, { readonly minute: Minute; readonly entity: EntityId; requests: number }>();
    return flushes.map((flush, n): PartialBatch => {
      const touched = new Set<string>();
      for (const { minute, key: name, more } of flush) {
        const at = `${minute} ${name}`;
        const sum = sums.get(at) ?? { minute: T0 + minute, entity: key(`k${name}`), requests: 0 };
        sum.requests += more;
        sums.set(at, sum);
        touched.add(at);
      }
      const rows = [...touched].map((at): PartialRow => {
        const sum = sums.get(at);
        if (sum === undefined) throw new Error('BUG: touched and not counted');
        return row(sum.minute, sum.entity, { requests: sum.requests });
      });
      return batch(rows, { segment: segment(index * 100, 1 + (index % 2)), next: index * 100 + 1 + n, isSealed: n === flushes.length - 1 });
    });
  });
}

/** The rows that a store shows: the newest version of each, whatever of the last flush it was given. */
async function* partialsOf(
  all: readonly (readonly PartialBatch[])[],
  stored: readonly { readonly flushes: number; readonly ahead: number }[],
): AsyncGenerator<StoredPartial> {
  const rows = new Map<string, StoredPartial>();
  all.forEach((batches, index) => {
    const { flushes, ahead } = stored[index] ?? { flushes: 0, ahead: 0 };
    batches.slice(0, flushes + 1).forEach((one, n) => {
      one.rows.forEach((put, place) => {
        if (n === flushes && ((ahead >> place) & 1) === 0) return;
        rows.set(`${index} ${put.window} ${put.entity}`, { segment: one.segment, next: one.next, row: put });
      });
    });
  });
  yield* [...rows.values()].sort((a, b) => a.row.window - b.row.window);
}

test('seeded from rows while others write, nothing is missed and nothing is judged twice, whatever is delivered again', async () => {
  await fc.assert(
    fc.asyncProperty(historyArb, async ({ segments, stored, again }) => {
      const all = batchesOf(segments);
      const judge = createJudge({ directory: directoryOf(), rules: ['request_rate'] });
      await judge.seed({ partials: partialsOf(all, stored), judgedThrough: T0 });
      const flat = all.flat();
      // First anything at all, in any order, then whatever the store did not have when it was read.
      for (const pick of again) judge.observe(flat[pick % flat.length] as PartialBatch, LATER);
      all.forEach((batches, index) => batches.slice(stored[index]?.flushes ?? 0).forEach((one) => judge.observe(one, LATER)));
      for (const pick of again) judge.observe(flat[(pick * 7) % flat.length] as PartialBatch, LATER);
      const sums = new Map<string, number>();
      for (const flush of segments.flat(2)) {
        if (flush.minute < 0) continue;
        const at = `${startOf(T0 + flush.minute)} ${key(`k${flush.key}`)}`;
        sums.set(at, (sums.get(at) ?? 0) + flush.more);
      }
      const want = new Map([...sums].filter(([, requests]) => requests > 500));
      const found = closeAll(judge).filter(({ window }) => window.start >= startOf(T0));
      expect(new Map(found.map(({ window, entity, observed }) => [`${window.start} ${entity}`, observed]))).toEqual(want);
      expect(found.length).toBe(want.size);
    }),
    { numRuns: 300 },
  );
});

test('a row that is older than what is known of its segment changes nothing', () => {
  const judge = createJudge({ directory: directoryOf(), rules: ['request_rate'] });
  judge.observe(batch([row(T0, key('a'), { requests: 700 })], { next: 9 }), LATER);
  judge.observe(batch([row(T0, key('a'), { requests: 300 })], { next: 5 }), LATER);
  expect(closeAll(judge)).toMatchObject([{ observed: 700 }]);
});

test('what came two days late, and the refused all together, are stored and not judged', async () => {
  const judge = createJudge({ directory: directoryOf() });
  async function* rows(): AsyncGenerator<StoredPartial> {
    for (const entity of [LATE, REFUSED]) yield { segment: segment(), next: 4, row: row(T0, entity, { requests: 9000, failedAuth: 9000 }) };
  }
  await judge.seed({ partials: rows(), judgedThrough: T0 });
  judge.observe(batch([row(T0, LATE, { requests: 9001 })], { next: 5 }), LATER);
  expect(findings(judge.advance(startOf(T0 + 1), NOBODY).evaluations)).toEqual([]);
  expect(judge.stats().cells).toBe(0);
});

test('the hour reaches back over a restart from rows', async () => {
  const judge = createJudge({ directory: directoryOf() });
  async function* rows(): AsyncGenerator<StoredPartial> {
    yield { segment: segment(), next: 4, row: row(T0 - 59, key('a'), { requests: 1, failedAuth: 10 }) };
    yield { segment: segment(7), next: 8, row: row(T0 - 30, key('a'), { requests: 1, failedAuth: 1 }) };
  }
  await judge.seed({ partials: rows(), judgedThrough: T0 });
  judge.observe(batch([row(T0, key('a'), { requests: 1, failedAuth: 1 })], { segment: segment(9), next: 10 }), LATER);
  expect(closeAll(judge)).toMatchObject([{ observed: 12, window: { end: startOf(T0 + 1) } }]);
});
