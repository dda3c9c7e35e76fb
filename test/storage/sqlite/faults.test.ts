import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { C, at } from '../../../core/counters.ts';
import type { MetricStore } from '../../../core/ports.ts';
import { entityId } from '../../../core/types.ts';
import { METRICS_FILE } from '../../../storage/sqlite/files.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { EVER } from '../../conformance/read.ts';
import { numberedBatch, requestsIn } from '../batches.ts';
import { outputOf, startChild } from '../process.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

async function requests(store: MetricStore): Promise<number> {
  return (await store.totals({ from: 0, to: Number.POSITIVE_INFINITY })).reduce((sum, total) => sum + at(total.counters, C.requests), 0);
}

/** Puts numbered batches until one is refused; returns its number and what was said. */
async function fill(store: MetricStore): Promise<{ readonly stored: number; readonly outcome: Awaited<ReturnType<MetricStore['put']>> }> {
  for (let index = 0; ; index++) {
    const outcome = await store.put(numberedBatch(index));
    if (!outcome.ok) return { stored: index, outcome };
  }
}

describe('a full disk', () => {
  test('refuses the whole batch, keeps all before it, and goes on when there is room', async () => {
    const directory = scratch.path;
    await using store = await openMetricStore({ directory, pagesMax: 60 });
    const { stored, outcome } = await fill(store);
    expect(outcome).toEqual({ ok: false, retryable: true, reason: `disk full: ${join(directory, METRICS_FILE)}; free some space` });
    expect(stored).toBeGreaterThan(3);
    expect([await requests(store), (await store.resume(1, 0))?.next]).toEqual([requestsIn(stored), stored]);
    // Names that were given in the refused transaction belong to nobody, in this process too.
    const fresh = { ...numberedBatch(stored), rows: [{ ...numberedBatch(stored).rows[0], window: EVER.from, entity: entityId('key', 'fresh') }] } as ReturnType<
      typeof numberedBatch
    >;
    expect(
      await store.put({
        ...fresh,
        rows: Array.from({ length: 9000 }, (_, i) => ({
          window: EVER.from,
          entity: entityId('key', `n${i}`),
          cells: fresh.rows[0]?.cells ?? new Uint8Array(0),
        })),
      }),
    ).toMatchObject({ ok: false });
    await store[Symbol.asyncDispose]();
    await using roomy = await openMetricStore({ directory });
    expect(await roomy.put(numberedBatch(stored))).toEqual({ ok: true });
    expect(await requests(roomy)).toBe(requestsIn(stored + 1));
    expect(await roomy.check()).toEqual([]);
    expect(await roomy.totals({ from: 0, to: EVER.from * 60_000 + 1 })).toEqual([]);
  });

  test('ids of a refused batch are not given to rows of a later one', async () => {
    await using store = await openMetricStore({ directory: scratch.path, pagesMax: 40 });
    const cells = numberedBatch(0).rows[0]?.cells ?? new Uint8Array(0);
    const batch = (index: number, names: readonly string[]): ReturnType<typeof numberedBatch> => ({
      ...numberedBatch(index),
      rows: names.map((name) => ({ window: EVER.from, entity: entityId('key', name), cells })),
    });
    expect(
      await store.put(
        batch(
          0,
          Array.from({ length: 20_000 }, (_, i) => `refused ${i}`),
        ),
      ),
    ).toMatchObject({ ok: false, retryable: true });
    expect(await store.put(batch(0, ['a', 'b']))).toEqual({ ok: true });
    expect(await store.put(batch(1, ['refused 0', 'a']))).toEqual({ ok: true });
    expect((await store.totals({ from: 0, to: Number.POSITIVE_INFINITY })).map((total) => [total.entity, at(total.counters, C.requests)])).toEqual([
      ['key:a', 2],
      ['key:b', 1],
      ['key:refused 0', 1],
    ]);
  });

  test('a write that the system cuts off changes nothing', async () => {
    // A limit on the size of files, which holds for root too.
    const child = startChild('write-batches', [scratch.path, '100000'], 'ulimit -f 1500;');
    const lines: string[] = [];
    for await (const line of child.lines) lines.push(line);
    const refused = JSON.parse(lines.at(-1) ?? '{}') as { refused: number; retryable: boolean; reason: string };
    expect(refused).toMatchObject({ refused: lines.length - 1, ok: false, retryable: true });
    expect(refused.reason).toMatch(/^(disk full|the disk fails to read or write): .*metrics\.db; /);
    await using store = await openMetricStore({ directory: scratch.path });
    expect(await store.check()).toEqual([]);
    expect([(await store.resume(1, 0))?.next, await requests(store)]).toEqual([refused.refused, requestsIn(refused.refused)]);
    expect(await store.put(numberedBatch(refused.refused))).toEqual({ ok: true });
  });
});

