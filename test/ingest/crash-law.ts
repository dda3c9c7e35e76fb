import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { C, at } from '../../core/counters.ts';
import type { MetricStore } from '../../core/ports.ts';
import { HLL_REGISTERS, hllAdd } from '../../core/sketch/hyperloglog.ts';
import { hashLanes, hashText } from '../../core/hash.ts';
import type { OpenSegment, PartialBatch, PartialRow } from '../../core/partial.ts';
import { jsonFormat } from '../../ingest/parse/json.ts';
import { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { testNormaliser } from '../support/ingest.ts';

/** One line of a random log: an event, or garbage that must be counted under a reason and never move anything else. */
type Line =
  | {
      readonly kind: 'event';
      readonly minute: number;
      readonly key: number;
      readonly address: number;
      readonly agent: number;
      readonly status: number;
      readonly bytes: number;
      readonly ms: number;
      readonly path: number;
    }
  | { readonly kind: 'garbage'; readonly text: string };

const BASE_MINUTE = 29_900_000;
const STATUSES = [200, 200, 200, 201, 304, 400, 401, 401, 401, 403, 404, 429, 499, 500, 503] as const;

export const lineArb: fc.Arbitrary<Line> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('event' as const),
      minute: fc.nat(4),
      key: fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(60) }),
      // Enough addresses to leave the exact range of 32 now and then.
      address: fc.oneof({ weight: 3, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(90) }),
      agent: fc.nat(2),
      status: fc.constantFrom(...STATUSES),
      bytes: fc.nat(5000),
      ms: fc.nat(3000),
      path: fc.nat(5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garbage' as const),
      text: fc.constantFrom(
        '',
        '{"ts":',
        'not json',
        '{"ts":1794000000000}',
        '{"ts":12,"status":200}',
        '\u0000\u0000',
        '{"ts":"never","status":200}',
        '{"ts":1794000000000,"status":999}',
      ),
    }),
  },
);

export type Step = 'flush' | 'crash' | 'crash_before_ack' | 'replay_old' | 'go_on';
export const stepArb = fc.record({
  lines: fc.integer({ min: 1, max: 12 }),
  step: fc.constantFrom<Step>('flush', 'flush', 'crash', 'crash_before_ack', 'replay_old', 'go_on', 'go_on'),
});

const format = jsonFormat({
  fields: { time: 'ts', address: 'ip', target: 'path', method: 'm', status: 'status', bytesOut: 'out', latency: 'ms', agent: 'ua', secret: 'key' },
  latencyUnit: 'ms',
});

function render(line: Line, index: number): string {
  if (line.kind === 'garbage') return line.text;
  const ts = (BASE_MINUTE + line.minute) * 60_000 + (index % 60) * 1000;
  return `{"ts":${ts},"ip":"${addressOf(line.address)}","m":"GET","path":"/v1/r${line.path}/x","status":${line.status},"out":${line.bytes},"ms":${line.ms},"ua":"agent-${line.agent}","key":"secret-number-${line.key}"}`;
}

const addressOf = (n: number): string => `198.18.${n % 7}.${n + 1}`;

type Truth = {
  requests: number;
  s2xx: number;
  s4xx: number;
  s5xx: number;
  s401: number;
  aborted: number;
  failedAuth: number;
  bytesOut: number;
  latencySum: number;
  latencies: Map<number, number>;
  addresses: Set<string>;
  agents: Map<string, number>;
};

/** The truth, by the plainest possible counting: no segments beyond the rule that names the refused. */
function truthOf(lines: readonly Line[], offsets: readonly number[], segmentBytes: number): Map<string, Truth> {
  const accepted = new Set<string>();
  lines.forEach((line, index) => {
    if (line.kind === 'event' && line.status !== 401) accepted.add(`${Math.floor((offsets[index] as number) / segmentBytes)}/${line.key}`);
  });
  const truth = new Map<string, Truth>();
  lines.forEach((line, index) => {
    if (line.kind !== 'event') return;
    const segment = Math.floor((offsets[index] as number) / segmentBytes);
    const owner = accepted.has(`${segment}/${line.key}`) ? `key:${fingerprintOf(line.key)}` : 'refused:';
    count(truth, `${line.minute}/${owner}`, line);
    if (line.status === 401 || line.status === 403) count(truth, `${line.minute}/network:198.18.${line.address % 7}.0/24`, line);
  });
  return truth;
}

