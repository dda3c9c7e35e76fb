/**
 * What the store costs: rows put per second, a million known keys, folding, reading. Run directly it prints a table.
 * `node test/bench/store.ts [rows]`
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCells } from '../../core/cells.ts';
import { C, emptyCounters } from '../../core/counters.ts';
import { hashLanes, hashText } from '../../core/hash.ts';
import { Sketch, type Dimension } from '../../core/sketch/sketch.ts';
import { Tally } from '../../core/sketch/tally.ts';
import { type EntityId, entityId } from '../../core/types.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import type { MetricStore } from '../../core/ports.ts';

export type StoreResult = {
  readonly name: string;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rssMb: number;
  readonly bytesPerRow?: number;
};

const BASE_MINUTE = 29_600_640;
const KEYS = 5000;

/** A window as a busy key has it: 20 counters, a histogram, one address, one agent, four routes, some objects. */
export function sampleCells(seed: number, objects = 5): Uint8Array {
  const counters = emptyCounters();
  const requests = 40 + (seed % 50);
  const values = {
    requests,
    s2xx: requests - 4,
    s4xx: 3,
    s5xx: 1,
    s401: 1,
    failedAuth: 1,
    bytesIn: requests * 310,
    bytesOut: requests * 5123,
    bytesInKnown: requests,
    bytesOutKnown: requests,
  };
  for (const [name, value] of Object.entries({
    ...values,
    latencyKnown: requests,
    latencySum: requests * 3011,
    latencyMax: 90_000 + seed,
    reads: requests - 3,
    writes: 3,
  })) {
    counters[C[name as keyof typeof C]] = value;
  }
  counters[C.first] = BASE_MINUTE * 60_000 + (seed % 60_000);
  counters[C.last] = (BASE_MINUTE + 1) * 60_000 - 1;
  const sketch = new Sketch();
  for (let i = 0; i < 8; i++) sketch.latency.add(150 + ((seed * 3 + i * 5) % 60), 2 + i);
  const tally = (dimension: Dimension, texts: readonly string[]): void => {
    const items = texts.map((text, i) => {
      hashText(text);
      return { hi: hashLanes.hi, lo: hashLanes.lo, text, count: requests - i, failed: 0, over: 0 };
    });
    sketch.tallies.set(dimension, new Tally(items));
  };
  tally('address', [`203.0.113.${seed % 200}`]);
  tally('agent', ['python-requests/2.31.0']);
  tally(
    'route',
    Array.from({ length: 4 }, (_, i) => `/api/v1/things/{id}/r${(seed + i) % 12}`),
  );
  tally(
    'object',
    Array.from({ length: objects }, (_, i) => `o${(seed * 7 + i) % 500}`),
  );
  return encodeCells(counters, sketch);
}

/** Runs `work` and tells what it took. */
async function measure(name: string, rows: number, work: () => Promise<void>): Promise<StoreResult> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const wallSeconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  return {
    name,
    rows,
    rowsPerSecond: Math.round(rows / wallSeconds),
    cpuSeconds: (used.user + used.system) / 1e6,
    wallSeconds,
    rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}