describe('a database that somebody else holds', () => {
  test('refuses for now and changes nothing', async () => {
    await using store = await openMetricStore({ directory: scratch.path, busyTimeoutMs: 1 });
    await store.put(numberedBatch(0));
    const other = new DatabaseSync(store.path);
    other.exec('begin immediate');
    expect(await store.put(numberedBatch(1))).toEqual({
      ok: false,
      retryable: true,
      reason: `locked by another process: ${store.path}; find out who else writes to it`,
    });
    await expect(store.fold()).rejects.toMatchObject({ name: 'StorageFault', isRetryable: true });
    other.exec('rollback');
    other.close();
    expect(await requests(store)).toBe(requestsIn(1));
    expect(await store.put(numberedBatch(1))).toEqual({ ok: true });
  });
});

describe('a store opened to read only', () => {
  test('says so to every write, and that nothing is stored yet where nothing is', async () => {
    await expect(openMetricStore({ directory: scratch.path, readOnly: true })).rejects.toThrow(
      /^nothing stored yet: .*metrics\.db does not exist; start keywatch on this data directory first$/,
    );
    await using writer = await openMetricStore({ directory: scratch.path });
    await writer.put(numberedBatch(0));
    await writer.source('known');
    await using reader = await openMetricStore({ directory: scratch.path, readOnly: true });
    expect(await reader.put(numberedBatch(1))).toMatchObject({ ok: false, retryable: false, reason: expect.stringContaining('opened to read only') as string });
    await expect(reader.setControl('a', 'b')).rejects.toThrow(/opened to read only/);
    await expect(reader.source('unknown')).rejects.toThrow(/opened to read only/);
    await expect(reader.fold()).rejects.toThrow(/opened to read only/);
    await expect(reader.retain({ partialsMs: 0, minutesMs: 0, hoursMs: 0, daysMs: 0, bytesMax: 0 }, 0)).rejects.toThrow(/opened to read only/);
    expect(await reader.source('known')).toBe(1);
    expect(await requests(reader)).toBe(requestsIn(1));
  });
});

describe('a data directory without the right to write', () => {
  test('is refused with one line that says what to do', async () => {
    const [empty, filled] = [join(scratch.path, 'empty'), join(scratch.path, 'filled')];
    mkdirSync(empty);
    const store = await openMetricStore({ directory: filled });
    await store.put(numberedBatch(0));
    await store[Symbol.asyncDispose]();
    chmodSync(store.path, 0o444);
    for (const path of [scratch.path, empty, filled]) chmodSync(path, 0o555);
    const said = JSON.parse(await outputOf('without-rights', [empty, filled])) as Record<string, { name: string; message: string }>;
    for (const path of [scratch.path, empty, filled]) chmodSync(path, 0o755);
    expect(said).toEqual({
      lock: { name: 'StorageFault', message: `cannot be opened: ${empty}/keywatch.lock; check that the directory exists and is writable` },
      metrics: { name: 'StorageFault', message: `cannot be opened: ${empty}/metrics.db; check that the directory exists and is writable` },
      journal: { name: 'StorageFault', message: `cannot be opened: ${empty}/state.db; check that the directory exists and is writable` },
      below: { name: 'StorageFault', message: `cannot make the data directory ${empty}/data; check its owner or choose another one` },
      filled: { name: 'StorageFault', message: `read-only: ${filled}/metrics.db; make the data directory writable` },
    });
  });
});

describe('a file that is not ours', () => {
  test('text in its place is refused by name', async () => {
    writeFileSync(join(scratch.path, METRICS_FILE), 'not a database, although it is long enough to be read as one. '.repeat(20));
    await expect(openMetricStore({ directory: scratch.path })).rejects.toThrow(`not a database: ${join(scratch.path, METRICS_FILE)}; move the file away`);
  });

  test('a damaged page is found by the check, and a read of it is a fault, not a wrong number', async () => {
    const store = await openMetricStore({ directory: scratch.path });
    for (let index = 0; index < 30; index++) await store.put(numberedBatch(index));
    await store[Symbol.asyncDispose]();
    const db = new DatabaseSync(store.path);
    const pages = db.prepare("select pageno from dbstat where name glob 'm_*' and pagetype = 'leaf'").all();
    db.close();
    const file = openSync(store.path, 'r+');
    for (const { pageno } of pages) writeSync(file, new Uint8Array(200).fill(0xff), 0, 200, (Number(pageno) - 1) * 16_384);
    closeSync(file);
    await using damaged = await openMetricStore({ directory: scratch.path });
    expect((await damaged.check()).length).toBeGreaterThan(0);
    await expect(requests(damaged)).rejects.toThrow(/damaged: .*metrics\.db; restore a backup or move the file away/);
  });

  test('a directory that is a file is refused', async () => {
    const path = join(scratch.path, 'file');
    writeFileSync(path, '');
    await expect(openMetricStore({ directory: path })).rejects.toThrow(/cannot make the data directory .*file; check its owner or choose another one/);
    rmSync(path);
  });
});
