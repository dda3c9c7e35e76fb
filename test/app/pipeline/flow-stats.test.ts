import { expect, test } from 'vitest';
import { FlowStats } from '../../../app/pipeline/flow-stats.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import { batch } from '../../detectors/support.ts';
import { quietBus } from '../../support/bus.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const NOW = Date.UTC(2026, 0, 5, 10);

const of = (start: number, next: number, more: Partial<PartialBatch> = {}): PartialBatch =>
  batch([], { segment: { source: 1, partition: 0, generation: 1, start }, next, newest: NOW - 2000, ...more });

test('counts what passed, once, although batches are absolute and may come again', async () => {
  const flow = new FlowStats(quietBus(), new VirtualClock(NOW));
  await flow.publish(of(0, 10, { records: 10, dropped: 1, rejects: { bad_json: { count: 2, first: 3 } } }));
  await flow.publish(of(0, 10, { records: 10, dropped: 1, rejects: { bad_json: { count: 2, first: 3 } } }));
  await flow.publish(of(0, 30, { records: 25, dropped: 4, rejects: { bad_json: { count: 2, first: 3 }, no_time: { count: 1, first: 20 } }, isSealed: true }));
  // Told again after it was sealed, as after a failed commit.
  await flow.publish(of(0, 30, { records: 25, dropped: 4, rejects: { bad_json: { count: 2, first: 3 }, no_time: { count: 1, first: 20 } }, isSealed: true }));
  await flow.publish(of(30, 40, { records: 10 }));
  const counted = flow.flows.get(1);
  expect([counted?.received, counted?.dropped]).toEqual([35, 4]);
  expect(Object.fromEntries(counted?.rejects ?? [])).toEqual({ bad_json: 2, no_time: 1 });
});

test('sources are apart, partitions of one are together, and delays are those of the events', async () => {
  const flow = new FlowStats(quietBus(), new VirtualClock(NOW));
  await flow.publish(of(0, 10, { records: 10 }));
  await flow.publish(of(0, 10, { records: 5, segment: { source: 1, partition: 1, generation: 1, start: 0 } }));
  await flow.publish(of(0, 10, { records: 3, segment: { source: 2, partition: 0, generation: 1, start: 0 } }));
  expect([...flow.flows].map(([source, { received }]) => [source, received])).toEqual([
    [1, 15],
    [2, 3],
  ]);
  expect(flow.delays.stats().sum).toBe(18 * 2);
});

test('hands everything on: batches before they are counted as delivered, hints and progress too', async () => {
  const passed: string[] = [];
  const flow = new FlowStats(
    {
      publish: async ({ next }) => void passed.push(`batch ${next}`),
      hint: ({ next }) => void passed.push(`hint ${next}`),
      progress: async (partitions) => void passed.push(`progress ${partitions.length}`),
    },
    new VirtualClock(NOW),
  );
  await flow.publish(of(0, 10));
  flow.hint(of(0, 12));
  await flow.progress([]);
  expect(passed).toEqual(['batch 10', 'hint 12', 'progress 0']);
  // A hint is not a batch: what it says comes again.
  expect(flow.flows.get(1)?.received).toBe(0);
});
