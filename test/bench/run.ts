/**
 * npm run bench: the path file -> windows -> SQLite on one pinned core and on two, `analyze` beside GoAccess and mawk,
 * memory, and the delay from a line in a file to the message in Slack. Prints a table, writes JSON, exits with 1 where a
 * bar of DESIGN section 12 is missed. Bars in events per second are for a quiet machine; the ratio to a bare
 * JSON.parse loop of the same run stands beside each figure.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeBenchFile } from '../../app/simulate/bench-file.ts';
import { alertDelay } from './alert-delay.ts';
import { run as storeRows } from './store.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000000' },
    runs: { type: 'string', default: '3' },
    out: { type: 'string', default: 'bench-results' },
    only: { type: 'string' },
  },
});
const events = Number(values.events);
const runs = Number(values.runs);
const folder = join(tmpdir(), 'keywatch-bench-files');
mkdirSync(folder, { recursive: true });

type Measured = { events: number; rows: number; seconds: number; cpuSeconds: number; eventsPerSecond: number; rssMb: number };
type Row = {
  readonly name: string;
  readonly reached: number;
  readonly unit: string;
  readonly bar?: number;
  readonly isUpper?: boolean;
  readonly note?: string;
};
const rows: Row[] = [];
const note = (text: string): void => void process.stderr.write(`${text}\n`);
const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const pinned = (core: string): readonly string[] => (has('taskset') ? ['taskset', '-c', core] : []);
const wants = (part: string): boolean => values.only === undefined || values.only.split(',').includes(part);

function one(core: string, args: readonly string[]): Measured {
  const command = [...pinned(core), process.execPath, join(import.meta.dirname, 'ingest-case.ts'), ...args];
  const out = execFileSync(command[0] ?? '', command.slice(1), { encoding: 'utf8', maxBuffer: 1 << 24 });
  return JSON.parse(out) as Measured;
}

/** The median run of several, by events per second. */
function measured(core: string, args: readonly string[]): Measured {
  const all = Array.from({ length: runs }, () => one(core, args)).sort((a, b) => a.eventsPerSecond - b.eventsPerSecond);
  return all[Math.floor(all.length / 2)] as Measured;
}

function benchFile(format: 'ndjson' | 'combined', count: number, keys = 5000): string {
  const path = join(folder, `${format}-${count}-${keys}.log`);
  const isNew = !existsSync(path);
  if (isNew) note(`writing ${path} ...`);
  writeBenchFile({ path, format, events: count, keys, ...(keys > 5000 ? { zipfExponent: 0 } : {}) });
  return path;
}

const perSecond = (value: number): string => Math.round(value).toLocaleString('en');

if (wants('ingest')) {
  const ndjson = benchFile('ndjson', events);
  const combined = benchFile('combined', events);
  const bare = measured('1', ['bare', ndjson]);
  rows.push({ name: 'bare JSON.parse loop, NDJSON', reached: bare.eventsPerSecond, unit: 'events/s' });
  const against = (result: Measured): string =>
    `${(result.eventsPerSecond / bare.eventsPerSecond).toFixed(2)} x bare JSON.parse, ${((result.cpuSeconds / result.events) * 1e6).toFixed(2)} us CPU/event, ${result.rows} rows, RSS ${Math.round(result.rssMb)} MB`;
  const single = new Map<string, Measured>();
  for (const [format, path, counters, full] of [
    ['NDJSON', ndjson, 1_500_000, 900_000],
    ['combined', combined, 2_200_000, 1_100_000],
  ] as const) {
    const lean = measured('1', ['store', path, 'none']);
    rows.push({ name: `${format} -> counters -> SQLite, one core`, reached: lean.eventsPerSecond, unit: 'events/s', bar: counters, note: against(lean) });
    const whole = measured('1', ['store', path, 'window']);
    single.set(format, whole);
    rows.push({ name: `${format} -> full window -> SQLite, one core`, reached: whole.eventsPerSecond, unit: 'events/s', bar: full, note: against(whole) });
    rows.push({ name: `${format}, full window: memory`, reached: Math.round(whole.rssMb), unit: 'MB', bar: 250, isUpper: true });
    if (cpus().length >= 2) {
      const two = measured('0,1', ['store', path, 'window', '2']);
      rows.push({
        name: `${format} -> full window -> SQLite, two cores`,
        reached: two.eventsPerSecond / whole.eventsPerSecond,
        unit: 'x one core',
        bar: 1.4,
        note: `${perSecond(two.eventsPerSecond)} events/s, RSS ${Math.round(two.rssMb)} MB`,
      });
    }
  }
  const json = measured('1', ['store', ndjson, 'none', '1', 'json']);
  rows.push({
    name: 'NDJSON by JSON.parse (correct path) -> counters -> SQLite',
    reached: json.eventsPerSecond,
    unit: 'events/s',
    bar: 400_000,
    note: against(json),
  });
}

if (wants('keys')) {
  const million = benchFile('ndjson', 5_000_000, 1_000_000);
  const result = one('1', ['store', million, 'window']);
  rows.push({
    name: '1,000,000 keys, 5 events each, full window: memory',
    reached: Math.round(result.rssMb),
    unit: 'MB',
    bar: 1500,
    isUpper: true,
    note: `${perSecond(result.eventsPerSecond)} events/s, ${result.rows} rows`,
  });
}

