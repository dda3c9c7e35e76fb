/**
 * npm run bench:kafka: a real broker, a real Elasticsearch, `keywatch run` between them. CPU is that of the whole process, start-up
 * included, until everything is stored; every run is held against a ledger that the generator kept. Exits with 1 where a bar of
 * issue 4 is missed. Per event and in the same run: counters only, the full window, packed messages, other formats, 1,000,000 keys,
 * Kafka Streams doing the same job, and the delay from an event to the message in Slack.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { FormatName } from '../../../app/simulate/format/format.ts';
import { quietClient } from '../../services/topic.ts';
import { alertDelay } from './alert-delay.ts';
import { type Consumed, NODE_FLAGS, type Place, freshName, runKeywatch, runMain, runStreams } from './consume.ts';
import { type FillOptions, type Filled, fillTopic } from './fill.ts';
import { javaTools } from './java.ts';
import { type Row, lineOf, report, shown } from './report.ts';
import { openServices } from './services.ts';
import type { Exactness } from './verify.ts';

const PARTS = ['single', 'packed', 'formats', 'keys', 'streams', 'delay'] as const;
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: PARTS.join(',') },
    events: { type: 'string', default: '2000000,10000000' },
    runs: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '4' },
    compression: { type: 'string', default: 'none' },
    'batch-bytes': { type: 'string', default: String(128 << 10) },
    'node-flags': { type: 'string', default: NODE_FLAGS.join(' ') },
    'active-keys': { type: 'string', default: '1000000' },
    alerts: { type: 'string', default: '40' },
    rate: { type: 'string', default: '20000' },
    profile: { type: 'string' },
    out: { type: 'string', default: 'bench-results' },
  },
});
const wanted = values.only.split(',');
const unknown = wanted.find((part) => !PARTS.some((known) => known === part));
if (unknown !== undefined) throw new Error(`there is no part "${unknown}"; there are ${PARTS.join(', ')}`);
const wants = (part: (typeof PARTS)[number]): boolean => wanted.includes(part);
const sizes = values.events.split(',').map((text) => Number(text.replaceAll('_', '')));
const runs = Number(values.runs);

/** CPU-seconds per 100,000 events of issue 4: from 10 million events on, and below. */
const BARS = { counters: [0.12, 0.15], full: [0.18, 0.22], packed: [0.12, 0.18] } as const;
const LARGE = 10_000_000;
const CPU_US_PER_DOCUMENT = 5;
const TIMES_STREAMS = 6;
const PACKED_LINES = 100;
const RSS_BARS_MB = { counters: 600, full: 1500, judge: 2500 };
const DELAY_MS = 1000;

const rows: Row[] = [];
const say = (line: string): void => void process.stderr.write(`bench:kafka: ${line}\n`);
const add = (row: Row): void => {
  rows.push(row);
  say(lineOf(row));
};
const barOf = (name: keyof typeof BARS, events: number): number => BARS[name][events >= LARGE ? 0 : 1];
const per100k = (cpuSeconds: number, events: number): number => (cpuSeconds / events) * 100_000;
const million = (events: number): string => `${events / 1e6}M`;

const found = await javaTools(say);
if (found === undefined) {
  say('SKIPPED: needs Java 17 or newer and Maven, to fill topics fast enough');
  process.exit(1);
}
const java = found;
await using stack = new AsyncDisposableStack();
const services = stack.use(await openServices(process.env));
const folder = mkdtempSync(join(tmpdir(), 'keywatch-bench-kafka-'));
stack.defer(() => rmSync(folder, { recursive: true, force: true }));
const place: Place = { services, folder, nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== '') };
const usual: Omit<FillOptions, 'topic' | 'events'> = {
  brokers: services.brokers,
  partitions: Number(values.partitions),
  format: 'ndjson',
  keys: 5000,
  eventsPerMinute: 100_000,
  zipfExponent: 1,
  perMessage: 1,
  compression: values.compression,
  batchBytes: Number(values['batch-bytes']),
};

