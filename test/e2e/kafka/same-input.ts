import { ByteWriter } from '../../../core/bytes.ts';
import { encodeCells, encodeCounters } from '../../../core/cells.ts';
import { C, type CounterName, at, emptyCounters } from '../../../core/counters.ts';
import type { MetricStore, StoredWindow } from '../../../core/ports.ts';
import { areTextsAll } from '../../../core/sketch/sketch.ts';
import { TALLY_TEXTS_MAX, type Tally } from '../../../core/sketch/tally.ts';
import { MINUTE_MS } from '../../../core/window.ts';
import { testFingerprinter } from '../../support/ingest.ts';

const COUNTED = [
  'requests',
  's2xx',
  's3xx',
  's4xx',
  's5xx',
  'aborted',
  's401',
  'bytesOut',
  'latencySum',
  'first',
  'last',
] as const satisfies readonly CounterName[];
type Sums = Record<(typeof COUNTED)[number], number>;

/** Lines, and what they must add up to: the generator's own account, by `entity minute` and by reason. */
export type Input = { readonly lines: readonly string[]; readonly owners: ReadonlyMap<string, Sums>; readonly rejects: Readonly<Record<string, number>> };

const SPAN_MS = 8 * MINUTE_MS;
const LATE_MS = 25 * MINUTE_MS;
const DISORDER_MS = 20_000;
/** Kinds of lines come round after so many. */
const ROUND = 40;

/**
 * Access events of the last minutes in flat JSON: customers, a key with more addresses and objects than a window
 * remembers one by one, one that is refused now and then, guessed keys, clients without a key, users, events half an hour late
 * and out of order, and records that cannot be counted. Every line is a JSON object, so that it can be packed in a list.
 */
export function sameInput(count: number, now: number): Input {
  const start = (Math.floor(now / MINUTE_MS) - 9) * MINUTE_MS;
  const owners = new Map<string, Sums>();
  const rejects: Record<string, number> = {};
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const time = start + Math.floor((i * SPAN_MS) / count) - ((i * 7919) % DISORDER_MS) - (i % 97 === 50 ? LATE_MS : 0);
    const event = eventOf(i, time);
    if ('reason' in event) {
      rejects[event.reason] = (rejects[event.reason] ?? 0) + 1;
      lines.push(JSON.stringify(event.record));
      continue;
    }
    lines.push(JSON.stringify(event.record));
    count1(owners, `${event.owner} ${Math.floor(time / MINUTE_MS)}`, event.record);
  }
  return { lines, owners, rejects };
}

type LogRecord = { readonly ts: number; readonly status: number; readonly bytes: number; readonly ms: number; readonly [field: string]: unknown };
type Event = { readonly owner: string; readonly record: LogRecord } | { readonly reason: string; readonly record: object };

const key = (secret: string): string => `key:${testFingerprinter.fingerprint(secret)}`;

function eventOf(i: number, ts: number): Event {
  const round = Math.floor(i / ROUND);
  const kind = i % ROUND;
  const agent = `sdk/${i % 3}`;
  const base = {
    ts,
    method: i % 4 === 0 ? 'POST' : 'GET',
    path: `/v1/orders/${i % 11}`,
    status: STATUSES[i % STATUSES.length] ?? 200,
    bytes: 100 + (i % 50),
    ms: (i % 400) / 8,
    ua: agent,
  };
  switch (kind) {
    case 7:
      return broken(round, base);
    case 13:
      return { owner: 'refused:', record: { ...base, key: `guess-${i}-not-real`, ip: '203.0.113.9', status: 401 } };
    case 14:
      return { owner: 'refused:', record: { ...base, key: `old-${round % 3}-not-real`, ip: '198.51.100.9', status: 401 } };
    case 21:
      return { owner: `client:198.18.1.${round % 4} ${agent}`, record: { ...base, ip: `198.18.1.${round % 4}` } };
    case 22:
      return { owner: `user:alice-${round % 2}`, record: { ...base, ip: '198.18.2.1', user: `alice-${round % 2}` } };
    case 35:
      // Accepted in every stretch of every partition: whether a key is known is judged by those.
      return {
        owner: key('mixed-not-real'),
        record: { ...base, key: 'mixed-not-real', ip: '198.51.100.9', status: Math.floor(round / 3) % 2 === 1 ? 401 : 200 },
      };
    default:
      return kind >= 30
        ? { owner: key('busy-not-real'), record: { ...base, key: 'busy-not-real', ip: `192.0.2.${i % 250}`, path: `/v1/orders/${i}` } }
        : { owner: key(`customer-${i % 6}-not-real`), record: { ...base, key: `customer-${i % 6}-not-real`, ip: `198.18.0.${i % 5}` } };
  }
}

