import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { EpochMs } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { kafkaPublisher } from '../../ingest/kafka/publisher.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, systemReason, usageError } from '../cli/errors.ts';
import { formatNumber } from '../cli/format.ts';
import { type Io, write } from '../cli/io.ts';
import { type ConfigOptions, parseCount, withConfigOptions, withExamples } from '../cli/options.ts';
import { stopOnSignals } from '../cli/signals.ts';
import { parseDuration } from '../config/units.ts';
import { ByteSink, FORMAT_NAMES, type FormatName } from '../simulate/format/format.ts';
import { lineFormat } from '../simulate/format/registry.ts';
import { Population } from '../simulate/population.ts';
import { Traffic } from '../simulate/traffic.ts';
import { connectKafka, kafkaOf } from '../wire/kafka.ts';

type Options = ConfigOptions & {
  readonly to: string;
  readonly format: FormatName;
  readonly rate: number;
  readonly keys: number;
  readonly for?: number;
  readonly seed?: number;
  readonly topic?: string;
  readonly pack: number;
};

const TICK_MS = 100;
/** Events made at once, however long the far side took nothing. */
const EVENTS_MAX = 20_000;

export function command(io: Io): Command {
  return withExamples(
    withConfigOptions(new Command('simulate'))
      .description('Send made-up gateway traffic, in real time, until stopped: to try an installation without a gateway. Its keys begin with kw_live_.')
      .option('--to <where>', 'kafka (the topic of the configuration), - for standard output, or the path of a file to append to', '-')
      .addOption(new Option('--format <name>', 'format of the lines').choices(FORMAT_NAMES).default('ndjson'))
      .option('--rate <n>', 'events per second', parseCount, 100)
      .option('--keys <n>', 'how many keys there are', parseCount, 200)
      .option('--for <duration>', 'stop after this time, such as 30s', parseFor)
      .option('--seed <n>', 'the same seed makes the same traffic; default another one each time', parseCount)
      .option('--topic <name>', 'with --to kafka: another topic than the first one of the configuration')
      .option('--pack <n>', 'with --to kafka: events per message', parseCount, 1)
      .action((options: Options) => simulate(io, options)),
    [
      ['keywatch simulate --to kafka -c keywatch.yml', 'as the demo of docker compose does'],
      ['keywatch simulate --rate 20 --for 1m | keywatch run -', 'through a pipe'],
      ['keywatch simulate --format combined --to access.log', 'a file that grows'],
    ],
  );
}

function parseFor(text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError('expected a duration such as 30s or 10m');
  return parsed.value;
}

/** Where lines go; resolves when they are there. */
type Sink = AsyncDisposable & { readonly name: string; send(lines: readonly Uint8Array[]): Promise<void> };

async function simulate(io: Io, options: Options): Promise<void> {
  const { clock } = io;
  const seed = options.seed ?? randomBytes(4).readUInt32LE(0);
  const format = lineFormat(options.format);
  const start: EpochMs = clock.now();
  const end = options.for === undefined ? Number.POSITIVE_INFINITY : start + options.for;
  const population = new Population({ keys: options.keys, seed });
  const traffic = new Traffic(population, { seed, start, eventsPerMinute: options.rate * (MINUTE_MS / 1000) });
  using stop = stopOnSignals(() => undefined);
  await using sink = await sinkOf(io, options);
  if (options.to !== '-')
    io.stderr.write(`sending ${formatNumber(options.rate)} events a second of ${formatNumber(options.keys)} keys to ${sink.name}; seed ${seed}\n`);
  let lines: Uint8Array[] = [];
  const bytes = new ByteSink((part) => lines.push(Uint8Array.from(part)));
  let sent = 0;
  let next = traffic.next();
  while (!stop.signal.aborted && next !== undefined) {
    const now = Math.min(clock.now(), end);
    lines = [];
    while (next !== undefined && next.at <= now && lines.length < EVENTS_MAX) {
      format.write(next, bytes);
      bytes.flush();
      next = traffic.next();
    }
    if (lines.length > 0) await sink.send(lines);
    sent += lines.length;
    const isBehind = next !== undefined && next.at <= now;
    if (isBehind) continue;
    if (clock.now() >= end) break;
    await clock.sleep(TICK_MS, stop.signal);
  }
  if (options.to !== '-') io.stderr.write(`sent ${formatNumber(sent)} events\n`);
}

async function sinkOf(io: Io, options: Options): Promise<Sink> {
  if (options.to === 'kafka') return kafkaSink(io, options);
  if (options.topic !== undefined) throw usageError('--topic goes with --to kafka');
  if (options.to === '-') {
    return {
      name: 'standard output',
      send: (lines) => write(io.stdout, Buffer.concat(lines).toString('utf8')),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const file = createWriteStream(options.to, { flags: 'a' });
  await new Promise<void>((resolve, reject) => {
    file.once('open', () => resolve());
    // It stays: what a later write meets comes out of that write.
    file.on('error', (error) => reject(cannotWrite(options.to, error)));
  });
  return {
    name: options.to,
    send: (lines) =>
      new Promise((resolve, reject) => file.write(Buffer.concat(lines), (error) => (error ? reject(cannotWrite(options.to, error)) : resolve()))),
    [Symbol.asyncDispose]: () => new Promise((resolve) => file.end(resolve)),
  };
}

function cannotWrite(path: string, error: Error): CliError {
  return new CliError(`cannot write ${path}: ${systemReason(error)}`, undefined, { cause: error });
}

async function kafkaSink(io: Io, options: Options): Promise<Sink> {
  const { config } = configuredBy(options, io, { secrets: 'all' });
  const kafka = kafkaOf(config);
  if (kafka === undefined) throw usageError('--to kafka needs a source kafka in the configuration');
  const topic = options.topic ?? kafka.topics[0];
  if (topic === undefined) throw usageError('the configuration names topics by a pattern: say which one with --topic');
  const publisher = kafkaPublisher(connectKafka(kafka, { clientId: 'keywatch-simulate', onProblem: (message) => void io.stderr.write(`${message}\n`) }));
  return {
    name: `topic ${topic}`,
    send: async (lines) => {
      const messages: { readonly value: Uint8Array }[] = [];
      for (let from = 0; from < lines.length; from += options.pack) messages.push({ value: Buffer.concat(lines.slice(from, from + options.pack)) });
      const outcome = await publisher.publish(topic, messages);
      if (!outcome.ok) throw new CliError(`topic ${topic} did not take the events: ${outcome.reason}`);
    },
    [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose](),
  };
}
