import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { encodeCells } from '../../core/cells.ts';
import { C, at } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { MetricStore } from '../../core/ports.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { KEY_NAMES } from '../../ingest/parse/key-names.ts';
import { Pump } from '../../ingest/pump.ts';
import { expandInputs } from '../../ingest/source/expand.ts';
import { fileOnce } from '../../ingest/source/file-once.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { quietBus } from '../support/bus.ts';
import { testNormaliser } from '../support/ingest.ts';

const SEGMENT_BYTES = 20_000;
const LINES = 6_000;

/** Lines of which every tenth is a refused guess and every hundredth is garbage. */
function logText(): string {
  const lines: string[] = [];
  for (let i = 0; i < LINES; i++) {
    if (i % 100 === 99) lines.push('not a line');
    else if (i % 10 === 9)
      lines.push(`{"ts":${1_780_390_800_000 + i * 20},"key":"guess-${i}","ip":"198.18.9.${i % 200}","path":"/v1/a","status":401,"bytes":1}`);
    else
      lines.push(
        `{"ts":${1_780_390_800_000 + i * 20},"key":"key-number-${i % 7}","ip":"198.18.0.${i % 40}","path":"/v1/orders/${i}","status":200,"bytes":${i},"ms":${i % 500}}`,
      );
  }
  return `${lines.join('\n')}\n`;
}

async function pumped(path: string, pool: CellPool | undefined): Promise<{ store: MetricStore; batches: number }> {
  const store = memoryMetricStore();
  const { inputs } = await expandInputs([path]);
  const batches: PartialBatch[] = [];
  const pump = new Pump(
    { segmentBytes: SEGMENT_BYTES, detect: {}, limits: DEFAULT_LIMITS, flushMs: 1e9, normaliser: () => testNormaliser() },
    {
      source: fileOnce({ inputs, segmentBytes: SEGMENT_BYTES }, { newId: () => 'partition' }),
      store,
      bus: quietBus((batch) => void batches.push(batch)),
      clock: systemClock,
      onProblem: (message) => expect(message).toBe(''),
      origin: 'test',
      pool,
    },
  );
  await pump.run(new AbortController().signal);
  return { store, batches: batches.length };
}

async function dump(store: MetricStore): Promise<readonly string[]> {
  const rows: string[] = [];
  for await (const stored of store.windows({ from: 0, to: 40_000_000 })) {
    rows.push(`${stored.window.start} ${stored.entity} ${Buffer.from(encodeCells(stored.counters, stored.sketch())).toString('hex')}`);
  }
  return rows.sort();
}

test('a backlog counted by several threads is stored to the byte as one thread stores it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keywatch-parallel-'));
  await using pool = new CellPool(3, {
    pepper: Buffer.alloc(32, 7).toString('base64'),
    keyNames: KEY_NAMES,
    keyBy: 'auto',
    trustedProxies: ['127.0.0.0/8'],
    forwardedDepth: 0,
  });
  try {
    const path = join(folder, 'access.json');
    const text = logText();
    writeFileSync(path, text);
    const one = await pumped(path, undefined);
    const many = await pumped(path, pool);
    const rows = await dump(one.store);
    expect(await dump(many.store)).toEqual(rows);
    const source = await one.store.source('partition');
    const [a, b] = [await one.store.resume(source, 0), await many.store.resume(await many.store.source('partition'), 0)];
    expect(b).toEqual(a);
    expect(a?.next).toBe(Buffer.byteLength(text));
    const totals = await many.store.totals({ from: 0, to: 4_000_000_000_000, kinds: ['key', 'refused'] });
    expect(totals.reduce((sum, { counters }) => sum + at(counters, C.requests), 0)).toBe(LINES - LINES / 100);
    expect(many.batches).toBeGreaterThan(10);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