/** A topic for the time of `use`. */
async function withFilled(options: Partial<FillOptions> & { readonly events: number }, use: (filled: Filled) => Promise<void>): Promise<void> {
  const topic = freshName('topic');
  const started = performance.now();
  try {
    const filled = await fillTopic({ ...usual, ...options, topic }, java);
    const bytes = filled.bytes / filled.events;
    say(
      `${topic}: ${filled.events} events of ${bytes.toFixed(0)} bytes in ${filled.messages} messages, ${filled.ledger.windows} key-minutes, ${((performance.now() - started) / 1000).toFixed(0)} s`,
    );
    await use(filled);
  } finally {
    const admin = quietClient(services.brokers).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] }).catch(() => undefined);
    await admin.disconnect();
  }
}

/** The run with the median CPU. The first one is held against the ledger. */
async function median<T extends Consumed>(events: number, run: (exactness: Exactness | undefined) => Promise<T>, exactness?: Exactness): Promise<T> {
  const all: T[] = [];
  for (let i = 0; i < (events >= LARGE ? 1 : runs); i++) all.push(await run(i === 0 ? exactness : undefined));
  const sorted = all.toSorted((a, b) => a.cpuSeconds - b.cpuSeconds);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error('--runs must be at least 1');
  return middle;
}

function described(filled: Filled, consumed: Consumed): string {
  const { documents } = consumed;
  const { events } = filled;
  const parts = [
    `${shown(events / consumed.cpuSeconds)} events per CPU-second`,
    `${shown(events / consumed.seconds)} events/s`,
    `RSS ${consumed.rssMb.toFixed(0)} MB`,
  ];
  if (documents !== undefined)
    parts.push(
      `${(events / documents.documents).toFixed(1)} events per document, ${documents.documents} documents of ${documents.bytesPerDocument.toFixed(0)} bytes, written ${(documents.writes / documents.documents).toFixed(2)} times each`,
    );
  return parts.join(', ');
}

function addCpu(name: string, filled: Filled, consumed: Consumed, bar?: number): void {
  add({
    name,
    reached: per100k(consumed.cpuSeconds, filled.events),
    unit: 'CPU-s per 100,000 events',
    bar,
    isUpper: true,
    note: described(filled, consumed),
    measured: consumed,
  });
}

// Everything is compiled and in the page cache before anything is measured, as it is on a machine that runs it for ever.
say('warming up');
await withFilled({ events: 50_000 }, async (filled) => {
  await runKeywatch(filled, place, { exactness: 'key and minute' });
  await runMain(filled, place, { sketches: 'none', exactness: 'key and minute' });
});

const single = wants('single') || wants('streams');
for (const events of single ? sizes : []) {
  await withFilled({ events }, async (filled) => {
    const profile = values.profile === undefined ? undefined : `${values.profile}-${million(events)}.cpuprofile`;
    if (profile !== undefined) await runMain(filled, place, { sketches: 'window', profile });
    const counters = await median(
      events,
      (exactness) => runMain(filled, place, { sketches: 'none', ...(exactness === undefined ? {} : { exactness }) }),
      'key and minute',
    );
    addCpu(`${million(events)} single, counters only`, filled, counters, barOf('counters', events));
    if (wants('single')) {
      const bare = await median(events, () => runMain(filled, place, { sketches: 'none', store: 'none', bus: 'none' }));
      addCpu(`${million(events)} single, counters only, nothing stored or told`, filled, bare);
      const full = await median(events, (exactness) => runKeywatch(filled, place, exactness === undefined ? {} : { exactness }), 'key and minute');
      addCpu(`${million(events)} single, keywatch run --roles ingest (full window)`, filled, full, barOf('full', events));
      addPerDocument(`${million(events)} single, counters only: CPU per document`, counters, bare);
    }
    if (!wants('streams')) return;
    const streams = await median(events, () => runStreams(filled, place, java));
    addCpu(`${million(events)} single, Kafka Streams`, filled, streams);
    add({
      name: `${million(events)} single, counters only against Kafka Streams`,
      reached: streams.cpuSeconds / counters.cpuSeconds,
      unit: 'times the events per CPU-second',
      bar: TIMES_STREAMS,
    });
  });
}

