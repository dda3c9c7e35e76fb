import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'vitest';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';
import { checkHistory, historyArb } from './crash-law.ts';

const runs = Number(process.env['KEYWATCH_LAW_RUNS'] ?? 1000);

test('crash law, memory: counters, sets and histograms equal the truth whatever stops, resumes or is written again', async () => {
  await fc.assert(
    fc.asyncProperty(historyArb, (history) => checkHistory(history, async () => memoryMetricStore())),
    { numRuns: runs },
  );
}, 600_000);

test('crash law, SQLite: counters, sets and histograms equal the truth whatever stops, resumes or is written again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'keywatch-law-'));
  let n = 0;
  try {
    await fc.assert(
      fc.asyncProperty(historyArb, (history) => {
        const directory = join(root, String(n++));
        return checkHistory(history, () => openMetricStore({ directory })).finally(() => rmSync(directory, { recursive: true, force: true }));
      }),
      { numRuns: runs },
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 3_600_000);
