/** What may go, what stays exact, and what late rows do to it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MetricStore, Retention } from '../../core/ports.ts';
import { BASE, type TestEvent, type TestSegment, batchesOf, segmentsArb, truthOf, viewOf } from './history.ts';
import { plain, readView } from './read.ts';
import type { OpenStore } from './metric-store.ts';

const DAY = 1440;
const DAY_MS = 86_400_000;
const NOW = BASE * 60_000;
const FOREVER: Retention = { partialsMs: 5000 * DAY_MS, minutesMs: 5000 * DAY_MS, hoursMs: 5000 * DAY_MS, daysMs: 5000 * DAY_MS, bytesMax: 0 };

export function retentionConformance({ open, runs }: OpenStore): void {
  const event = (window: number, key = 1): TestEvent => ({ window, key, isAccepted: true, bytes: 100, address: key, us: 5 });
  const put = async (store: MetricStore, index: number, events: readonly TestEvent[], isSealed = true): Promise<void> => {
    for (const batch of batchesOf({ events, flushes: [events.length] }, { source: 1, index, isSealed })) await store.put(batch);
  };

  test('minutes go by whole days, hours by whole months, days one by one, and each level outlives the one below', async () => {
    await using store = await open();
    // Whole days before 2026-11-30: 2026-10-01, 2026-11-20, 2026-11-28.
    const [october, twentieth, recent] = [BASE - 60 * DAY, BASE - 10 * DAY, BASE - 2 * DAY];
    await put(store, 0, [event(october), event(october + 1), event(twentieth), event(recent)]);
    const truth = truthOf([viewOf([event(october), event(october + 1), event(twentieth), event(recent)])], (window) => window - (window % DAY));
    const minutes = await store.retain({ ...FOREVER, minutesMs: 5 * DAY_MS }, NOW);
    expect(minutes).toMatchObject({ droppedMinuteDays: ['2026-10-01', '2026-11-20'], droppedHourMonths: [], droppedDays: 0, isOverCap: false });
    expect([...(await readView(store)).values()].map((row) => row.window)).toEqual([recent]);
    expect([...(await readView(store, 'hour')).values()].map((row) => [row.window, row.sums.requests])).toEqual([
      [october, 2],
      [twentieth, 1],
      [recent, 1],
    ]);
    const hours = await store.retain({ ...FOREVER, minutesMs: 5 * DAY_MS, hoursMs: 20 * DAY_MS }, NOW);
    expect(hours).toMatchObject({ droppedMinuteDays: [], droppedHourMonths: ['2026-10'], droppedDays: 0 });
    expect([...(await readView(store, 'hour')).values()].map((row) => row.window)).toEqual([twentieth, recent]);
    expect(plain(await readView(store, 'day'))).toEqual(plain(truth));
    const days = await store.retain({ ...FOREVER, minutesMs: 5 * DAY_MS, hoursMs: 20 * DAY_MS, daysMs: 30 * DAY_MS }, NOW);
    expect(days).toMatchObject({ droppedDays: 1 });
    expect([...(await readView(store, 'day')).values()].map((row) => row.window)).toEqual([twentieth, recent].map((window) => window - (window % DAY)));
  });

  test('a day goes only when the whole of it is past the policy', async () => {
    await using store = await open();
    const midnight = BASE + 120;
    await put(store, 0, [event(midnight - 1)]);
    expect((await store.retain({ ...FOREVER, minutesMs: DAY_MS }, (midnight + DAY) * 60_000 - 1)).droppedMinuteDays).toEqual([]);
    expect((await store.retain({ ...FOREVER, minutesMs: DAY_MS }, (midnight + DAY) * 60_000)).droppedMinuteDays).toEqual(['2026-11-30']);
  });

  test('a day that an open segment has rows in stays, so that its owner can resume', async () => {
    await using store = await open();
    await put(store, 0, [event(BASE - 20 * DAY)], false);
    expect((await store.retain({ ...FOREVER, minutesMs: DAY_MS }, NOW)).droppedMinuteDays).toEqual([]);
    expect((await store.resume(1, 0))?.rows).toHaveLength(1);
    await put(store, 0, [event(BASE - 20 * DAY)], true);
    expect((await store.retain({ ...FOREVER, minutesMs: DAY_MS }, NOW)).droppedMinuteDays).toEqual(['2026-11-10']);
  });

  test('rows that come after their day was dropped are added to its hours; old ones repeated are not', async () => {
    await using store = await open();
    const old = BASE - 20 * DAY;
    const policy = { ...FOREVER, minutesMs: DAY_MS };
    const requests = async (resolution: 'hour' | 'day'): Promise<readonly number[]> =>
      Array.from((await readView(store, resolution)).values(), (row) => row.sums.requests);
    await put(store, 0, [event(old), event(old + 1)]);
    await put(store, 1, [event(BASE)], false);
    await store.retain(policy, NOW);
    await put(store, 0, [event(old), event(old + 1)]);
    expect([await requests('hour'), await requests('day')]).toEqual([
      [2, 1],
      [2, 1],
    ]);
    await put(store, 2, [event(old + 2)]);
    expect(await requests('hour')).toEqual([3, 1]);
    await store.fold();
    expect(await requests('hour')).toEqual([3, 1]);
    // The second drop of the same day meets the frozen hours of the first.
    expect((await store.retain(policy, NOW)).droppedMinuteDays).toEqual(['2026-11-10']);
    await put(store, 2, [event(old + 2)]);
    expect([await requests('hour'), await requests('day')]).toEqual([
      [3, 1],
      [3, 1],
    ]);
    await store.retain({ ...policy, hoursMs: DAY_MS }, NOW + 40 * DAY_MS);
    await put(store, 3, [event(old + 3)]);
    await store.fold();
    await store.retain({ ...policy, hoursMs: DAY_MS }, NOW + 40 * DAY_MS);
    expect(await requests('day')).toEqual([4, 1]);
  });

  test('over the size cap the oldest minutes go first, then the oldest hours, and it says when that is not enough', async () => {
    await using store = await open();
    await put(store, 0, [event(BASE - 50 * DAY), event(BASE - 2 * DAY), event(BASE - DAY)]);
    await put(store, 1, [event(BASE)], false);
    const report = await store.retain({ ...FOREVER, bytesMax: 1 }, NOW);
    expect(report.droppedMinuteDays).toEqual(['2026-10-11', '2026-11-28', '2026-11-29']);
    // The month of the open segment keeps its hours.
    expect(report.droppedHourMonths).toEqual(['2026-10']);
    expect(report.isOverCap).toBe(true);
    expect(report.bytes).toBeGreaterThan(1);
    expect(Array.from((await readView(store, 'day')).values(), (row) => row.sums.requests)).toEqual([1, 1, 1, 1]);
    expect(await store.retain({ ...FOREVER, bytesMax: 1e12 }, NOW)).toMatchObject({ droppedMinuteDays: [], isOverCap: false });
  });

  test('the totals of a source outlive its old segments, and an old segment that is put again changes nothing', async () => {
    await using store = await open();
    const source = await store.source('partition');
    const segment = (index: number, window: number): TestSegment & { readonly index: number } => ({
      index,
      events: [event(window), event(window + 1)],
      flushes: [2],
    });
    const segments = [segment(0, BASE - 30 * DAY), segment(1, BASE - 29 * DAY), segment(2, BASE)];
    const putAll = async (): Promise<void> => {
      for (const one of segments) for (const batch of batchesOf(one, { source, index: one.index, isSealed: true })) await store.put(batch);
    };
    await putAll();
    await store.retain({ ...FOREVER, minutesMs: DAY_MS }, NOW);
    await putAll();
    expect(await store.sources()).toMatchObject([{ records: 6, next: 3000 }]);
    expect(Array.from((await readView(store, 'day')).values(), (row) => row.sums.requests)).toEqual([2, 2, 2]);
  });

  test('whatever is dropped and whenever, the days are the sums of all events', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, fc.array(fc.nat(80), { minLength: 4, maxLength: 4 }), async (segments, ages) => {
        await using store = await open();
        for (const [index, segment] of segments.entries()) {
          for (const batch of batchesOf(segment, { source: 1, index, isSealed: true })) await store.put(batch);
          const later = NOW + (ages[index] ?? 0) * DAY_MS;
          await store.retain({ ...FOREVER, minutesMs: 2 * DAY_MS, hoursMs: 35 * DAY_MS }, later);
          const views = segments.slice(0, index + 1).map((done) => viewOf(done.events));
          const days = truthOf(views, (window) => window - (window % DAY));
          expect(plain(await readView(store, 'day'))).toEqual(plain(days));
          const total = [...days.values()].reduce((sum, row) => sum + row.sums.requests, 0);
          const got = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY });
          expect(got.reduce((sum, row) => sum + (row.counters[0] ?? 0), 0)).toBe(total);
        }
      }),
      { numRuns: runs },
    );
  });
}
