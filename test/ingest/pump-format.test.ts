import { expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { systemClock } from '../../core/clock.ts';
import { C, at } from '../../core/counters.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { Pump } from '../../ingest/pump.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { testNormaliser } from '../support/ingest.ts';
import { recordBlock } from '../support/record-block.ts';

const T = Date.UTC(2026, 0, 5, 10, 0, 30);
const good = (i: number): string => JSON.stringify({ ts: T + i, key: 'a-key-of-mine', status: 200 });
const GARBAGE = '\u0000\u0001\u0002 no event';

/** Reads these values, one record each and one block a list, and says what is stored and told. */
async function read(partitions: Readonly<Record<string, readonly (readonly string[])[]>>, generation = 1, store = memoryMetricStore()) {
  const problems: string[] = [];
  const source: EventSource = {
    name: 'test',
    async *events(): AsyncIterable<SourceEvent> {
      for (const [index, [partition, blocks]] of Object.entries(partitions).entries()) {
        const place = { source: 'topic', number: index, segments: 'chain', generation, resume: 'fresh' } as const;
        yield { kind: 'assigned', partition, label: partition, from: 0, head: new Uint8Array(0), ...place };
        let offset = 0;
        for (const values of blocks) {
          const block = recordBlock(
            partition,
            values.map((value) => ({ offset: offset++, at: T, value })),
          );
          yield block;
          // As a source does that uses its arrays again.
          block.bytes.fill(0x41);
          block.offsets.fill(-1);
        }
      }
      for (const partition of Object.keys(partitions)) yield { kind: 'caught_up', partition, position: 0 };
    },
    cursor: () => '',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const bus = { publish: async () => undefined, hint: () => undefined, progress: async () => undefined };
  const options = { segmentBytes: 1, detect: { format: 'auto' }, limits: DEFAULT_LIMITS, flushMs: 1000, normaliser: () => testNormaliser(), unackedBatches: 3 };
  await new Pump(options, { source, store, bus, clock: systemClock, onProblem: (problem) => problems.push(problem), origin: 'test' }).run(
    new AbortController().signal,
  );
  let requests = 0;
  for await (const { row } of store.partials({ from: 0, to: Number.MAX_SAFE_INTEGER })) requests += at(readCells(row.cells).counters, C.requests);
  const [counted] = await store.sources();
  return { requests, records: counted?.records ?? 0, rejected: Object.values(counted?.rejects ?? {}).reduce((sum, { count }) => sum + count, 0), problems };
}

test('a log that begins with what nobody can read is read all the same, and every record of it is accounted for', async () => {
  const found = await read({ one: [[GARBAGE], [GARBAGE, good(1), good(2), good(3)], [good(4)]] });
  expect(found).toMatchObject({ requests: 4, records: 6, rejected: 2 });
  expect(found.problems).toEqual([expect.stringMatching(/^one: nothing is counted until a record shows how to read it: the first lines are in no format/)]);
});

test('a partition that holds nothing else is read as the others of its topic are', async () => {
  expect(await read({ one: [[GARBAGE]], two: [[good(1)]] })).toMatchObject({ requests: 1, records: 2, rejected: 1 });
});

test('a log of something else is refused after its first megabyte, and nothing of it is counted', async () => {
  const found = await read({ one: Array.from({ length: 30 }, () => [GARBAGE.repeat(5000)]) });
  expect(found).toMatchObject({ requests: 0, records: 0 });
  expect(found.problems.at(-1)).toMatch(/^one: the first lines are in no format/);
});

test('a new generation reads what comes as it is configured then, an old one as before', async () => {
  const store = memoryMetricStore();
  await read({ one: [[good(1)]] }, 1, store);
  const other = good(2).replace('"ts"', '"when"');
  expect((await read({ one: [[good(1), other]] }, 1, store)).rejected).toBe(1);
  expect((await read({ one: [[other]] }, 2, store)).requests).toBeGreaterThan(1);
});
