import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { inFreshFolder } from './account.ts';
import { kafkaJars } from './artefacts.ts';
import { meansHere } from './choice.ts';
import { container, imageOf } from './container.ts';
import { local } from './local.ts';
import { freePort } from './ports.ts';
import { type Runner, type Server, serve } from './server.ts';

const run = promisify(execFile);

export type KafkaService = Server & { /** For `brokers:` of a client: `127.0.0.1:port`. */ readonly brokers: string };

export type KafkaOptions = {
  /** What clients speak; default PLAINTEXT. Keys, trust and mechanisms come as `properties`. */
  readonly protocol?: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  /** Lines of server.properties; they win over the harness's own. PEM in values may hold line feeds. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Users that are there from the start. */
  readonly scram?: readonly { readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly name: string; readonly password: string }[];
  readonly heapMb?: number;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
};

const LISTENER = 'CLIENTS';

/** A broker of its own, a KRaft node that is its own controller. Resolves when it answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaService> {
  const port = await freePort();
  const { protocol = 'PLAINTEXT' } = options;
  const server = await serve({
    name: 'kafka',
    port,
    runner: await runnerOf(options, port, await freePort()),
    answers: () => answers(port, protocol.endsWith('SSL')),
    signal: options.signal,
  });
  return { ...server, brokers: `127.0.0.1:${port}` };
}

async function runnerOf(options: KafkaOptions, port: number, controllerPort: number): Promise<Runner> {
  const means = await meansHere();
  const { protocol = 'PLAINTEXT', heapMb = 512 } = options;
  if (means.by === 'nothing') throw new Error(`cannot start a Kafka for a test: ${means.why}`);
  if (means.by === 'docker') {
    if (options.scram !== undefined) throw new Error('a Kafka with SCRAM users is started by Java only: install java and mvn');
    const properties = { ...serverProperties({ protocol, port, controllerPort, host: '0.0.0.0' }), ...options.properties };
    const env = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [`KAFKA_${name.replaceAll('_', '__').replaceAll('.', '_').toUpperCase()}`, value]),
    );
    // Its image sets log.dirs; the rest is as below.
    return container({ image: imageOf('kafka'), port, inside: port, env: { ...env, KAFKA_HEAP_OPTS: `-Xmx${heapMb}m` } });
  }
  const { program } = means.java;
  const classpath = join(await kafkaJars(), '*');
  return inFreshFolder(undefined, 'keywatch-kafka-', async (folder) => {
    const config = join(folder, 'server.properties');
    const properties = { ...serverProperties({ protocol, port, controllerPort, host: '127.0.0.1' }), 'log.dirs': join(folder, 'logs'), ...options.properties };
    await writeFile(config, propertiesFile(properties));
    await writeFile(join(folder, 'log4j2.properties'), LOGGING);
    const java = [`-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`, '-cp', classpath];
    const users = (options.scram ?? []).flatMap(({ mechanism, name, password }) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]);
    // A cluster id that began with a dash would be taken for an option.
    const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
    await run(program, ['-XX:TieredStopAtLevel=1', ...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', config, ...users]);
    return local({ program, folder, args: [`-Xmx${heapMb}m`, '-XX:+UseSerialGC', ...java, 'kafka.Kafka', config] });
  });
}

function serverProperties(options: {
  readonly protocol: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly host: string;
}): Readonly<Record<string, string>> {
  const { protocol, port, controllerPort, host } = options;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `${LISTENER}://${host}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `${LISTENER}://127.0.0.1:${port}`,
    'listener.security.protocol.map': `${LISTENER}:${protocol},CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': LISTENER,
    'controller.listener.names': 'CONTROLLER',
    // One node holds every copy there is, and the inner topics are small.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    // Groups of one consumer need not wait for others.
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    // One that was killed is let in again only when its old session is over: after 9 s by default.
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '3000',
  };
}

/** Escaped as Java reads it. */
function propertiesFile(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}

const LOGGING = `rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = Console
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
`;

/** Whether the broker answers an ApiVersions request. That an open port accepts says less: it may still be reading its log. */
function answers(port: number, isTls: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (isUp: boolean) => (): void => {
      socket.destroy();
      resolve(isUp);
    };
    // length 10, ApiVersions, version 0, correlation 1, no client id
    const ask = (): void => void socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]));
    const socket: Socket = isTls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, ask) : connect({ port, host: '127.0.0.1' }, ask);
    socket.setTimeout(2000, done(false)).once('data', done(true)).once('error', done(false)).once('close', done(false));
  });
}
