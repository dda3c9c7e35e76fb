import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isBuilt } from '../../../bin/sources.mjs';
import { Random } from '../../../app/simulate/random.ts';
import { C, at } from '../../../core/counters.ts';
import { openJournal } from '../../../storage/sqlite/journal.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { testFingerprinter } from '../../support/ingest.ts';
import { type Command, ROOT, keywatch, scratch } from '../support/command.ts';
import { writePepper } from '../support/pepper.ts';
import { storedRecords } from '../support/store.ts';
import { GrowingLog, type Ledger } from './growing-log.ts';

export type SoakOptions = {
  readonly kills: number;
  /** Of each of the two logs. */
  readonly linesPerSecond: number;
  readonly seed: number;
  /** The longest that a process lives before it is killed. */
  readonly lifeMsMax: number;
  readonly rotateEveryMs: number;
  /** In the first log before anybody looks: enough of them are counted by several threads. */
  readonly backlogLines?: number;
  readonly onKill?: (kill: {
    readonly number: number;
    readonly livedMs: number;
    readonly written: number;
    readonly stored: number;
    readonly rotations: number;
  }) => void;
};

export type SoakResult = {
  readonly kills: number;
  readonly isBuilt: boolean;
  readonly lines: number;
  readonly rotations: number;
  readonly stored: number;
  readonly cells: number;
  /** Requests that the ledger has and the store has not, over all (owner, minute), and the other way round. */
  readonly lost: number;
  readonly doubled: number;
  readonly bytesOff: number;
  /** What is wrong beside the counts: a damaged database, a broken journal, a message recorded as sent twice. */
  readonly faults: readonly string[];
  readonly seconds: number;
};

const WRITE_EVERY_MS = 20;
const BACKLOG_STEP = 5000;
const SETTLE_MS_MAX = 90_000;

/**
 * Kills a real `keywatch run` again and again while two logs grow and rotate, lets the last one finish, and holds what
 * is stored against what was written, per owner and minute.
 */
export async function soakKill(options: SoakOptions): Promise<SoakResult> {
  const started = performance.now();
  using folder = scratch();
  const data = folder.join('data');
  writePepper(data);
  const ledger: Ledger = new Map();
  const logs = [new GrowingLog(folder.path, 'ndjson', options.seed, ledger), new GrowingLog(folder.path, 'combined', options.seed, ledger)];
  const written = (): number => logs.reduce((sum, log) => sum + log.lines, 0);
  const rotations = (): number => logs.reduce((sum, log) => sum + log.rotations, 0);
  const start = (): Command => keywatch(['run', ...logs.map(({ pattern }) => pattern), '--data-dir', data]);
  const random = new Random(options.seed, 'kills');

  for (let left = options.backlogLines ?? 0; left > 0; left -= BACKLOG_STEP) logs[0]?.append(Math.min(left, BACKLOG_STEP), Date.now());
  const stop = new AbortController();
  const writing = write(logs, options, stop.signal);
  try {
    for (let number = 1; number <= options.kills; number++) {
      await using run = start();
      // Some die before they have begun.
      const lifeMs = 100 + random.below(options.lifeMsMax);
      const born = performance.now();
      await Promise.race([delay(lifeMs), run.end()]);
      if (run.process.exitCode !== null) throw new Error(`keywatch ended by itself with code ${run.process.exitCode}: ${run.stderr().slice(-2000)}`);
      await run.stop('SIGKILL');
      const livedMs = Math.round(performance.now() - born);
      options.onKill?.({ number, livedMs, written: written(), stored: await recordsOrZero(data), rotations: rotations() });
      await delay(random.below(400));
    }
  } finally {
    stop.abort();
    await writing;
  }
  for (const log of logs) log.finishLine();

  await using last = start();
  const deadline = performance.now() + SETTLE_MS_MAX;
  while ((await recordsOrZero(data)) < written() && performance.now() < deadline) await delay(200);
  // What came too much would come now.
  await delay(500);
  const ended = await last.stop('SIGTERM');
  const faults = ended.code === 0 ? [] : [`the last one ended with code ${ended.code}: ${ended.stderr.slice(-2000)}`];
  const compared = await compare(data, ledger);
  return {
    kills: options.kills,
    isBuilt: isBuilt(ROOT),
    lines: written(),
    rotations: rotations(),
    stored: await storedRecords(data),
    ...compared,
    faults: [...faults, ...compared.faults],
    seconds: Math.round((performance.now() - started) / 1000),
  };
}

