import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { EpochMs } from '../../core/types.ts';
import { ByteSink, FORMAT_NAMES, type FormatName, type LineFormat } from './format/format.ts';
import { lineFormat } from './format/registry.ts';
import { Population } from './population.ts';
import { Traffic } from './traffic.ts';
import { countInto, emptyTruth, type EntityTruth } from './truth.ts';

export type BenchFileOptions = {
  readonly path: string;
  readonly format: FormatName;
  readonly events: number;
  /** 5,000 unless told. */
  readonly keys?: number;
  readonly seed?: number;
  /** Of event time; 100,000 unless told. */
  readonly eventsPerMinute?: number;
  /** 1 unless told; 0 makes all keys equally popular. */
  readonly zipfExponent?: number;
  /** combined and common: the URL parameter that shows the key. Without it a line names its client only, and each key has exactly one. */
  readonly keyParameter?: string;
};

export type BenchFile = {
  readonly path: string;
  readonly bytes: number;
  readonly events: number;
  /** Of the first and the last event. */
  readonly first: EpochMs;
  readonly last: EpochMs;
  readonly total: EntityTruth;
  /** By raw key; by `address agent` where the lines show no key. */
  readonly entities: ReadonlyMap<string, EntityTruth>;
  /** True when a file of an earlier run with the same parameters was found and left as it is. */
  readonly isReused: boolean;
};

/** A Tuesday morning. Fixed, so that equal parameters make equal bytes. */
const START: EpochMs = Date.UTC(2026, 5, 2, 9, 0, 0);
/** The length with which NDJSON lines have 154 bytes on average, with these agents. */
const SECRET_LENGTH = 10;
const AGENTS = ['curl/8', 'okhttp/4', 'axios/1', 'Java/17', 'node', 'Ruby', 'acme/2.4', 'PHP'];

/**
 * Writes a log of `events` lines for a bench, with a count of what is in it that the generator kept itself. A
 * second call with the same parameters finds the file (`<path>.truth.json` says what it holds) and costs nothing.
 */
export function writeBenchFile(options: BenchFileOptions): BenchFile {
  const sidecar = `${options.path}.truth.json`;
  const parameters = parametersOf(options);
  const found = readSidecar(options.path, sidecar, parameters);
  if (found !== undefined) return found;

  const partial = `${options.path}.partial`;
  const file = openSync(partial, 'w');
  let made: { readonly bytes: number; readonly total: EntityTruth; readonly entities: Map<string, EntityTruth> };
  try {
    made = generate(options, (bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    });
  } finally {
    closeSync(file);
  }
  renameSync(partial, options.path);
  const result = {
    path: options.path,
    bytes: made.bytes,
    events: options.events,
    first: made.total.first,
    last: made.total.last,
    total: made.total,
    entities: made.entities,
    isReused: false,
  };
  writeFileSync(sidecar, JSON.stringify({ parameters, ...result, entities: Object.fromEntries(made.entities) }));
  return result;
}

function generate(
  options: BenchFileOptions,
  deliver: (bytes: Uint8Array) => void,
): { readonly bytes: number; readonly total: EntityTruth; readonly entities: Map<string, EntityTruth> } {
  const { traffic, format, isByClient } = benchTraffic(options);
  const out = new ByteSink(deliver);
  const total = emptyTruth();
  const entities = new Map<string, EntityTruth>();
  for (let i = 0; i < options.events; i++) {
    const event = traffic.next();
    if (event === undefined) throw new Error('BUG: open-ended traffic ended');
    format.write(event, out);
    const name = isByClient ? `${event.address} ${event.agent}` : event.key;
    let truth = entities.get(name);
    if (truth === undefined) entities.set(name, (truth = emptyTruth()));
    countInto(truth, event);
  }
  out.flush();
  for (const truth of entities.values()) addTruth(total, truth);
  return { bytes: out.bytes, total, entities };
}