function count(truth: Map<string, Truth>, name: string, line: Extract<Line, { kind: 'event' }>): void {
  const entry = truth.get(name) ?? {
    requests: 0,
    s2xx: 0,
    s4xx: 0,
    s5xx: 0,
    s401: 0,
    aborted: 0,
    failedAuth: 0,
    bytesOut: 0,
    latencySum: 0,
    latencies: new Map(),
    addresses: new Set(),
    agents: new Map(),
  };
  truth.set(name, entry);
  entry.requests++;
  if (line.status === 499) entry.aborted++;
  else if (line.status >= 500) entry.s5xx++;
  else if (line.status >= 400) entry.s4xx++;
  else if (line.status >= 200 && line.status < 300) entry.s2xx++;
  if (line.status === 401) entry.s401++;
  if (line.status === 401 || line.status === 403) entry.failedAuth++;
  entry.bytesOut += line.bytes;
  entry.latencySum += line.ms * 1000;
  entry.latencies.set(bucketOf(line.ms * 1000), (entry.latencies.get(bucketOf(line.ms * 1000)) ?? 0) + 1);
  entry.addresses.add(addressOf(line.address));
  entry.agents.set(`agent-${line.agent}`, (entry.agents.get(`agent-${line.agent}`) ?? 0) + 1);
}

/** The bucket of a latency found by walking the octaves, not by bit tricks. */
function bucketOf(us: number): number {
  if (us < 16) return us;
  let octave = 0;
  while (us >= 16 * 2 ** (octave + 1)) octave++;
  return 16 * (octave + 1) + Math.floor(us / 2 ** octave) - 16;
}

function fingerprintOf(key: number): string {
  return `kf1_${createHmac('sha256', Buffer.alloc(32, 7)).update(`secret-number-${key}`).digest('hex').slice(0, 32)}`;
}

export type History = {
  readonly lines: readonly Line[];
  readonly steps: readonly { readonly lines: number; readonly step: Step }[];
  readonly segmentBytes: number;
  readonly threads: number;
};

export const historyArb: fc.Arbitrary<History> = fc.record({
  lines: fc.array(lineArb, { minLength: 1, maxLength: 120 }),
  steps: fc.array(stepArb, { minLength: 1, maxLength: 30 }),
  segmentBytes: fc.constantFrom(300, 1000, 4000, 1 << 20),
  threads: fc.constantFrom(1, 1, 2, 3),
});

/** Runs a history with its crashes against a store, and compares everything stored with the truth. */
export async function checkHistory(history: History, open: () => Promise<MetricStore>): Promise<void> {
  const texts = history.lines.map((line, index) => `${render(line, index)}\n`);
  const offsets: number[] = [];
  let size = 0;
  for (const text of texts) {
    offsets.push(size);
    size += Buffer.byteLength(text);
  }
  const bytes = new Uint8Array(Buffer.from(texts.join('')));
  await using store = await open();
  const source = await store.source('partition');
  if (history.threads === 1) await runOne(history, bytes, offsets, store, source);
  else await runThreads(history, bytes, store, source);
  await compare(store, truthOf(history.lines, offsets, history.segmentBytes));
  const resumed = await store.resume(source, 0);
  if (history.threads === 1) expect(openBytes(resumed)).toEqual(openBytes(await uninterrupted(history, bytes)));
  const garbage = history.lines.filter((line) => line.kind === 'garbage').length;
  expect(resumed?.next).toBe(size);
  expect(garbage).toBeGreaterThanOrEqual(Object.values(resumed?.rejects ?? {}).reduce((sum, reject) => sum + reject.count, 0));
}

/** The open segment of a process that was never stopped. */
async function uninterrupted(history: History, bytes: Uint8Array): Promise<OpenSegment | undefined> {
  await using store = memoryMetricStore();
  const source = await store.source('partition');
  const ingest = await start(history, store, source);
  ingest.block(bytes, 0);
  for (const batch of ingest.takeSealed()) await store.put(batch);
  const last = ingest.flush();
  if (last !== undefined) await store.put(last);
  return await store.resume(source, 0);
}

/** Every row of an open segment, to the byte; held rows in their order. */
function openBytes(open: OpenSegment | undefined): unknown {
  const text = (row: PartialRow): string => `${row.window} ${row.entity} ${Buffer.from(row.cells).toString('hex')}`;
  return { rows: open?.rows.map(text).sort(), held: open?.held.map(text), rejects: open?.rejects, records: open?.records, start: open?.segment.start };
}

