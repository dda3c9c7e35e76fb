/**
 * How long it takes until another process judges: `node test/bench/kafka/takeover.ts [--keys 100000 --history 10 --profile DIR]`.
 * A real broker and a real Elasticsearch, one process that reads and two that could judge, every key active in each minute. The one
 * that judges is killed (-9) shortly before a minute is due; the one beside it has to judge that minute. Then that one is killed too
 * and a new one starts from the store alone. What Slack was told is held against the journal. Exit code 1 where a bar is missed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../../app/config/load.ts';
import { JournalFollower } from '../../../app/pipeline/journal-follower.ts';
import { readJournal } from '../../../app/wire/stores.ts';
import { systemClock } from '../../../core/clock.ts';
import type { EpochMs } from '../../../core/types.ts';
import { MINUTE_MS, minuteOf } from '../../../core/window.ts';
import { quietClient } from '../../services/topic.ts';
import { PROGRAM, install } from './installation.ts';
import { usageOf } from './process.ts';
import { type Row, report } from './report.ts';
import { openServices } from './services.ts';
import { TakeoverLoad } from './takeover-load.ts';
import { compare, openReceiver } from './takeover-messages.ts';

const BAR_S = 45;
const RSS_BAR_MB = 2500;
const PARTITIONS = 4;
const HOOK = 'KEYWATCH_BENCH_HOOK';
/** The minute under way is due some ten seconds later. */
const KILL_AT_MS = 50_000;
const LIVE_MS = 75_000;
const SETTLE_MS = 60_000;
const WAIT_MS = 600_000;
const POLL_MS = 250;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    history: { type: 'string', default: '10' },
    profile: { type: 'string' },
    out: { type: 'string', default: join('bench-results', 'takeover') },
  },
});
const keys = Number(values.keys.replaceAll('_', ''));
const history = Number(values.history);
const say = (line: string): void => void process.stderr.write(`takeover: ${line}\n`);

await using stack = new AsyncDisposableStack();
const services = stack.use(await openServices(process.env));
const folder = mkdtempSync(join(tmpdir(), 'keywatch-takeover-'));
stack.defer(() => rmSync(folder, { recursive: true, force: true }));
const receiver = stack.use(await openReceiver());
const name = `kwbench-${process.pid}-takeover`;
const topic = `${name}-events`;
const admin = quietClient(services.brokers).admin();
await admin.connect();
stack.defer(() => admin.disconnect());
await admin.createTopics({
  topics: [{ topic, numPartitions: PARTITIONS, configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] }],
  waitForLeaders: true,
});
stack.defer(() => admin.deleteTopics({ topics: [topic] }));
const installed = stack.use(
  await install({
    services,
    folder,
    name,
    topic,
    extra: { alerts: { survey: 0, channels: { slack: [{ name: 'slack', webhookUrl: { env: HOOK }, minSeverity: 'critical' }] } } },
    env: { [HOOK]: receiver.address },
  }),
);

/** One `keywatch run` with what it said, and when. */
class Keywatch {
  readonly child: ChildProcess;
  readonly startedAt: EpochMs = Date.now();
  readonly #lines: { readonly at: EpochMs; readonly text: string }[] = [];

  constructor(role: string, flags: readonly string[] = []) {
    this.child = spawn(process.execPath, [...flags, PROGRAM, 'run', '-c', installed.config, '--roles', role], {
      env: installed.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      for (const text of chunk.toString().split('\n')) {
        if (text === '') continue;
        this.#lines.push({ at: Date.now(), text });
        if (text.includes('"level":40') && !text.includes('"alert"')) say(`${role} ${this.child.pid}: ${text}`);
      }
    });
    stack.defer(() => this.end('SIGKILL'));
  }

  /** When it said `text` first. */
  async said(text: string): Promise<EpochMs> {
    return until(`a process with "${text}"`, () => {
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}: ${this.#lines.map((line) => line.text).join('\n')}`);
      return Promise.resolve(this.#lines.find((line) => line.text.includes(text))?.at);
    });
  }

  get rssMb(): number {
    return this.child.pid === undefined ? Number.NaN : (usageOf(this.child.pid)?.rssMb ?? Number.NaN);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    await ended;
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const started = Date.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() - started > WAIT_MS) throw new Error(`waited ${WAIT_MS / 1000} s for ${what}`);
    await pause(POLL_MS);
  }
}

async function secondOfMinute(ms: number): Promise<void> {
  await pause((ms - (Date.now() % MINUTE_MS) + MINUTE_MS) % MINUTE_MS);
}