if (wants('store')) {
  for (const result of await storeRows()) {
    const isKnown = /known/.test(result.name) && /upsert|again|known/.test(result.name);
    rows.push({
      name: `store: ${result.name}`,
      reached: 1_000_000 / result.rowsPerSecond,
      unit: 's per 1M rows',
      ...(isKnown ? { bar: 6, isUpper: true } : {}),
      note: `${perSecond(result.rowsPerSecond)} rows/s`,
    });
  }
}

if (wants('analyze')) {
  const lines = 2_000_000;
  const combined = benchFile('combined', lines);
  const ndjson = benchFile('ndjson', lines);
  const bash = (command: string): { seconds: number; cpuSeconds: number } => {
    const done = spawnSync('bash', ['-c', `TIMEFORMAT='%R %U %S'; time ${command} > /dev/null 2> /dev/null`], { encoding: 'utf8' });
    const [real = 0, user = 0, system = 0] = done.stderr.trim().split(/\s+/).map(Number);
    return { seconds: real, cpuSeconds: user + system };
  };
  const middle = (command: string): { seconds: number; cpuSeconds: number } => {
    const all = Array.from({ length: runs }, () => bash(command)).sort((a, b) => a.seconds - b.seconds);
    return all[Math.floor(all.length / 2)] as { seconds: number; cpuSeconds: number };
  };
  const keywatch = middle(`'${process.execPath}' '${join(import.meta.dirname, '../../bin/keywatch.mjs')}' analyze '${combined}'`);
  const frugal = middle(`'${process.execPath}' '${join(import.meta.dirname, '../../bin/keywatch.mjs')}' analyze --threads 1 '${combined}'`);
  rows.push({
    name: 'analyze, 2 million combined lines',
    reached: keywatch.seconds,
    unit: 's',
    note: `${keywatch.cpuSeconds.toFixed(2)} CPU-s, ${perSecond(lines / keywatch.cpuSeconds)} lines per CPU-second`,
  });
  if (has('goaccess')) {
    const goaccess = bash(`goaccess '${combined}' --log-format=COMBINED --no-progress -o json`);
    rows.push({
      name: 'analyze against GoAccess, same file',
      reached: goaccess.seconds / keywatch.seconds,
      unit: 'x faster',
      bar: 20,
      note: `GoAccess ${goaccess.seconds.toFixed(1)} s, ${perSecond(lines / goaccess.cpuSeconds)} lines per CPU-second`,
    });
  } else note('goaccess is not installed: not compared');
  if (has('mawk')) {
    const mawk = middle(`mawk -F '[,:]' '{ n[$2]++ } END { print length(n) }' '${ndjson}'`);
    rows.push({
      name: 'analyze lines per CPU-second against mawk splitting NDJSON fields',
      reached: mawk.cpuSeconds / frugal.cpuSeconds,
      unit: 'x',
      bar: 1,
      note: `analyze --threads 1: ${perSecond(lines / frugal.cpuSeconds)}, mawk: ${perSecond(lines / mawk.cpuSeconds)} lines per CPU-second`,
    });
  } else note('mawk is not installed: not compared');
}

if (wants('delay')) {
  const delays = await alertDelay(Number(process.env['KEYWATCH_BENCH_DELAYS'] ?? 40));
  rows.push({
    name: 'line appended -> Slack request received, p99',
    reached: delays.p99Ms,
    unit: 'ms',
    bar: 1000,
    isUpper: true,
    note: `p50 ${delays.p50Ms.toFixed(0)} ms, ${delays.count} alerts`,
  });
}

const misses = rows.filter((row) => row.bar !== undefined && (row.isUpper === true ? row.reached > row.bar : row.reached < row.bar));
const shown = (value: number): string => (value >= 1000 ? perSecond(value) : value.toFixed(value < 10 ? 2 : 0));
process.stdout.write(`\n${'what'.padEnd(66)} ${'reached'.padStart(12)} ${'asked'.padStart(14)}  \n`);
for (const row of rows) {
  const bar = row.bar === undefined ? '' : `${row.isUpper === true ? '<=' : '>='} ${shown(row.bar)}`;
  process.stdout.write(
    `${row.name.padEnd(66)} ${shown(row.reached).padStart(12)} ${bar.padStart(14)}  ${row.unit}${misses.includes(row) ? '  MISSED' : ''}${row.note === undefined ? '' : `  (${row.note})`}\n`,
  );
}
mkdirSync(values.out, { recursive: true });
const file = join(values.out, 'ingest.json');
writeFileSync(file, `${JSON.stringify({ node: process.version, cores: cpus().length, cpu: cpus()[0]?.model, events, runs, rows }, null, 2)}\n`);
process.stdout.write(`\nwrote ${file}; medians of ${runs} runs; the log files stay in ${folder} for the next run (KEYWATCH_BENCH_CLEAN=1 removes them)\n`);
if (process.env['KEYWATCH_BENCH_CLEAN'] === '1') rmSync(folder, { recursive: true, force: true });
process.exitCode = misses.length > 0 ? 1 : 0;