async function drain(windows: AsyncIterable<unknown>): Promise<void> {
  const iterator = windows[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

function batchOf(start: number, rows: readonly PartialRow[]): PartialBatch {
  return {
    segment: { source: 1, partition: 0, generation: 1, start },
    next: start + 1,
    isSealed: true,
    rows,
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: rows.length,
    newest: 0,
  };
}

async function withStore(work: (store: MetricStore, file: string) => Promise<readonly StoreResult[]>): Promise<readonly StoreResult[]> {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch-bench-'));
  try {
    await using store = await openMetricStore({ directory });
    return await work(store, join(directory, 'metrics.db'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** 5,000 keys minute by minute, as the ingest path writes them: 450,000 rows are the windows of 10 million events. */
function minutes(rows: number): Promise<readonly StoreResult[]> {
  const cells = Array.from({ length: 2000 }, (_, i) => sampleCells(i * 7));
  const keys = Array.from({ length: KEYS }, (_, i) => entityId('key', `kf1_${((i * 2654435761) >>> 0).toString(16).padStart(32, '0')}`));
  const perBatch = KEYS * 3;
  const batches = Array.from({ length: Math.ceil(rows / perBatch) }, (_, b) =>
    batchOf(
      b,
      Array.from({ length: perBatch }, (_row, i) => ({
        window: BASE_MINUTE + b * 3 + (i % 3),
        entity: keys[((i * 7919) % perBatch) % KEYS] as EntityId,
        cells: cells[(i * 31 + b) % cells.length] as Uint8Array,
      })),
    ),
  );
  const total = batches.length * perBatch;
  return withStore(async (store, file) => {
    const put = async (): Promise<void> => {
      for (const batch of batches) await store.put(batch);
    };
    const results = [await measure('put, new rows', total, put), await measure('put, the same rows again', total, put)];
    const bytesPerRow = Math.round(statSync(file).size / total);
    results.push(await measure('fold to hours and days', total, async () => void (await store.fold())));
    results.push(
      await measure('one key, 24 h of minutes', 1, async () => {
        await drain(store.windows({ from: BASE_MINUTE, to: BASE_MINUTE + 1440, entity: keys[17] as EntityId }));
      }),
    );
    results.push(
      await measure('all keys, every minute', total, async () => {
        await drain(store.windows({ from: BASE_MINUTE, to: BASE_MINUTE + 1440 }));
      }),
    );
    results.push(
      await measure(
        'top 20 of one hour',
        KEYS * 60,
        async () => void (await store.totals({ from: BASE_MINUTE * 60_000, to: (BASE_MINUTE + 59) * 60_000, limit: 20 })),
      ),
    );
    results.push(await measure('all totals over all time', KEYS, async () => void (await store.totals({ from: 0, to: Number.POSITIVE_INFINITY }))));
    return results.map((result) => ({ ...result, bytesPerRow }));
  });
}

/** A million keys, new and then known: one window each, in batches of 20,000. */
function manyKeys(keys: number): Promise<readonly StoreResult[]> {
  const cells = Array.from({ length: 500 }, (_, i) => sampleCells(i * 7, 1));
  const names = Array.from({ length: keys }, (_, i) => entityId('key', `kf1_${((i * 2654435761) >>> 0).toString(16).padStart(8, '0')}${'0'.repeat(24)}`));
  const batches = (minute: number): readonly PartialBatch[] =>
    Array.from({ length: Math.ceil(keys / 20_000) }, (_, b) =>
      batchOf(
        minute * 1000 + b,
        names.slice(b * 20_000, (b + 1) * 20_000).map((entity, i) => ({ window: BASE_MINUTE + minute, entity, cells: cells[i % cells.length] as Uint8Array })),
      ),
    );
  return withStore(async (store) => {
    const put = async (made: readonly PartialBatch[]): Promise<void> => {
      for (const batch of made) await store.put(batch);
    };
    const [first, second] = [batches(0), batches(1)];
    return [
      await measure(`put, ${keys} new keys`, keys, () => put(first)),
      await measure(`put, ${keys} known keys`, keys, () => put(second)),
      await measure(`fold, ${keys} keys`, keys * 2, async () => void (await store.fold())),
    ];
  });
}

export async function run(rows = 450_000): Promise<readonly StoreResult[]> {
  return [...(await minutes(rows)), ...(await manyKeys(1_000_000))];
}

if (import.meta.main) {
  const results = await run(process.argv[2] === undefined ? undefined : Number(process.argv[2]));
  const line = (cells: readonly string[]): string =>
    `${(cells[0] ?? '').padEnd(28)}${cells
      .slice(1)
      .map((cell) => cell.padStart(12))
      .join('')}\n`;
  process.stdout.write(line(['', 'rows', 'rows/s', 'CPU s', 'wall s', 'RSS MB']));
  for (const result of results)
    process.stdout.write(
      line([result.name, String(result.rows), String(result.rowsPerSecond), result.cpuSeconds.toFixed(3), result.wallSeconds.toFixed(3), String(result.rssMb)]),
    );
}
