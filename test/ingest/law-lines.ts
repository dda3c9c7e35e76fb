/** Random access events, and what must be stored of them by an independent count: for every law of ingest. */
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { C, at } from '../../core/counters.ts';
import { hashLanes, hashText } from '../../core/hash.ts';
import type { MetricStore } from '../../core/ports.ts';
import { HLL_REGISTERS, hllAdd } from '../../core/sketch/hyperloglog.ts';
import { jsonFormat } from '../../ingest/parse/json.ts';

/** One line of a random log: an event, or garbage that must be counted under a reason and never move anything else. */
export type Line =
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

export type EventLine = Extract<Line, { kind: 'event' }>;

export const BASE_MINUTE = 29_900_000;
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

export const format = jsonFormat({
  fields: { time: 'ts', address: 'ip', target: 'path', method: 'm', status: 'status', bytesOut: 'out', latency: 'ms', agent: 'ua', secret: 'key' },
  latencyUnit: 'ms',
});

export function render(line: Line, index: number): string {
  if (line.kind === 'garbage') return line.text;
  const ts = (BASE_MINUTE + line.minute) * 60_000 + (index % 60) * 1000;
  return `{"ts":${ts},"ip":"${addressOf(line.address)}","m":"GET","path":"/v1/r${line.path}/x","status":${line.status},"out":${line.bytes},"ms":${line.ms},"ua":"agent-${line.agent}","key":"secret-number-${line.key}"}`;
}

export const addressOf = (n: number): string => `198.18.${n % 7}.${n + 1}`;

export type Truth = {
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

/** Where an event is counted: segments only say who was refused all the time, late ones are one row of the day. */
export type Place = { readonly segment: string | number; readonly minute: number; readonly isLate?: boolean };

/** The truth, by the plainest possible counting: no segments beyond the rule that names the refused. */
export function truthOf(lines: readonly Line[], placeOf: (index: number, line: EventLine) => Place): Map<string, Truth> {
  const accepted = new Set<string>();
  lines.forEach((line, index) => {
    if (line.kind !== 'event' || line.status === 401) return;
    const { segment, isLate = false } = placeOf(index, line);
    if (!isLate) accepted.add(`${segment}/${line.key}`);
  });
  const truth = new Map<string, Truth>();
  lines.forEach((line, index) => {
    if (line.kind !== 'event') return;
    const { segment, minute, isLate = false } = placeOf(index, line);
    const owner = isLate ? 'late:' : accepted.has(`${segment}/${line.key}`) ? `key:${fingerprintOf(line.key)}` : 'refused:';
    count(truth, `${minute}/${owner}`, line);
    if (!isLate && (line.status === 401 || line.status === 403)) count(truth, `${minute}/network:198.18.${line.address % 7}.0/24`, line);
  });
  return truth;
}

function count(truth: Map<string, Truth>, name: string, line: EventLine): void {
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

export async function compare(store: Pick<MetricStore, 'windows'>, truth: Map<string, Truth>): Promise<void> {
  const seen = new Set<string>();
  for await (const window of store.windows({ from: BASE_MINUTE - 10_000, to: BASE_MINUTE + 1000 })) {
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
