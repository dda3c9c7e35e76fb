import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { C, at } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { MetricStore } from '../../core/ports.ts';
import { failed } from '../../core/types.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { jsonFormat } from '../../ingest/parse/json.ts';
import { KEY_NAMES } from '../../ingest/parse/key-names.ts';
import { Pump } from '../../ingest/pump.ts';
import { expandInputs } from '../../ingest/source/expand.ts';
import { fileOnce } from '../../ingest/source/file-once.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { quietBus } from '../support/bus.ts';
import { testIngest, testNormaliser } from '../support/ingest.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SEGMENT_BYTES = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'keywatch-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line = (i: number, key = `key-number-${i % 7}`, status = 200): string =>
  `{"ts":${1_780_390_800_000 + i * 20},"key":"${key}","ip":"198.18.0.${i % 40}","path":"/v1/orders","status":${status},"bytes":${i}}\n`;

async function requests(store: MetricStore): Promise<number> {
  const totals = await store.totals({ from: 0, to: 4_000_000_000_000, kinds: ['key', 'refused'] });
  return totals.reduce((sum, { counters }) => sum + at(counters, C.requests), 0);
}

/** Reads the files once more, into a store that may know them from before; each file is one partition by its place in the list. */
async function pump(
  store: MetricStore,
  paths: readonly string[],
  options: { readonly signal?: AbortSignal; readonly pool?: CellPool; readonly limits?: typeof DEFAULT_LIMITS } = {},
): Promise<void> {
  const { inputs } = await expandInputs(paths);
  let partitions = 0;
  await new Pump(
    { segmentBytes: SEGMENT_BYTES, detect: {}, limits: options.limits ?? DEFAULT_LIMITS, flushMs: 1e9, normaliser: () => testNormaliser() },
    {
      source: fileOnce({ inputs, segmentBytes: SEGMENT_BYTES }, { newId: () => `partition ${partitions++}` }),
      store,
      bus: quietBus(),
      clock: new VirtualClock(1_780_390_800_000),
      onProblem: () => undefined,
      origin: 'test',
      pool: options.pool,
    },
  ).run(options.signal ?? new AbortController().signal);
}

function poolOf(threads: number): CellPool {
  return new CellPool(threads, {
    pepper: Buffer.alloc(32, 7).toString('base64'),
    keyNames: KEY_NAMES,
    keyBy: 'auto',
    trustedProxies: ['127.0.0.0/8'],
    forwardedDepth: 0,
  });
}

describe('a store that refuses while the process is told to stop', () => {
  const path = join(folder, 'access.json');
  const LINES = 4000;
  writeFileSync(path, Array.from({ length: LINES }, (_, i) => line(i)).join(''));

  /** Refuses the batch that `isMeant`, then everybody is told to stop, and then there is room again. */
  async function stopAt(isMeant: (batch: PartialBatch, put: number) => boolean, pool?: CellPool): Promise<number> {
    const store = memoryMetricStore();
    const stop = new AbortController();
    let puts = 0;
    const put = store.put.bind(store);
    store.put = async (batch) => {
      if (stop.signal.aborted || !isMeant(batch, puts++)) return put(batch);
      stop.abort();
      return failed('disk full', true);
    };
    await pump(store, [path], { signal: stop.signal, ...(pool === undefined ? {} : { pool }) });
    expect(stop.signal.aborted).toBe(true);
    await pump(store, [path]);
    return requests(store);
  }

  test.each([0, 1, 7, 30])('batch %i: nothing behind it is stored, so that the next start finds it all', async (index) => {
    expect(await stopAt((_batch, put) => put === index)).toBe(LINES);
  });

  test('also with several threads', async () => {
    await using pool = poolOf(2);
    expect(await stopAt((_batch, put) => put === 3, pool)).toBe(LINES);
  });
});

test('logs that are counted side by side by one thread do not take each other’s names for theirs', async () => {
  // Dictionaries this small are emptied at the end of nearly every segment of either log.
  const limits = { ...DEFAULT_LIMITS, dictionary: 5 };
  await using pool = poolOf(1);
  const spec = { segmentBytes: 1e9, descriptor: jsonFormat({ fields: { time: 'ts', secret: 'key', status: 'status' } }).descriptor, start: 0, limits };
  const [first, second] = [pool.open({ ...spec, source: 1 }), pool.open({ ...spec, source: 2 })];
  const text = (key: string, count: number, from = 0): Uint8Array => Buffer.from(Array.from({ length: count }, (_, i) => line(i + from, key)).join(''));
  const head = text('key-of-first', 50);
  const other = text('key-of-second', 70);
  first.block(head, 0);
  second.block(other, 0);
  const done = await first.end(true);
  second.block(text('key-of-second', 30, 70), other.length);
  const later = await second.end(true);
  const rows = (batch: PartialBatch | undefined): readonly string[] => [...new Set(batch?.rows.map(({ entity }) => entity))];
  const store = memoryMetricStore();
  for (const batch of [done, later]) if (batch !== undefined) await store.put(batch);
  expect(await requests(store)).toBe(150);
  expect([rows(done), rows(later)]).toEqual([rows(await alone(head)), rows(await alone(other))]);

  async function alone(bytes: Uint8Array): Promise<PartialBatch | undefined> {
    await using pool = poolOf(1);
    const cell = pool.open({ ...spec, source: 1 });
    cell.block(bytes, 0);
    return await cell.end(true);
  }
});

test('guessed keys are forgotten when their segment ends; keys that were accepted are remembered', () => {
  const normaliser = testNormaliser();
  const format = jsonFormat({ fields: { time: 'ts', secret: 'key', address: 'ip', target: 'path', status: 'status', bytesOut: 'bytes' } });
  const ingest = testIngest(format, { normaliser, segmentBytes: 4_000_000 });
  const sizes: number[] = [];
  let offset = 0;
  for (let segment = 0; segment < 3; segment++) {
    const bytes = Buffer.from(Array.from({ length: 36_000 }, (_, i) => line(i, `guess-${segment}-${i}`, 401)).join(''));
    ingest.block(bytes, offset);
    offset += bytes.length;
    ingest.takeSealed();
    sizes.push(normaliser.size);
  }
  expect(Math.max(...sizes)).toBeLessThan(45_000);
});
