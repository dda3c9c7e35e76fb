import { DatabaseSync } from 'node:sqlite';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { C, at } from '../../../core/counters.ts';
import { LOCK_FILE, PID_FILE, lockDirectory } from '../../../storage/sqlite/lock.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { MINUTES, ROWS_PER_BATCH, numberedBatch, requestsIn } from '../batches.ts';
import { outputOf, startChild } from '../process.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

describe('kill -9', () => {
  test('what was acknowledged is stored, whole and once, and the file is sound', async () => {
    const child = startChild('write-batches', [scratch.path, '100000']);
    let acknowledged = 0;
    for await (const line of child.lines) {
      if (line.startsWith('acknowledged')) acknowledged++;
      if (acknowledged === 40) child.process.kill('SIGKILL');
    }
    expect(await child.ended).toBe(null);
    await using store = await openMetricStore({ directory: scratch.path });
    expect(await store.check()).toEqual([]);
    const stored = (await store.resume(1, 0))?.next ?? 0;
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    const totals = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY });
    expect(totals.reduce((sum, total) => sum + at(total.counters, C.requests), 0)).toBe(requestsIn(stored));
    expect(await store.put(numberedBatch(stored))).toEqual({ ok: true });
  });

  test('the lock of a killed process is gone with it, its pid file is no obstacle', async () => {
    const child = startChild('write-batches', [scratch.path, '1']);
    for await (const line of child.lines) if (line === 'done') break;
    expect(() => lockDirectory(scratch.path)).toThrow(
      `another keywatch (process ${child.process.pid}) writes to the data directory ${scratch.path}; stop it or choose another directory`,
    );
    child.process.kill('SIGKILL');
    await child.ended;
    expect(existsSync(join(scratch.path, PID_FILE))).toBe(true);
    using lock = lockDirectory(scratch.path);
    expect(readFileSync(join(scratch.path, PID_FILE), 'utf8')).toBe(`${process.pid}\n`);
    lock.release();
  });
});

describe('a second process', () => {
  test('reads whole batches while the first one writes', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    await store.put(numberedBatch(0));
    const reading = outputOf('read-totals', [scratch.path]);
    const isRead = async (): Promise<boolean> => Promise.race([reading.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
    let batches = 1;
    // Writes for as long as the reader takes.
    while (!(await isRead())) await store.put(numberedBatch(batches++));
    const { requests, windows } = JSON.parse(await reading) as { requests: number; windows: number };
    const counts = Array.from({ length: batches }, (_, i) => i + 1);
    expect(counts.map(requestsIn)).toContain(requests);
    expect(counts.map((count) => ROWS_PER_BATCH * Math.min(count, MINUTES))).toContain(windows);
  });
});

describe('the lock of a data directory', () => {
  test('is held by one, names its holder, and is free after release', () => {
    const first = lockDirectory(scratch.path);
    expect(() => lockDirectory(scratch.path)).toThrow(`another keywatch (process ${process.pid}) writes to the data directory ${scratch.path}`);
    first.release();
    first.release();
    expect(existsSync(join(scratch.path, PID_FILE))).toBe(false);
    using second = lockDirectory(scratch.path);
    expect(() => lockDirectory(scratch.path)).toThrow(/another keywatch/);
    second.release();
  });

  test('a process that does not live is not named as its holder', () => {
    const other = new DatabaseSync(join(scratch.path, LOCK_FILE));
    other.exec('begin exclusive');
    // Above the largest pid that Linux gives.
    writeFileSync(join(scratch.path, PID_FILE), '4194305\n');
    expect(() => lockDirectory(scratch.path)).toThrow(`another process writes to the data directory ${scratch.path}`);
    other.close();
    lockDirectory(scratch.path).release();
  });

  test('the directory is made when it is missing', () => {
    lockDirectory(join(scratch.path, 'new', 'data')).release();
    expect(existsSync(join(scratch.path, 'new', 'data', LOCK_FILE))).toBe(true);
  });
});