const { config } = loadConfig({ env: installed.env, file: installed.config });
const opened = await readJournal(config, { clock: systemClock });
if (opened === undefined) throw new Error('BUG: no journal');
const { journal } = stack.use(opened);
const follower = new JournalFollower(journal);
/** When the minute in which `at` lies was judged. */
const judged = (at: EpochMs): Promise<EpochMs> => until('a judged minute', async () => ((await follower.poll()) > minuteOf(at) ? Date.now() : undefined));
const seconds = (from: EpochMs, to: EpochMs): number => (to - from) / 1000;

const load = stack.use(await TakeoverLoad.open({ brokers: services.brokers, topic, keys }));
say(`${keys} keys, ${history} minutes of history`);
await load.history(history);
const first = new Keywatch('judge');
await first.said('this process judges now');
const ingest = new Keywatch('ingest');
const offsets = await admin.fetchTopicOffsets(topic);
const ends = offsets.toSorted((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
await until('the history to be stored', async () => ((await installed.hasStored(ends)) ? true : undefined));
say('history is stored');
load.start();
const second = new Keywatch('judge');
const isWarm = await second.said('waiting to judge');
say(`the standby has its state after ${seconds(second.startedAt, isWarm)} s`);
await pause(LIVE_MS);
// While nothing happens.
const minuteBefore = Date.now();
const usual = (await judged(minuteBefore)) - (minuteOf(minuteBefore) + 1) * MINUTE_MS;
say(`a minute is judged ${usual / 1000} s after its end`);
await secondOfMinute(KILL_AT_MS);

const kills: EpochMs[] = [];
async function kill(victim: Keywatch): Promise<{ readonly at: EpochMs; readonly rssMb: number }> {
  const { rssMb } = victim;
  const at = Date.now();
  kills.push(at);
  await victim.end('SIGKILL');
  return { at, rssMb };
}
const takeover = await kill(first);
const [leads, hasJudged] = await Promise.all([second.said('this process judges now'), judged(takeover.at)]);
say(`leads after ${seconds(takeover.at, leads)} s, has judged the minute after ${seconds(takeover.at, hasJudged)} s`);
await pause(SETTLE_MS);
await secondOfMinute(KILL_AT_MS);

const cold = await kill(second);
const profiling = values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values.profile];
const third = new Keywatch('judge', profiling);
const [isSeeded, leadsCold, judgedCold] = await Promise.all([third.said('waiting to judge'), third.said('this process judges now'), judged(cold.at)]);
say(`cold: state after ${seconds(cold.at, isSeeded)} s, leads after ${seconds(cold.at, leadsCold)} s, judged after ${seconds(cold.at, judgedCold)} s`);
load.hush();
// The minute of the last one is over, judged and told.
await secondOfMinute(0);
await judged(load.loud.at(-1)?.at ?? 0);
await pause(SETTLE_MS);
const rssCold = third.rssMb;
const ingestRss = ingest.rssMb;
await Promise.all([third.end('SIGTERM'), ingest.end('SIGTERM')]);

const told = await compare(journal, receiver, { kills, loud: load.loud });
const failures = told.lost.length + told.unjudged.length;

const row = (what: string, reached: number, unit: string, bar?: number, note?: string): Row => ({
  name: what,
  reached,
  unit,
  bar,
  isUpper: true,
  note: note ?? '',
});
const rows: readonly Row[] = [
  row('standby: kill -9 -> next closed minute judged', seconds(takeover.at, hasJudged), 's', BAR_S, `leads after ${seconds(takeover.at, leads).toFixed(1)} s`),
  row('while nothing happens: end of a minute -> judged', usual / 1000, 's'),
  row('leader', takeover.rssMb, 'MB RSS at most', RSS_BAR_MB),
  row('standby, later leader', cold.rssMb, 'MB RSS at most', RSS_BAR_MB),
  row(
    'cold start: kill -9 of the only judge -> minute judged',
    seconds(cold.at, judgedCold),
    's',
    undefined,
    `leads after ${seconds(cold.at, leadsCold).toFixed(1)} s`,
  ),
  row('cold start: state loaded', seconds(cold.at, isSeeded), 's', undefined, `rows of about ${history + 4} minutes`),
  row('started cold', rssCold, 'MB RSS at most', RSS_BAR_MB),
  row('ingest beside it', ingestRss, 'MB RSS at most'),
  row(
    'messages lost',
    failures,
    '',
    0,
    `${load.loud.length} keys over their limit, ${told.rows} rows, ${told.received} messages, ${told.summed} keys told in a summary`,
  ),
  row('messages twice', told.twice.length, '', 0, `${told.again.length} sent again by the at-least-once rule`),
];
process.stdout.write(`${JSON.stringify({ bench: 'takeover', told })}\n`);
if (!report(rows, { out: values.out, facts: { keys, history, partitions: PARTITIONS } })) process.exitCode = 1;
