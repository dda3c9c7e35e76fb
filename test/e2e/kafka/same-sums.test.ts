import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { fresh, lacks, services } from '../../services/needs.ts';
import { freePort } from '../../services/ports.ts';
import { type Command, keywatch, scratch } from '../support/command.ts';
import { writePepper } from '../support/pepper.ts';
import { untilStored } from '../support/store.ts';
import { Installation, until } from './installation.ts';
import { type Stored, sameInput, storedOf } from './same-input.ts';

const LINES = 4000;
/** Events in one packed record, and in one request. */
const PACK = 37;
const REQUEST = 700;

/** `KEYWATCH_TEST_SAME_SUMS=all`: every way there is. */
const IS_LONG = process.env['KEYWATCH_TEST_SAME_SUMS'] === 'all';

const input = sameInput(LINES, Date.now());
const TEXT = `${input.lines.join('\n')}\n`;

/** By the stores of one process: what `run` keeps in its data directory. */
async function embedded(
  how: (
    folder: ReturnType<typeof scratch>,
  ) => Promise<{ readonly config: object; readonly stdin?: string; readonly args?: readonly string[]; readonly deliver?: () => Promise<void> }>,
): Promise<Stored> {
  using folder = scratch();
  const data = folder.join('data');
  writePepper(data);
  const { config, stdin, args = [], deliver } = await how(folder);
  const file = folder.write('keywatch.yml', stringify({ ops: { listen: 'off' }, ...config }));
  await using run = keywatch(['run', '-c', file, '--data-dir', data, ...args], { cwd: folder.path, ...(stdin === undefined ? {} : { stdin }) });
  await run.says('watching');
  await deliver?.();
  await untilStored(data, LINES);
  // What comes through a pipe ends with it.
  if (args.includes('-')) expect(await run.end()).toMatchObject({ code: 0 });
  else await stopped(run);
  await using store = await openMetricStore({ directory: data, readOnly: true });
  return await storedOf(store);
}

/** On request, and with nothing lost. */
async function stopped(run: Command): Promise<void> {
  const { code, signal, stderr } = await run.stop('SIGTERM');
  expect({ code, signal, stderr }).toMatchObject({ code: 0, signal: null, stderr: expect.stringContaining('everything that was read is stored') });
}

/** NDJSON by `POST /v1/events`, as soon as somebody listens. */
async function post(port: number): Promise<void> {
  for (let from = 0; from < LINES; from += REQUEST) {
    const body = `${input.lines.slice(from, from + REQUEST).join('\n')}\n`;
    let answer: Response | undefined;
    await until(
      async () =>
        (answer = await fetch(`http://127.0.0.1:${port}/v1/events`, { method: 'POST', body, headers: { 'content-type': 'application/x-ndjson' } }).catch(
          () => undefined,
        )) !== undefined,
      'POST /v1/events to answer',
    );
    expect(answer?.status).toBe(202);
  }
}

type Packing = 'single' | 'array' | 'ndjson';

function recordsOf(packing: Packing): readonly string[] {
  if (packing === 'single') return input.lines;
  const packs = Array.from({ length: Math.ceil(LINES / PACK) }, (_, pack) => input.lines.slice(pack * PACK, (pack + 1) * PACK));
  return packs.map((pack) => (packing === 'array' ? `[${pack.join(',\n ')}]` : pack.join('\n')));
}

async function overKafka(options: { readonly partitions: number; readonly processes: number; readonly packing: Packing }): Promise<Stored> {
  const { partitions, processes, packing } = options;
  const { kafka: brokers, elasticsearch } = await services();
  await using installed = await Installation.open({ name: fresh('kw-same'), brokers, elasticsearch, partitions });
  const records = recordsOf(packing);
  for (let partition = 0; partition < partitions; partition++)
    await installed.sendRaw(
      records.filter((_, index) => index % partitions === partition),
      { partition },
    );
  await using stack = new AsyncDisposableStack();
  const runs = Array.from({ length: processes }, () => stack.use(installed.run()));
  await Promise.all(runs.map((run) => run.says('watching')));
  await installed.stored(records.length).catch((error: unknown) => {
    throw new Error(`what was said meanwhile: ${runs.map((run) => run.stderr()).join('\n')}`, { cause: error });
  });
  for (const run of runs) await stopped(run);
  return await storedOf(await installed.store());
}

/** Without topics, into Elasticsearch. */
async function indexed(way: 'file' | 'http'): Promise<Stored> {
  const { kafka: brokers, elasticsearch } = await services();
  await using installed = await Installation.open({ name: fresh('kw-same'), brokers, elasticsearch, partitions: 1 });
  const port = await freePort();
  const log = installed.folder.write('access.json', TEXT);
  const members = way === 'file' ? { sources: [{ file: log }] } : { sources: [], http: { listen: `127.0.0.1:${port}` } };
  await using run = installed.run(installed.configure('other.yml', { members }));
  await run.says('watching');
  if (way === 'http') await post(port);
  await installed.stored(LINES);
  await stopped(run);
  return await storedOf(await installed.store());
}

type Way = { readonly way: string; /** Part of `npm test`. */ readonly isShort: boolean; readonly count: () => Promise<Stored> };

describe.skipIf(lacks('kafka', 'elasticsearch'))('the same events give the same bytes, whatever way they come', () => {
  let reference: Stored;
  beforeAll(async () => {
    reference = await embedded(async (folder) => ({ config: { sources: [{ file: folder.write('access.json', TEXT) }] } }));
  });

  test('as a file into SQLite: what the generator says, every owner and minute', () => {
    expect(Object.fromEntries(reference.owners)).toEqual(Object.fromEntries(input.owners));
    expect(reference.rejects).toEqual(input.rejects);
    expect(reference.whole.size).toBeGreaterThan(100);
    expect(reference.bounded.size).toBeGreaterThan(10);
  });

  const kafka = (partitions: number, processes: number, packing: Packing, isShort: boolean): Way => ({
    way: `Kafka into Elasticsearch, ${packing} records in ${partitions} partitions read by ${processes}`,
    isShort,
    count: () => overKafka({ partitions, processes, packing }),
  });
  const ways: readonly Way[] = [
    { way: 'standard input into SQLite', isShort: true, count: () => embedded(async () => ({ config: {}, args: ['-'], stdin: TEXT })) },
    {
      way: 'HTTP into SQLite',
      isShort: true,
      count: () =>
        embedded(async () => {
          const port = await freePort();
          return { config: { http: { listen: `127.0.0.1:${port}` } }, deliver: () => post(port) };
        }),
    },
    { way: 'a file into Elasticsearch', isShort: true, count: () => indexed('file') },
    { way: 'HTTP into Elasticsearch', isShort: false, count: () => indexed('http') },
    kafka(3, 2, 'single', true),
    kafka(1, 1, 'array', true),
    kafka(3, 1, 'ndjson', true),
    // With these, every pair of partitions, processes and packing.
    kafka(1, 2, 'array', false),
    kafka(1, 1, 'single', false),
    kafka(3, 2, 'ndjson', false),
    kafka(3, 2, 'array', false),
  ];
  test.concurrent.each(ways.filter(({ isShort }) => isShort || IS_LONG))('$way', { timeout: 180_000 }, async ({ count }) => {
    const stored = await count();
    expect(stored.rejects).toEqual(reference.rejects);
    expect(Object.fromEntries(stored.owners)).toEqual(Object.fromEntries(reference.owners));
    expect(Object.fromEntries(stored.whole)).toEqual(Object.fromEntries(reference.whole));
    expect(Object.fromEntries(stored.bounded)).toEqual(Object.fromEntries(reference.bounded));
  });
});
