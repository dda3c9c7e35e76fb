import { expect, test } from 'vitest';
import type { PartialBatch } from '../../../core/partial.ts';
import type { StoredPartial } from '../../../core/ports.ts';
import { minuteOf } from '../../../core/window.ts';
import { batch, key, row } from '../../detectors/support.ts';
import { JudgeWorld } from './judge-world.ts';

const NOW = Date.UTC(2026, 0, 5, 10, 15);

const someBatch = (world: JudgeWorld, next: number): PartialBatch =>
  batch([row(minuteOf(NOW), key('a'), { requests: next })], {
    segment: { source: 1, partition: 0, generation: 1, start: 0 },
    next,
    newest: world.clock.now(),
  });

test('what comes over the bus while the judge is seeded waits for it, and is not lost', async () => {
  const world = new JudgeWorld(NOW);
  await world.publish(someBatch(world, 1));
  const store = world.store.partials.bind(world.store);
  let isPublished = false;
  world.store.partials = async function* (query) {
    if (!isPublished) {
      isPublished = true;
      // Stored before the seed reads it, or not: both are right, since it comes over the bus as well.
      const seeded: StoredPartial[] = [];
      for await (const partial of store(query)) seeded.push(partial);
      await world.publish(someBatch(world, 7));
      yield* seeded;
      return;
    }
    yield* store(query);
  };
  const process = await world.start();
  await world.pass(2000);
  const rows = process.opened?.judging.judge.rowsOf(minuteOf(NOW));
  expect(Array.from(rows ?? [], ({ packed }) => packed.length)).toEqual([1]);
  expect(process.opened?.judging.judge.stats().cells).toBe(1);
  await world.pass(3 * 60_000);
  expect([...world.windows.windows.values()].map(({ window }) => window.counters[0])).toEqual([7]);
});

test('a start that fails leaves nothing waiting for it', async () => {
  const world = new JudgeWorld(NOW);
  await world.publish(someBatch(world, 1));
  world.store.heads = async () => {
    await world.publish(someBatch(world, 2));
    throw new Error('the store broke');
  };
  await expect(world.start()).rejects.toThrow('the store broke');
  const [process] = world.processes;
  await process?.stack.disposeAsync();
  // The reader's handler, which waits for the judge, comes to its end.
  await process?.inbox;
  expect(process?.onEvent).toBeUndefined();
});

test('a bug in taking in what comes over the bus ends the process instead of the judging alone', async () => {
  const world = new JudgeWorld(NOW);
  const process = await world.start();
  await world.pass(2000);
  const broken = world.processes[0]?.opened?.broken;
  await world.publish({ ...someBatch(world, 1), rows: [{ window: minuteOf(NOW), entity: key('a'), cells: new Uint8Array([255]) }] });
  await expect(broken).rejects.toThrow('read past the end');
  expect(process.isDead).toBe(false);
});
