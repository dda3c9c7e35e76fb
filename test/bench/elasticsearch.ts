/**
 * A rough guide: `node test/bench/elasticsearch.ts [http://node:9200]`. CPU per row of what the metric store does, made
 * into a bulk body and, with a node, put into it whole. Everything of this process counts: the body, the request, the answer.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../core/clock.ts';
import { entityId } from '../../core/types.ts';
import { BulkBody } from '../../storage/elasticsearch/bulk-body.ts';
import { BulkWriter } from '../../storage/elasticsearch/bulk-writer.ts';
import { openElasticsearch } from '../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../storage/elasticsearch/metric-store.ts';
import { RowBody } from '../../storage/elasticsearch/row-body.ts';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import { cellsOf } from '../conformance/history.ts';

const ROWS = 200_000;
const REPEATS = 5;
const WINDOW = 29_000_000;
const SEGMENT = { source: 1, partition: 3, generation: 1, start: 123_456_789 };

const cells = cellsOf({
  requests: 123,
  s2xx: 100,
  s401: 3,
  failedAuth: 3,
  bytesOut: 123_456,
  latencySum: 99_999,
  addresses: new Map([
    ['198.51.100.7', 100],
    ['198.51.100.8', 23],
  ]),
});
const rows: readonly PartialRow[] = Array.from({ length: ROWS }, (_, i) => ({
  window: WINDOW + (i % 3),
  entity: entityId('key', `kf1_${((i * 2_654_435_761) % 2 ** 32).toString(16).padStart(32, '0')}`),
  cells,
}));

async function cpuUs(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROWS;
}

async function print(name: string, work: (repeat: number) => void | Promise<void>): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) least = Math.min(least, await cpuUs(() => work(repeat)));
  process.stdout.write(`${name.padEnd(40)} ${least.toFixed(2).padStart(6)} us/row\n`);
}

const body = new BulkBody({ docsMax: 5000, bytesMax: 4e6 });
await print('row by row as text', () => {
  for (const row of rows) {
    const source = JSON.stringify({ ts: row.window * 60_000, s: '1.3.z.1', next: 99, e: row.entity, b: 7, cells: Buffer.from(row.cells).toString('base64') });
    body.push({ op: 'index', index: 'keywatch-partial-2026.11.24', id: `${row.window.toString(36)}.1.3.z.1.${row.entity}`, version: 99 }, source);
    if (body.isFull) body.reset();
  }
});
await print('rows as bytes', () => {
  const rowBody = new RowBody(SEGMENT, 99, () => 'keywatch-partial-2026.11.24');
  for (const row of rows) {
    rowBody.row(body, row);
    if (body.isFull) body.reset();
  }
});

const [node] = process.argv.slice(2);
if (node !== undefined) {
  await using elasticsearch = await openElasticsearch({ nodes: [node] }, { clock: systemClock, random: Math.random });
  const prefix = `kw-bench-${randomBytes(4).toString('hex')}`;
  const writer = new BulkWriter(elasticsearch);
  await using store = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch, writer });
  const batch = (next: number): PartialBatch => ({
    segment: SEGMENT,
    next,
    isSealed: false,
    rows,
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: next,
    newest: 0,
  });
  try {
    await print('a put, the first one new, then again', async (repeat) => {
      const outcome = await store.put(batch(SEGMENT.start + repeat));
      if (!outcome.ok) throw new Error(outcome.reason);
    });
  } finally {
    await elasticsearch.client.indices.delete({ index: `${prefix}-*`, expand_wildcards: 'all' });
    await elasticsearch.client.indices.deleteIndexTemplate({ name: `${prefix}-*` });
  }
}
