import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ByteSink, type FormatName } from '../../../app/simulate/format/format.ts';
import { lineFormat } from '../../../app/simulate/format/registry.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';
import { MINUTE_MS, minuteOf } from '../../../core/window.ts';
import { quietClient } from '../../services/topic.ts';
import type { JavaTools } from './java.ts';
import { Ledger } from './ledger.ts';

export type FillOptions = {
  readonly brokers: string;
  readonly topic: string;
  readonly partitions: number;
  readonly format: FormatName;
  readonly events: number;
  readonly keys: number;
  readonly eventsPerMinute: number;
  readonly zipfExponent: number;
  /** 1: one event per message, and the API key is the record's key. More: without a key, to the partitions in turn. */
  readonly perMessage: number;
  readonly compression: string;
  readonly batchBytes: number;
};

export type Filled = FillOptions & {
  readonly population: Population;
  readonly ledger: Ledger;
  readonly messages: number;
  /** Of the lines alone. */
  readonly bytes: number;
  /** Next offset by partition. */
  readonly ends: readonly number[];
};

/** As `app/simulate/bench-file.ts`: with them NDJSON lines have 154 bytes on average. */
const SECRET_LENGTH = 10;
const AGENTS = ['curl/8', 'okhttp/4', 'axios/1', 'Java/17', 'node', 'Ruby', 'acme/2.4', 'PHP'];
/** Minutes in front of the first event and behind the last one that the dice may want. */
const SLACK_MINUTES = 2;
const EVENTS_PER_TURN = 2000;

/** Makes the topic and fills it with invented traffic whose last event is about now. */
export async function fillTopic(options: FillOptions, java: JavaTools): Promise<Filled> {
  const { brokers, topic, partitions, events, keys, eventsPerMinute, zipfExponent } = options;
  const admin = quietClient(brokers).admin();
  await admin.connect();
  try {
    const configEntries = [
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      { name: 'max.message.bytes', value: String(8 << 20) },
    ];
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true });
    const minutes = Math.ceil(events / eventsPerMinute) + SLACK_MINUTES;
    const from = minuteOf(Date.now()) - minutes;
    const population = new Population({ seed: 1, keys, secretPrefix: 'k_', secretLength: SECRET_LENGTH, agents: AGENTS });
    const traffic = new Traffic(population, { seed: 1, start: from * MINUTE_MS, eventsPerMinute, zipfExponent });
    const ledger = new Ledger({ from, to: from + minutes + SLACK_MINUTES, keys });
    const { messages, bytes } = await load({ ...options, population, traffic, ledger }, java);
    const offsets = await admin.fetchTopicOffsets(topic);
    const ends = offsets.toSorted((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
    if (ends.reduce((sum, end) => sum + end, 0) !== messages) throw new Error(`${messages} messages were sent to ${topic}, it holds ${ends.join(' + ')}`);
    return { ...options, population, ledger, messages, bytes, ends };
  } finally {
    await admin.disconnect();
  }
}

async function load(
  options: FillOptions & { readonly population: Population; readonly traffic: Traffic; readonly ledger: Ledger },
  { java, classpath }: JavaTools,
): Promise<{ readonly messages: number; readonly bytes: number }> {
  const { brokers, topic, partitions, format, events, perMessage, compression, batchBytes, population, traffic, ledger } = options;
  const args = [brokers, topic, partitions, perMessage, compression, batchBytes, 50].map(String);
  const child = spawn(java, ['-Xmx512m', '-XX:+UseSerialGC', '-cp', classpath, 'keywatch.bench.LoadTopic', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()));
  const ended = once(child, 'close');
  child.stdin.on('error', () => undefined);

  const indices = new Map(population.all().map(({ secret, index }) => [secret, index]));
  const writer = lineFormat(format);
  let isFull = false;
  let keyBytes = 0;
  const sink = new ByteSink((bytes) => {
    // The sink's buffer is used again at once.
    isFull = !child.stdin.write(Buffer.from(bytes)) || isFull;
  });
  for (let i = 0; i < events && child.exitCode === null; i++) {
    const event = traffic.next();
    const index = event === undefined ? undefined : indices.get(event.key);
    if (event === undefined || index === undefined) throw new Error('BUG: traffic ended, or made an event of nobody');
    keyBytes += event.key.length + 1;
    sink.text(`${event.key}\t`);
    writer.write(event, sink);
    ledger.count(index, event);
    if (i % EVENTS_PER_TURN !== 0 || !isFull) continue;
    isFull = false;
    await Promise.race([once(child.stdin, 'drain'), ended]);
  }
  sink.flush();
  child.stdin.end();
  await ended;
  if (child.exitCode !== 0) throw new Error(`the loader ended with ${child.exitCode}: ${complained.slice(-2000)}`);
  return { messages: Number(said), bytes: sink.bytes - keyBytes - events };
}
