/** From the call that produces an event to the request that Slack's receiver gets, through `keywatch run` as users start it, under a steady load. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Partitioners } from 'kafkajs';
import { ByteSink } from '../../../app/simulate/format/format.ts';
import { ndjson } from '../../../app/simulate/format/ndjson.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';
import { Fingerprinter } from '../../../core/fingerprint.ts';
import { Secret } from '../../../core/secret.ts';
import { MINUTE_MS } from '../../../core/window.ts';
import { quietClient } from '../../services/topic.ts';
import { type Place, freshName, said } from './consume.ts';
import { PEPPER, PROGRAM, install } from './installation.ts';
import type { JavaTools } from './java.ts';

export type Delays = {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the background, as it was reached. */
  readonly eventsPerSecond: number;
  readonly delaysMs: readonly number[];
};

/** Requests of a minute that are critical, and one. */
const BURST = 1001;
const WAIT_MS = 30_000;
/** Many and equally busy, so that none of the background comes near a limit. */
const BACKGROUND_KEYS = 5000;
const TICK_MS = 50;
const WARM_UP_MS = 10_000;
const HOOK = 'KEYWATCH_BENCH_HOOK';

type Options = {
  readonly place: Place;
  readonly alerts: number;
  readonly rate: number;
  readonly partitions: number;
  readonly onLost: (message: string) => void;
};

export async function alertDelay(options: Options, java: JavaTools): Promise<Delays> {
  const { place, alerts, rate, partitions, onLost } = options;
  const { services } = place;
  const topic = freshName('live');
  await using stack = new AsyncDisposableStack();
  const receiver = await receiverOf(stack);
  const kafka = quietClient(services.brokers);
  const admin = kafka.admin();
  await admin.connect();
  stack.defer(() => admin.disconnect());
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true });
  stack.defer(() => admin.deleteTopics({ topics: [topic] }));
  const installed = stack.use(
    await install({
      ...place,
      name: freshName('delay'),
      topic,
      extra: { alerts: { survey: 0, channels: { slack: [{ name: 'slack', webhookUrl: { env: HOOK }, minSeverity: 'critical' }] } } },
      env: { [HOOK]: receiver.address },
    }),
  );
  const keywatch = spawn(process.execPath, [...place.nodeFlags, PROGRAM, 'run', '-c', installed.config], {
    env: installed.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  stack.defer(() => ended(keywatch));
  let log = '';
  keywatch.stderr.on('data', (chunk: Buffer) => (log = `${log}${chunk.toString()}`.slice(-10_000)));
  await said(keywatch, 'this process judges now');
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
  await producer.connect();
  stack.defer(() => producer.disconnect());
  const background = startBackground({ brokers: services.brokers, topic, partitions, rate }, java);
  stack.defer(() => background.stop());
  await pause(WARM_UP_MS);

  const fingerprinter = new Fingerprinter(new Secret(PEPPER));
  const delaysMs: number[] = [];
  for (let i = 0; i < alerts; i++) {
    const key = `bench-key-${i}`;
    const message = (): { key: string; value: string } => ({
      key,
      value: `{"ts":${Date.now()},"key":"${key}","ip":"198.51.100.7","method":"GET","path":"/v1/orders","status":200,"bytes":100,"ms":3}`,
    });
    if (keywatch.exitCode !== null) throw new Error(`keywatch ended with ${keywatch.exitCode}: ${log.slice(-3000)}`);
    // The minute must hold the whole burst.
    const left = MINUTE_MS - (Date.now() % MINUTE_MS);
    if (left < 5000) await pause(left + 50);
    await producer.send({ topic, messages: Array.from({ length: BURST - 1 }, message) });
    await pause(500);
    const answer = receiver.next(fingerprinter.fingerprint(key), WAIT_MS);
    const produced = performance.now();
    await producer.send({ topic, messages: [message()] });
    const delay = (await answer) - produced;
    delaysMs.push(delay);
    if (delay === Number.POSITIVE_INFINITY) onLost(`no message about key ${i} within ${WAIT_MS} ms; the last that keywatch said: ${log.slice(-1500)}`);
    // The channel sends one message a second in the long run: its own limit is not what is measured.
    await pause(1100);
  }
  const eventsPerSecond = background.eventsPerSecond();
  const sorted = delaysMs.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: quantile(1), eventsPerSecond, delaysMs };
}

/** Slack, as far as Keywatch can tell. */
async function receiverOf(stack: AsyncDisposableStack): Promise<{ readonly address: string; next(fingerprint: string, waitMs: number): Promise<number> }> {
  let received: ((at: number, text: string) => void) | undefined;
  const server = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end('ok');
      received?.(at, Buffer.concat(chunks).toString('utf8'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/hook`,
    next: (fingerprint, waitMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(Number.POSITIVE_INFINITY), waitMs);
        received = (at, text) => {
          // People are shown `key 035a21fa`: the first digits of the fingerprint, without its version.
          if (!/firing/i.test(text) || !text.includes(`key ${fingerprint.slice(4, 12)}`)) return;
          clearTimeout(timer);
          resolve(at);
        };
      }),
  };
}

/** Ordinary traffic in real time, one event per message, through the loader. */
function startBackground(
  options: { readonly brokers: string; readonly topic: string; readonly partitions: number; readonly rate: number },
  { java, classpath }: JavaTools,
): { stop(): Promise<void>; eventsPerSecond(): number } {
  const { brokers, topic, partitions, rate } = options;
  const args = [brokers, topic, partitions, 1, 'none', 16_384, 5].map(String);
  const child = spawn(java, ['-Xmx256m', '-XX:+UseSerialGC', '-cp', classpath, 'keywatch.bench.LoadTopic', ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => undefined);
  const started = Date.now();
  const population = new Population({ seed: 2, keys: BACKGROUND_KEYS, secretPrefix: 'k_', secretLength: 10 });
  const traffic = new Traffic(population, { seed: 2, start: started, eventsPerMinute: rate * 60, zipfExponent: 0 });
  const sink = new ByteSink((bytes) => void child.stdin.write(Buffer.from(bytes)));
  let waiting = traffic.next();
  let events = 0;
  const timer = setInterval(() => {
    const now = Date.now();
    for (; waiting !== undefined && waiting.at <= now; waiting = traffic.next()) {
      sink.text(`${waiting.key}\t`);
      ndjson.write(waiting, sink);
      events++;
    }
    sink.flush();
  }, TICK_MS);
  return {
    eventsPerSecond: () => (events / (Date.now() - started)) * 1000,
    stop: async () => {
      clearInterval(timer);
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.removeAllListeners('exit');
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
