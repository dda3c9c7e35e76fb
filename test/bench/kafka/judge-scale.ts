/**
 * What judging a million keys in one minute takes, with the documents of dashboards in a real Elasticsearch:
 * `node test/bench/kafka/judge-scale.ts [--keys 1000000 --minutes 3]`. Rows of the next minute arrive while those of the one before
 * are written, as they do. Prints a table and JSON; exit code 1 where a bar is missed.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../../app/config/load.ts';
import { ConfiguredDirectory } from '../../../app/pipeline/configured-directory.ts';
import { WindowWriter } from '../../../app/pipeline/window-writer.ts';
import { connectElasticsearch } from '../../../app/wire/stores.ts';
import { systemClock } from '../../../core/clock.ts';
import type { PartialRow } from '../../../core/partial.ts';
import { type EntityId, type Minute, entityId } from '../../../core/types.ts';
import { minuteOf, startOf } from '../../../core/window.ts';
import { createJudge } from '../../../detectors/judge.ts';
import { BulkWriter } from '../../../storage/elasticsearch/bulk-writer.ts';
import { windowStore } from '../../../storage/elasticsearch/windows.ts';
import { memoryMetricStore } from '../../../storage/memory/metric-store.ts';
import { batch, cellsOf } from '../../detectors/support.ts';
import { deleteIndices } from './indices.ts';
import { usageOf } from './process.ts';
import { type Row, report } from './report.ts';
import { openServices } from './services.ts';

const RSS_BAR_MB = 2500;
/** A minute's documents are written before the next minute is closed. */
const WRITE_BAR_S = 60;
const BLOCK_BAR_MS = 1000;
const BATCH_ROWS = 5000;
const PARTITIONS = 8;
const HISTORY = 12;
/** As `Pipeline` sets it where dashboards are written. */
const EVIDENCE_BYTES = 1024 ** 3;
const NOBODY: ReadonlyMap<EntityId, ReadonlySet<string>> = new Map();

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: '3' },
    out: { type: 'string', default: 'bench-results/judge-scale' },
  },
});
const keys = Number(values.keys.replaceAll('_', ''));
const minutes = Number(values.minutes);

await using stack = new AsyncDisposableStack();
const services = stack.use(await openServices(process.env));
const prefix = `kwbench-${process.pid}-scale`;
const { config } = loadConfig({ env: {}, file: undefined });
const elasticsearch = stack.use(
  await connectElasticsearch(
    {
      nodes: [services.elasticsearch],
      prefix,
      shards: 1,
      replicas: 0,
      compression: false,
      ilm: false,
      apiKey: undefined,
      username: undefined,
      password: undefined,
      ca: undefined,
    },
    systemClock,
  ),
);
stack.defer(() => deleteIndices(services.elasticsearch, prefix));
const directory = new ConfiguredDirectory(config);
const judge = createJudge({ directory, evidenceBytesMax: EVIDENCE_BYTES, tracksChanges: true });
const store = memoryMetricStore();
const bulk = new BulkWriter(elasticsearch);
const stop = new AbortController();
const now = minuteOf(Date.now());
const first = now - HISTORY;
let judgedThrough: Minute = first;
await store.setControl('windows.through', String(first));
const writer = new WindowWriter({
  judge: () => judge,
  takeChanged: () => judge.takeChanged(),
  directory,
  store,
  windows: windowStore({ elasticsearch, prefix, writer: bulk, shards: 1, replicas: 0 }),
  clock: systemClock,
  onProblem: (message) => void process.stderr.write(`${message}\n`),
  seq: () => 1,
  judgedThrough: () => judgedThrough,
});
/** Five requests with their addresses, routes and an agent: what a quiet key leaves in a minute. */
const cells = Array.from({ length: 97 }, (_, index) =>
  cellsOf({
    requests: 5,
    s2xx: 5,
    reads: 5,
    bytesOut: 4000 + index,
    bytesOutKnown: 5,
    latencySum: 20_000,
    latencyKnown: 5,
    latencyMax: 9000,
    first: startOf(now),
    last: startOf(now) + 30_000,
    tallies: {
      route: { 'GET /v1/orders/{id}': 3, 'POST /v1/orders': 2 },
      address: { [`203.0.113.${index}`]: 4, '198.51.100.7': 1 },
      agent: { 'curl/8.5.0': 5 },
    },
  }),
);