function benchTraffic(options: BenchFileOptions): { readonly traffic: Traffic; readonly format: LineFormat; readonly isByClient: boolean } {
  const seed = options.seed ?? 1;
  const hasKeyField = options.format !== 'combined' && options.format !== 'common';
  const isByClient = !hasKeyField && options.keyParameter === undefined;
  const population = new Population({
    seed,
    keys: options.keys ?? 5_000,
    secretPrefix: 'k_',
    secretLength: SECRET_LENGTH,
    agents: AGENTS,
    ...(isByClient ? { clientsPerKeyMax: 1 } : {}),
  });
  const traffic = new Traffic(population, { seed, start: START, eventsPerMinute: options.eventsPerMinute ?? 100_000, zipfExponent: options.zipfExponent ?? 1 });
  return { traffic, format: lineFormat(options.format, options.keyParameter === undefined ? {} : { keyParameter: options.keyParameter }), isByClient };
}

function addTruth(into: EntityTruth, from: EntityTruth): void {
  for (const name of ['requests', 's2xx', 's3xx', 's4xx', 's5xx', 'aborted', 's401', 's403', 's429', 'bytesIn', 'bytesOut'] as const) into[name] += from[name];
  into.first = Math.min(into.first, from.first);
  into.last = Math.max(into.last, from.last);
}

/** Names the content: the parameters and a hash of the first thousand lines, so that a changed generator makes a new file. */
function parametersOf(options: BenchFileOptions): string {
  const hash = createHash('sha256');
  generate({ ...options, events: Math.min(1_000, options.events) }, (bytes) => hash.update(bytes));
  const { format, events, keys = 5_000, seed = 1, eventsPerMinute = 100_000, zipfExponent = 1, keyParameter = '' } = options;
  return JSON.stringify({ format, events, keys, seed, eventsPerMinute, zipfExponent, keyParameter, sample: hash.digest('hex') });
}

type Sidecar = Omit<BenchFile, 'entities' | 'isReused'> & { readonly parameters: string; readonly entities: Record<string, EntityTruth> };

function readSidecar(path: string, sidecar: string, parameters: string): BenchFile | undefined {
  if (!existsSync(path) || !existsSync(sidecar)) return undefined;
  try {
    // Our own file of an earlier run; the parameters and the size are checked below.
    const stored = JSON.parse(readFileSync(sidecar, 'utf8')) as Sidecar;
    if (stored.parameters !== parameters || stored.bytes !== statSync(path).size) return undefined;
    return {
      path,
      bytes: stored.bytes,
      events: stored.events,
      first: stored.first,
      last: stored.last,
      total: stored.total,
      entities: new Map(Object.entries(stored.entities)),
      isReused: true,
    };
  } catch {
    // A sidecar that does not read is made again.
    return undefined;
  }
}

const USAGE = `usage: node app/simulate/bench-file.ts <${FORMAT_NAMES.join('|')}> <events> <path> [--keys N] [--seed N] [--per-minute N] [--zipf N] [--key-parameter NAME]`;

function main(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      keys: { type: 'string' },
      seed: { type: 'string' },
      'per-minute': { type: 'string' },
      zipf: { type: 'string' },
      'key-parameter': { type: 'string' },
    },
  });
  const [name, events, path] = positionals;
  const format = FORMAT_NAMES.find((known) => known === name);
  const count = Number(events?.replaceAll('_', ''));
  if (format === undefined || path === undefined || !Number.isSafeInteger(count) || count < 1) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const started = performance.now();
  const file = writeBenchFile({
    path,
    format,
    events: count,
    ...(values.keys === undefined ? {} : { keys: Number(values.keys) }),
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
    ...(values['per-minute'] === undefined ? {} : { eventsPerMinute: Number(values['per-minute']) }),
    ...(values.zipf === undefined ? {} : { zipfExponent: Number(values.zipf) }),
    ...(values['key-parameter'] === undefined ? {} : { keyParameter: values['key-parameter'] }),
  });
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    `${file.isReused ? 'found' : 'wrote'} ${file.path}: ${file.events} lines, ${file.bytes} bytes, ${(file.bytes / file.events).toFixed(1)} bytes a line, ${file.entities.size} entities, ${seconds.toFixed(1)} s\n`,
  );
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