/** One process after another over one log, each resuming from what the store has. */
async function runOne(history: History, bytes: Uint8Array, offsets: readonly number[], store: MetricStore, source: number): Promise<void> {
  let ingest = await start(history, store, source);
  const old: PartialBatch[] = [];
  let line = lineAt(offsets, ingest.next);
  const put = async (batch: PartialBatch): Promise<void> => {
    expect((await store.put(batch)).ok).toBe(true);
    old.push(batch);
  };
  for (const { lines, step } of [...history.steps, { lines: offsets.length, step: 'flush' as const }]) {
    const from = offsets[line] ?? bytes.length;
    line = Math.min(line + lines, offsets.length);
    const to = offsets[line] ?? bytes.length;
    ingest.block(bytes.slice(from, to), from);
    for (const batch of ingest.takeSealed()) await put(batch);
    switch (step) {
      case 'flush': {
        const batch = ingest.flush();
        if (batch !== undefined) await put(batch);
        break;
      }
      case 'crash_before_ack': {
        // The store has it, the process dies before it knows.
        const batch = ingest.flush();
        if (batch !== undefined) await put(batch);
        ingest = await start(history, store, source);
        line = lineAt(offsets, ingest.next);
        break;
      }
      case 'crash':
        ingest = await start(history, store, source);
        // A source may deliver again what was counted before.
        line = Math.max(0, lineAt(offsets, ingest.next) - (lines % 4));
        break;
      case 'replay_old': {
        const again = old[(lines * 7) % Math.max(1, old.length)];
        if (again !== undefined) expect((await store.put(again)).ok).toBe(true);
        break;
      }
      case 'go_on':
        break;
    }
    if (step === 'flush' && line >= offsets.length) break;
  }
  // Whatever the last step was: to the end of the log.
  const from = ingest.next;
  ingest.block(bytes.slice(from), from);
  for (const batch of ingest.takeSealed()) await put(batch);
  const last = ingest.flush();
  if (last !== undefined) await put(last);
}

/** Segments shared out to threads that know nothing of each other; the writer puts them in log order. */
async function runThreads(history: History, bytes: Uint8Array, store: MetricStore, source: number): Promise<void> {
  const { segmentBytes, threads } = history;
  const ingests = Array.from({ length: threads }, () => undefined as PartitionIngest | undefined);
  const cells = Math.ceil(bytes.length / segmentBytes);
  for (let cell = 0; cell < cells; cell++) {
    const from = lineStart(bytes, cell * segmentBytes);
    const to = lineStart(bytes, (cell + 1) * segmentBytes);
    if (to <= from) continue;
    const ingest = (ingests[cell % threads] ??= new PartitionIngest({
      source,
      partition: 0,
      generation: 1,
      segmentBytes,
      format,
      normaliser: testNormaliser(),
    }));
    ingest.startAt(from);
    ingest.block(bytes.slice(from, to), from);
    for (const batch of ingest.finish()) expect((await store.put(batch)).ok).toBe(true);
  }
}

function lineStart(bytes: Uint8Array, offset: number): number {
  if (offset === 0) return 0;
  if (offset >= bytes.length) return bytes.length;
  const feed = bytes.indexOf(10, offset - 1);
  return feed < 0 ? bytes.length : feed + 1;
}

async function start(history: History, store: MetricStore, source: number): Promise<PartitionIngest> {
  const resume = await store.resume(source, 0);
  return new PartitionIngest({ source, partition: 0, generation: 1, segmentBytes: history.segmentBytes, format, normaliser: testNormaliser(), resume });
}

function lineAt(offsets: readonly number[], next: number): number {
  const line = offsets.findIndex((offset) => offset >= next);
  return line < 0 ? offsets.length : line;
}

async function compare(store: MetricStore, truth: Map<string, Truth>): Promise<void> {
  const seen = new Set<string>();
  for await (const window of store.windows({ from: BASE_MINUTE, to: BASE_MINUTE + 10 })) {
    const name = `${window.window.start / 60_000 - BASE_MINUTE}/${window.entity}`;
    seen.add(name);
    const want = truth.get(name);
    expect({ name, isKnown: want !== undefined }).toEqual({ name, isKnown: true });
    if (want === undefined) continue;
    const { counters } = window;
    const got = {
      requests: at(counters, C.requests),
      s2xx: at(counters, C.s2xx),
      s4xx: at(counters, C.s4xx),
      s5xx: at(counters, C.s5xx),
      s401: at(counters, C.s401),
      aborted: at(counters, C.aborted),
      failedAuth: at(counters, C.failedAuth),
      bytesOut: at(counters, C.bytesOut),
      latencySum: at(counters, C.latencySum),
    };
    const { latencies, addresses, agents, ...counts } = want;
    expect({ name, ...got }).toEqual({ name, ...counts });
    const sketch = window.sketch();
    expect(new Map([...sketch.latency.counts].sort((a, b) => a[0] - b[0]))).toEqual(new Map([...latencies].sort((a, b) => a[0] - b[0])));
    const agentTally = sketch.tally('agent');
    expect(new Map(agentTally.items.map((item) => [item.text, item.count]))).toEqual(agents);
    const addressTally = sketch.tally('address');
    if (addresses.size <= 32) expect(new Set(addressTally.items.map((item) => item.text))).toEqual(addresses);
    else expect(addressTally.registers).toEqual(registersOf(addresses));
  }
  expect([...truth.keys()].filter((name) => !seen.has(name))).toEqual([]);
}

function registersOf(values: ReadonlySet<string>): Uint8Array {
  const registers = new Uint8Array(HLL_REGISTERS);
  for (const value of values) {
    hashText(value);
    hllAdd(registers, hashLanes.hi, hashLanes.lo);
  }
  return registers;
}