/** Rows of all keys in one minute, with room for others in between. */
async function deliver(minute: Minute): Promise<void> {
  for (let from = 0; from < keys; from += BATCH_ROWS) {
    const rows: PartialRow[] = [];
    for (let index = from; index < Math.min(from + BATCH_ROWS, keys); index++)
      rows.push({ window: minute, entity: entityId('key', `kf1_${index.toString(16).padStart(32, '0')}`), cells: cells[index % cells.length] as Uint8Array });
    const partition = (from / BATCH_ROWS) % PARTITIONS;
    judge.observe(batch(rows, { segment: { source: 1, partition, generation: 1, start: minute }, next: from + rows.length }), Date.now());
    await turn();
  }
}

async function written(minute: Minute): Promise<void> {
  while (Number(await store.control('windows.through')) <= minute) await systemClock.sleep(20, stop.signal);
}

const running = writer.run(stop.signal);
const delay = monitorEventLoopDelay({ resolution: 5 });
const took: { readonly deliverS: number; readonly closeMs: number; readonly writeS: number; readonly cpuS: number }[] = [];
let writing: Promise<number> | undefined;
let longestMs = 0;
for (let minute = first; minute < first + minutes; minute++) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  await deliver(minute);
  const delivered = performance.now();
  const writeS = writing === undefined ? 0 : await writing;
  delay.disable();
  longestMs = Math.max(longestMs, delay.max / 1e6);
  const closing = performance.now();
  judge.advance(startOf(minute + 1), NOBODY);
  const closed = performance.now();
  judgedThrough = minute + 1;
  const { user, system } = process.cpuUsage(cpu);
  took.push({ deliverS: (delivered - started) / 1000, closeMs: closed - closing, writeS, cpuS: (user + system) / 1e6 });
  delay.reset();
  delay.enable();
  writing = written(minute).then(() => (performance.now() - closed) / 1000);
  process.stderr.write(`judge-scale: ${JSON.stringify(took.at(-1))}, RSS ${(usageOf(process.pid)?.rssMb ?? 0).toFixed(0)} MB\n`);
}
const alone = await writing;
delay.disable();
longestMs = Math.max(longestMs, delay.max / 1e6);
stop.abort();
await running;

const rssMb = usageOf(process.pid)?.rssMb ?? Number.NaN;
const most = (of: (one: (typeof took)[number]) => number): number => Math.max(...took.map(of));
const row = (name: string, reached: number, unit: string, bar?: number, note = ''): Row => ({ name, reached, unit, bar, isUpper: true, note });
const documents = bulk.stats.documents;
const rows: readonly Row[] = [
  row(`judge of ${keys.toLocaleString('en')} keys in each of ${minutes} minutes`, rssMb, 'MB RSS at most', RSS_BAR_MB),
  row(
    'documents of one minute written, while the next minute arrives',
    most(({ writeS }) => writeS),
    's',
    WRITE_BAR_S,
    `${documents} documents of ${(bulk.stats.bytes / documents).toFixed(0)} bytes as sent`,
  ),
  row('documents of one minute written, alone', alone ?? Number.NaN, 's', WRITE_BAR_S),
  row('longest time in which nothing else ran meanwhile', longestMs, 'ms', BLOCK_BAR_MS),
  row(
    'closing a minute',
    most(({ closeMs }) => closeMs),
    'ms',
    BLOCK_BAR_MS,
  ),
  row(
    'rows of one minute taken in, beside writing',
    most(({ deliverS }) => deliverS),
    's',
  ),
  row(
    'CPU of a minute: taken in, closed, the one before written',
    most(({ cpuS }) => cpuS),
    'CPU-s',
    WRITE_BAR_S,
  ),
];
if (!report(rows, { out: values.out, facts: { keys, minutes } })) process.exitCode = 1;