async function write(logs: readonly GrowingLog[], options: SoakOptions, signal: AbortSignal): Promise<void> {
  let rotatedAt = performance.now();
  let turn = 0;
  let before = performance.now();
  while (!signal.aborted) {
    const now = performance.now();
    const count = Math.round(((now - before) / 1000) * options.linesPerSecond);
    before = now;
    for (const log of logs) log.append(count, Date.now());
    if (now - rotatedAt > options.rotateEveryMs) {
      rotatedAt = now;
      logs[turn++ % logs.length]?.rotate();
    }
    await delay(WRITE_EVERY_MS);
  }
}

async function recordsOrZero(data: string): Promise<number> {
  try {
    return await storedRecords(data);
  } catch {
    // Killed before it had a store.
    return 0;
  }
}

async function compare(data: string, ledger: Ledger): Promise<Pick<SoakResult, 'cells' | 'lost' | 'doubled' | 'bytesOff' | 'faults'>> {
  const stored: Ledger = new Map();
  const faults: string[] = [];
  {
    await using store = await openMetricStore({ directory: data, readOnly: true });
    for await (const { entity, window, counters } of store.windows({ from: 0, to: Number.MAX_SAFE_INTEGER, resolution: 'minute' })) {
      if (entity.startsWith('network:')) continue;
      stored.set(`${entity} ${window.start / 60_000}`, { requests: at(counters, C.requests), bytes: at(counters, C.bytesOut) });
    }
    faults.push(...(await store.check()));
    for (const { rejects, name } of await store.sources()) if (Object.keys(rejects).length > 0) faults.push(`${name} rejected ${JSON.stringify(rejects)}`);
  }
  faults.push(...(await journalFaults(data)));
  let lost = 0;
  let doubled = 0;
  let bytesOff = 0;
  const ids = new Map<string, string>();
  const idOf = (owner: string): string => {
    let id = ids.get(owner);
    if (id === undefined) ids.set(owner, (id = owner === 'refused' ? 'refused:' : `key:${testFingerprinter.fingerprint(owner)}`));
    return id;
  };
  for (const [name, truth] of ledger) {
    const [owner = '', minute = ''] = name.split(' ');
    const found = stored.get(`${idOf(owner)} ${minute}`) ?? { requests: 0, bytes: 0 };
    stored.delete(`${idOf(owner)} ${minute}`);
    lost += Math.max(0, truth.requests - found.requests);
    doubled += Math.max(0, found.requests - truth.requests);
    bytesOff += Math.abs(found.bytes - truth.bytes);
  }
  for (const [name, { requests }] of stored) {
    doubled += requests;
    if (requests > 0) faults.push(`${name} was never written`);
  }
  return { cells: ledger.size, lost, doubled, bytesOff, faults };
}

/** The chain of hashes holds, and no alert fired twice. */
async function journalFaults(data: string): Promise<readonly string[]> {
  await using journal = await openJournal({ directory: data, readOnly: true });
  const faults: string[] = [];
  const chain = await journal.verifyChain();
  if (!chain.isIntact) faults.push(`the journal is broken at ${JSON.stringify(chain)}`);
  const confirmed = new Set<string>();
  for await (const entry of journal.entries(0)) {
    for (const { alert, cause } of entry.transitions) {
      if (cause !== 'confirmed') continue;
      if (confirmed.has(alert)) faults.push(`alert ${alert} was confirmed twice`);
      confirmed.add(alert);
    }
  }
  return faults;
}

const HELP = 'usage: npm run soak:kill [-- --kills 50 --rate 3000 --backlog 1000000 --seed 1]';

/** The command line of `scripts/soak-kill.mjs`: a table on stderr, JSON on stdout, 1 on a difference. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { kills: { type: 'string' }, rate: { type: 'string' }, backlog: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(['kill', 'lived ms', 'written', 'stored', 'rotations'].map((title) => title.padStart(10)).join(''));
  const result = await soakKill({
    kills: Number(values.kills ?? 50),
    linesPerSecond: Number(values.rate ?? 3000),
    backlogLines: Number(values.backlog ?? 1_000_000),
    seed: Number(values.seed ?? 1),
    lifeMsMax: 2500,
    rotateEveryMs: 2000,
    onKill: ({ number, livedMs, written, stored, rotations }) =>
      say([number, livedMs, written, stored, rotations].map((value) => String(value).padStart(10)).join('')),
  });
  const isGood = result.lost === 0 && result.doubled === 0 && result.bytesOff === 0 && result.faults.length === 0 && result.stored === result.lines;
  say('');
  for (const [name, value] of Object.entries(result)) say(`${name.padEnd(12)} ${Array.isArray(value) ? value.join('; ') || 'none' : String(value)}`);
  say(isGood ? 'nothing lost, nothing doubled' : 'NOT as it should be');
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return isGood ? 0 : 1;
}