/** What storing and telling adds, by document written: documents, not events, set the cost of that. */
function addPerDocument(name: string, consumed: Consumed, bare: Consumed): void {
  const writes = consumed.documents?.writes ?? Number.NaN;
  add({
    name,
    reached: ((consumed.cpuSeconds - bare.cpuSeconds) / writes) * 1e6,
    unit: 'us',
    bar: CPU_US_PER_DOCUMENT,
    isUpper: true,
    note: `over the same run with nothing stored or told, ${writes} documents written`,
  });
}

for (const events of wants('packed') ? sizes : []) {
  await withFilled({ events, perMessage: PACKED_LINES }, async (filled) => {
    const name = `${million(events)} packed (${PACKED_LINES} per message)`;
    const counters = await median(
      events,
      (exactness) => runMain(filled, place, { sketches: 'none', ...(exactness === undefined ? {} : { exactness }) }),
      'key and minute',
    );
    addCpu(`${name}, counters only`, filled, counters, barOf('packed', events));
    const bare = await median(events, () => runMain(filled, place, { sketches: 'none', store: 'none', bus: 'none' }));
    addPerDocument(`${name}, counters only: CPU per document`, counters, bare);
    addCpu(`${name}, keywatch run --roles ingest (full window)`, filled, await median(events, () => runKeywatch(filled, place)));
  });
}

const formats: readonly (readonly [FormatName, Exactness])[] = [
  ['nginx-json', 'key'],
  ['kong', 'total'],
];
for (const [format, exactness] of wants('formats') ? formats : []) {
  await withFilled({ events: Math.min(...sizes), format }, async (filled) => {
    const name = `${million(filled.events)} single, ${format} (${(filled.bytes / filled.events).toFixed(0)} bytes)`;
    addCpu(
      `${name}, counters only`,
      filled,
      await median(filled.events, (exact) => runMain(filled, place, { sketches: 'none', ...(exact === undefined ? {} : { exactness: exact }) }), exactness),
    );
    addCpu(`${name}, keywatch run --roles ingest`, filled, await median(filled.events, () => runKeywatch(filled, place)));
  });
}

if (wants('keys')) {
  const keys = Number(values['active-keys']);
  // Five events of each in two minutes: 41,667 events a second.
  await withFilled({ events: keys * 5, keys, zipfExponent: 0, eventsPerMinute: keys * 2.5 }, async (filled) => {
    const name = `${keys.toLocaleString('en')} active keys`;
    const memory = (what: string, reached: number, bar: number, consumed: Consumed): void =>
      add({ name: `${name}: memory, ${what}`, reached, unit: 'MB', bar, isUpper: true, note: described(filled, consumed), measured: consumed });
    const counters = await runMain(filled, place, { sketches: 'none' });
    memory('ingest, counters only', counters.rssMb, RSS_BARS_MB.counters, counters);
    const full = await runKeywatch(filled, place, { judges: true });
    memory('keywatch run --roles ingest (full window)', full.rssMb, RSS_BARS_MB.full, full);
    memory('keywatch run --roles judge beside it', full.judge?.rssMb ?? Number.NaN, RSS_BARS_MB.judge, full);
  });
}

if (wants('delay')) {
  const delays = await alertDelay({ place, alerts: Number(values.alerts), rate: Number(values.rate), partitions: usual.partitions, onLost: say }, java);
  add({
    name: `event produced -> Slack request received, p99 at ${Number(values.rate).toLocaleString('en')} events/s`,
    reached: delays.p99Ms,
    unit: 'ms',
    bar: DELAY_MS,
    isUpper: true,
    note: `p50 ${delays.p50Ms.toFixed(0)} ms, most ${delays.maxMs.toFixed(0)} ms, ${delays.count} alerts, background ${shown(delays.eventsPerSecond)} events/s`,
    measured: delays,
  });
}

const facts = { services: services.isOwn ? 'own' : 'given', sizes, runs, nodeFlags: place.nodeFlags, ...usual };
if (!report(rows, { out: values.out, facts })) process.exitCode = 1;
