import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename, dirname, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { quietClient } from '../../services/topic.ts';
import { type Documents, createIndex, deleteIndices, documentsIn, sumsIn } from './indices.ts';
import { PROGRAM, install } from './installation.ts';
import type { Filled } from './fill.ts';
import type { JavaTools } from './java.ts';
import { type Usage, usageOf } from './process.ts';
import type { Services } from './services.ts';
import { type Exactness, verify } from './verify.ts';

/** Helper threads of the collector are CPU too (notes/measured.md); NODE_OPTIONS does not take it. */
export const NODE_FLAGS = ['--single-threaded-gc'];

export type Consumed = Usage & { readonly seconds: number; readonly documents: Documents | undefined };

export type Place = { readonly services: Services; readonly folder: string; readonly nodeFlags: readonly string[] };

const POLL_MS = 500;
const WAIT_MS_MAX = 1_800_000;
let serial = 0;

export function freshName(what: string): string {
  return `kwbench-${process.pid}-${what}-${++serial}`;
}

/** `keywatch run --roles ingest`, the command as users start it, from its start until everything is stored. With `judge` another process judges meanwhile. */
export async function runKeywatch(
  filled: Filled,
  place: Place,
  options: { readonly exactness?: Exactness; readonly judges?: boolean } = {},
): Promise<Consumed & { readonly judge: Usage | undefined }> {
  const { services, nodeFlags } = place;
  await using installed = await install({ ...place, name: freshName('run'), topic: filled.topic });
  const start = (role: string): ChildProcess =>
    spawn(process.execPath, [...nodeFlags, PROGRAM, 'run', '-c', installed.config, '--roles', role], {
      env: installed.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const judge = options.judges === true ? start('judge') : undefined;
  try {
    if (judge !== undefined) await said(judge, 'this process judges now');
    const started = performance.now();
    const ingest = start('ingest');
    const usage = await measured(ingest, () => installed.hasStored(filled.ends));
    const seconds = (performance.now() - started) / 1000;
    await stopped(ingest, 'SIGTERM');
    // It hears of the last rows, and closes their minutes.
    if (judge !== undefined) await pause(15_000);
    const judgeUsage = judge?.pid === undefined ? undefined : usageOf(judge.pid);
    const documents = await documentsIn(services.elasticsearch, `${installed.prefix}-partial-*`);
    if (options.exactness !== undefined)
      await verify(filled, { elasticsearch: services.elasticsearch, prefix: installed.prefix, exactness: options.exactness });
    return { ...usage, seconds, documents, judge: judgeUsage };
  } finally {
    if (judge !== undefined) await stopped(judge, 'SIGTERM');
  }
}

/** The same assembled by `main.ts`, with what is left out. */
export async function runMain(
  filled: Filled,
  place: Place,
  options: { readonly sketches: 'none' | 'window'; readonly store?: 'none'; readonly bus?: 'none'; readonly exactness?: Exactness; readonly profile?: string },
): Promise<Consumed & { readonly rows: number; readonly cellBytes: number }> {
  const { sketches, store = 'es', bus = 'kafka', exactness, profile } = options;
  await using installed = await install({ ...place, name: freshName('main'), topic: filled.topic });
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', dirname(resolve(profile)), '--cpu-prof-name', basename(profile)];
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const args = ['--config', installed.config, '--ends', filled.ends.join(','), '--sketches', sketches, '--store', store, '--bus', bus];
  const { stdout } = await promisify(execFile)(process.execPath, [...place.nodeFlags, ...profiling, main, ...args], { env: installed.env, maxBuffer: 1 << 24 });
  // Our own line.
  const result = JSON.parse(stdout) as Usage & { readonly seconds: number; readonly rows: number; readonly cellBytes: number };
  if (store === 'none') return { ...result, documents: undefined };
  const documents = await documentsIn(place.services.elasticsearch, `${installed.prefix}-partial-*`);
  if (exactness !== undefined) await verify(filled, { elasticsearch: place.services.elasticsearch, prefix: installed.prefix, exactness });
  return { ...result, documents };
}

/** Kafka Streams over the same topic into the same node. */
export async function runStreams(filled: Filled, place: Place, java: JavaTools): Promise<Consumed> {
  const { brokers, elasticsearch } = place.services;
  const name = freshName('streams');
  const index = `${name}-windows`;
  await createIndex(elasticsearch, index, {
    settings: { index: { number_of_shards: 1, number_of_replicas: 0, refresh_interval: '5s', codec: 'best_compression' } },
    mappings: { properties: { ts: { type: 'date' }, key: { type: 'keyword' }, requests: { type: 'long' }, errors: { type: 'long' }, bytes: { type: 'long' } } },
  });
  const { requests, errors, bytesOut } = filled.ledger.total;
  try {
    const started = performance.now();
    const flags = ['-Xmx1g', '-XX:+UseSerialGC'];
    const args = [brokers, filled.topic, name, elasticsearch, index, 'in-memory'];
    const child = spawn(java.java, [...flags, '-cp', java.classpath, 'keywatch.bench.StreamsJob', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const usage = await measured(child, async () => {
      const sums = await sumsIn(elasticsearch, index, ['requests']);
      return sums['requests'] === requests;
    });
    const seconds = (performance.now() - started) / 1000;
    await stopped(child, 'SIGTERM');
    const sums = await sumsIn(elasticsearch, index, ['requests', 'errors', 'bytes']);
    if (sums['requests'] !== requests || sums['errors'] !== errors || sums['bytes'] !== bytesOut)
      throw new Error(`Kafka Streams counted ${JSON.stringify(sums)}, the ledger has ${JSON.stringify(filled.ledger.total)}`);
    return { ...usage, seconds, documents: await documentsIn(elasticsearch, index) };
  } finally {
    await deleteIndices(elasticsearch, name);
    await forgetApplication(brokers, name);
  }
}

/** The topics and the group that Kafka Streams made for itself. */
async function forgetApplication(brokers: string, name: string): Promise<void> {
  const admin = quietClient(brokers).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${name}-`));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await admin.deleteGroups([name]).catch(() => undefined);
  } finally {
    await admin.disconnect();
  }
}

/** What a process used until `isDone`. */
async function measured(child: ChildProcess, isDone: () => Promise<boolean>): Promise<Usage> {
  let complained = '';
  child.stderr?.on('data', (chunk: Buffer) => (complained = `${complained}${chunk.toString()}`.slice(-4000)));
  const started = performance.now();
  try {
    for (;;) {
      await pause(POLL_MS);
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended with ${child.exitCode ?? child.signalCode}: ${complained}`);
      const isOver = await isDone();
      const usage = child.pid === undefined ? undefined : usageOf(child.pid);
      if (isOver && usage !== undefined) return usage;
      if (performance.now() - started > WAIT_MS_MAX) throw new Error(`not done after ${WAIT_MS_MAX / 1000} s: ${complained}`);
    }
  } catch (error) {
    await stopped(child, 'SIGKILL');
    throw error;
  }
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Resolves when the process has said `text`. */
export function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      all = `${all}${chunk.toString()}`.slice(-100_000);
      if (all.includes(text)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it said "${text}": ${all}`)));
  });
}
