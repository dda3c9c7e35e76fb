/**
 * What judging costs: `node test/bench/judge.ts [--only name,…]`. Prints a table and one line of JSON; exit code 1 where a
 * bar is missed. Each case runs in a process of its own, so that memory is that of the case.
 *
 * A key-window is one entity in one closed minute under all six rules.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import { type EntityId, entityId } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { type Judge, createJudge } from '../../detectors/judge.ts';
import { LATER, NOBODY, T0, type Values, batch, cellsOf, directoryOf } from '../detectors/support.ts';

type Result = { readonly name: string; readonly values: Readonly<Record<string, number>>; readonly bar: string; readonly isMet: boolean };

const BATCH_ROWS = 5_000;
const TALLIES = { route: { 'GET /v1/orders/{id}': 3, 'POST /v1/orders': 2 }, address: { '203.0.113.9': 5 }, agent: { 'curl/8.5.0': 5 } } as const;
const QUIET: Values = { requests: 5, s2xx: 5, bytesOut: 4_000, bytesOutKnown: 5, tallies: TALLIES };
const LOUD: Values = { requests: 600, s2xx: 540, s5xx: 60, bytesOut: 12_000_000, bytesOutKnown: 600, failedAuth: 1, tallies: TALLIES };

const cases: Readonly<Record<string, () => Result>> = {
  'evaluate 100,000 keys': () => {
    const { judge, keys } = filled(100_000, 70, 0);
    const ms = closeTimes(judge, keys, 70, 15, 0);
    const perSecond = (keys.length / median(ms)) * 1000;
    return {
      name: 'evaluate 100,000 keys',
      values: { 'ms per minute': median(ms), 'key-windows/s': perSecond },
      bar: '>= 1,000,000 key-windows/s',
      isMet: perSecond >= 1e6,
    };
  },
  'close 5,000 keys': () => close5000('close 5,000 keys', 0),
  'close 5,000 keys, 1 % in breach of all': () => close5000('close 5,000 keys, 1 % in breach of all', 50),
  'observe rows': () => {
    const { judge, keys } = filled(5_000, 20, 0);
    const cells = cellsOf(QUIET);
    const started = performance.now();
    let rows = 0;
    // Sixty deliveries of the open minute, as a file that is followed gives.
    for (let next = 1; next <= 60; next++, rows += keys.length) deliver(judge, keys, 21, next, () => cells);
    const perSecond = (rows / (performance.now() - started)) * 1000;
    return { name: 'observe rows', values: { 'rows/s': perSecond }, bar: '>= 300,000 rows/s', isMet: perSecond >= 3e5 };
  },
  'memory, 1,000,000 keys in one minute': () => memory('memory, 1,000,000 keys in one minute', 1),
  'memory, 1,000,000 keys in 5 minutes of an hour': () => memory('memory, 1,000,000 keys in 5 minutes of an hour', 5),
};

function close5000(name: string, loud: number): Result {
  const { judge, keys } = filled(5_000, 75, loud);
  const ms = closeTimes(judge, keys, 75, 60, loud);
  return { name, values: { 'ms p50': median(ms), 'ms p99': quantile(ms, 0.99) }, bar: 'p50 <= 20 ms', isMet: median(ms) <= 20 };
}

/** Every key once in each of `times` minutes that lie an hour apart in all. */
function memory(name: string, times: number): Result {
  const judge = createJudge({ directory: directoryOf() });
  const cells = cellsOf(QUIET);
  let peak = 0;
  for (let time = 0; time < times; time++) {
    const minute = time * 12;
    const keys = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 1_000_000; i++) yield keyOf(i);
      },
    };
    deliver(judge, keys, minute, 1, () => cells);
    peak = Math.max(peak, process.memoryUsage().rss);
    judge.advance(startOf(T0 + minute + 1), NOBODY);
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  const rssMb = peak / 1024 ** 2;
  return { name, values: { 'RSS MB': rssMb, cells: judge.stats().cells, 'bytes/key': peak / 1e6 }, bar: 'RSS <= 1,024 MB', isMet: rssMb <= 1024 };
}

function filled(count: number, minutes: number, loud: number): { readonly judge: Judge; readonly keys: readonly EntityId[] } {
  const judge = createJudge({ directory: directoryOf() });
  const keys = Array.from({ length: count }, (_, index) => keyOf(index));
  closeTimes(judge, keys, 0, minutes, loud);
  return { judge, keys };
}

/** Milliseconds that closing each of `minutes` minutes took, all keys having had traffic in it. */
function closeTimes(judge: Judge, keys: readonly EntityId[], from: number, minutes: number, loud: number): number[] {
  const quiet = cellsOf(QUIET);
  const breaching = cellsOf(LOUD);
  const times: number[] = [];
  for (let minute = from; minute < from + minutes; minute++) {
    deliver(judge, keys, minute, 1, (index) => (index < loud ? breaching : quiet));
    const started = performance.now();
    judge.advance(startOf(T0 + minute + 1), NOBODY);
    times.push(performance.now() - started);
  }
  return times;
}

function deliver(judge: Judge, keys: Iterable<EntityId>, minute: number, next: number, cells: (index: number) => Uint8Array): void {
  let rows: PartialRow[] = [];
  let index = 0;
  const send = (): void => {
    const whole: PartialBatch = batch(rows, { segment: { source: 1, partition: 0, generation: 0, start: minute }, next });
    judge.observe(whole, LATER);
    rows = [];
  };
  for (const entity of keys) {
    rows.push({ window: T0 + minute, entity, cells: cells(index++) });
    if (rows.length === BATCH_ROWS) send();
  }
  send();
}

function keyOf(index: number): EntityId {
  return entityId('key', `kf1_${index.toString(16).padStart(32, '0')}`);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

const { values: options } = parseArgs({ options: { only: { type: 'string' }, case: { type: 'string' } } });
if (options.case === undefined) {
  const wanted = Object.keys(cases).filter((name) => options.only === undefined || options.only.split(',').some((part) => name.startsWith(part)));
  const results = wanted.map((name): Result => {
    const { stdout } = spawnSync(process.execPath, ['--single-threaded-gc', fileURLToPath(import.meta.url), '--case', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(stdout) as Result;
  });
  for (const { name, values, bar, isMet } of results) {
    const shown = Object.entries(values).map(([what, value]) => `${value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 })} ${what}`);
    console.log(`${name.padEnd(48)} ${shown.join(', ').padEnd(62)} ${bar} ${isMet ? 'met' : 'MISSED'}`);
  }
  console.log(JSON.stringify({ bench: 'judge', results }));
  if (results.some(({ isMet }) => !isMet)) process.exitCode = 1;
} else {
  const run = cases[options.case];
  if (run === undefined) throw new Error(`no case '${options.case}'`);
  console.log(JSON.stringify(run()));
}