const STATUSES = [200, 200, 201, 304, 404, 403, 429, 499, 500, 200, 503];

function broken(round: number, { ts, status, ...rest }: { readonly ts: number; readonly status: number; readonly [field: string]: unknown }): Event {
  switch (round % 5) {
    case 0:
      return { reason: 'no_status', record: { ts, ...rest } };
    case 1:
      return { reason: 'bad_status', record: { ts, status: 1200, ...rest } };
    case 2:
      return { reason: 'no_time', record: { status, ...rest } };
    case 3:
      return { reason: 'bad_time', record: { ts: 'yesterday', status, ...rest } };
    default:
      return { reason: 'time_out_of_range', record: { ts: Date.UTC(1999, 0, 1), status, ...rest } };
  }
}

function count1(owners: Map<string, Sums>, name: string, { ts, status, bytes, ms }: LogRecord): void {
  let sums = owners.get(name);
  if (sums === undefined)
    owners.set(name, (sums = { requests: 0, s2xx: 0, s3xx: 0, s4xx: 0, s5xx: 0, aborted: 0, s401: 0, bytesOut: 0, latencySum: 0, first: ts, last: ts }));
  sums.requests++;
  if (status === 499) sums.aborted++;
  else if (status >= 500) sums.s5xx++;
  else if (status >= 400) sums.s4xx++;
  else if (status >= 300) sums.s3xx++;
  else sums.s2xx++;
  if (status === 401) sums.s401++;
  sums.bytesOut += bytes;
  sums.latencySum += ms * 1000;
  sums.first = Math.min(sums.first, ts);
  sums.last = Math.max(sums.last, ts);
}

/** Everything a store holds: counters as numbers, all that must not depend on the way as text, and what was rejected. */
export type Stored = {
  readonly owners: ReadonlyMap<string, Sums>;
  /** By `entity minute`: the canonical bytes of the whole cell. */
  readonly whole: ReadonlyMap<string, string>;
  /** The same of the cells with more values than are kept one by one: their counters, latencies and distinct values. */
  readonly bounded: ReadonlyMap<string, string>;
  readonly rejects: Readonly<Record<string, number>>;
};

export async function storedOf(store: MetricStore): Promise<Stored> {
  const owners = new Map<string, Sums>();
  const whole = new Map<string, string>();
  const bounded = new Map<string, string>();
  for await (const window of store.windows({ from: 0, to: Number.MAX_SAFE_INTEGER, resolution: 'minute' })) {
    const name = `${window.entity} ${window.window.start / MINUTE_MS}`;
    if (!window.entity.startsWith('network:'))
      owners.set(name, Object.fromEntries(COUNTED.map((counter) => [counter, at(window.counters, C[counter])])) as Sums);
    if (isWhole(window)) whole.set(name, hex(encodeCells(window.counters, window.sketch())));
    else bounded.set(name, boundedText(window));
  }
  const rejects: Record<string, number> = {};
  for (const source of await store.sources())
    for (const [reason, { count }] of Object.entries(source.rejects)) rejects[reason] = (rejects[reason] ?? 0) + count;
  return { owners, whole, bounded, rejects };
}

/** Whether no value of it was left to an estimate, and no text to the heaviest few: `core/sketch/tally.ts` says from where on that is so. */
function isWhole(window: StoredWindow): boolean {
  const { tallies } = window.sketch();
  return [...tallies].every(
    ([dimension, tally]) => tally.isExact && (areTextsAll(dimension) || dimension === 'object' || tally.items.length <= TALLY_TEXTS_MAX),
  );
}

/** The heaviest of too many values are known up to an error that depends on where a log was cut; all else does not. */
function boundedText(window: StoredWindow): string {
  const { latency, tallies } = window.sketch();
  const counters = new ByteWriter(256);
  const values = new ByteWriter(256);
  encodeCounters(window.counters.length === 0 ? emptyCounters() : window.counters, 0, counters);
  latency.encode(values);
  const lists = [...tallies].filter(([dimension]) => dimension !== 'network').map(([dimension, tally]) => `${dimension} ${tallyText(tally)}`);
  return [hex(counters.take()), hex(values.take()), ...lists.toSorted()].join('\n');
}

function tallyText({ items, registers }: Tally): string {
  if (registers !== undefined) return hex(registers);
  return items
    .map(({ hi, lo, count, failed }) => `${hi}:${lo}=${count}/${failed}`)
    .toSorted()
    .join(' ');
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
