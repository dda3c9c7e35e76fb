import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { type KafkaOptions, openKafka } from '../../../ingest/kafka/client.ts';
import { faultOf } from '../../../ingest/kafka/fault.ts';
import { kafkajs } from '../../../ingest/kafka/patch.ts';
import { lacks } from '../../services/needs.ts';
import { type KafkaService, startKafka } from '../../services/kafka.ts';
import { selfSigned } from '../../support/self-signed.ts';

type Listener = { readonly broker: string } & AsyncDisposable;
const OWN = selfSigned();
const OTHER = selfSigned();

/** What a person is told when connecting fails, and what went to the log meanwhile. */
async function connect(
  options: Omit<KafkaOptions, 'clientId' | 'log'>,
): Promise<{ readonly fault: ReturnType<typeof faultOf> | undefined; readonly logged: readonly string[] }> {
  const logged: string[] = [];
  const { kafka } = openKafka({ retries: 0, ...options, clientId: 'test', log: (level, text) => void (level === 'debug' || logged.push(`${level} ${text}`)) });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.listTopics();
    return { fault: undefined, logged };
  } catch (error) {
    return { fault: faultOf(error), logged };
  } finally {
    await admin.disconnect();
  }
}

async function listen(server: ReturnType<typeof createServer>): Promise<Listener> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    broker: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

describe('what a failed connection means', () => {
  test('nobody listens', async () => {
    const { broker, ...gone } = await listen(createServer());
    await gone[Symbol.asyncDispose]();
    const { fault, logged } = await connect({ brokers: [broker] });
    expect(fault).toMatchObject({ retryable: true, reason: `kafka broker ${broker} refused the connection; check the address and that it runs` });
    expect(logged.every((line) => line.startsWith('warn ') && !line.includes('\n'))).toBe(true);
    expect(new Set(logged).size).toBe(logged.length);
  });

  test('TLS is spoken to a port that does not', async () => {
    await using plain = await listen(createServer((socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    const { fault } = await connect({ brokers: [plain.broker], tls: {} });
    expect(fault).toMatchObject({ retryable: false, reason: expect.stringMatching(/does not speak TLS on this port/) });
  });

  test('the certificate is signed by nobody we trust, or by another', async () => {
    const server = createTlsServer({ key: OWN.key, cert: OWN.cert });
    server.on('tlsClientError', () => undefined);
    await using tls = await listen(server);
    for (const options of [{}, { ca: OTHER.cert }]) {
      const { fault } = await connect({ brokers: [tls.broker], tls: options });
      expect(fault).toMatchObject({
        retryable: false,
        reason: expect.stringMatching(/its TLS certificate is not accepted \([A-Z_]+\); check the certificate authority/),
      });
    }
  });

  test('a certificate of ours is shown to who asks for one', async () => {
    const server = createTlsServer({ key: OWN.key, cert: OWN.cert, ca: OWN.cert, requestCert: true });
    const seen: boolean[] = [];
    server.on('secureConnection', (socket) => {
      seen.push(socket.authorized);
      socket.on('error', () => undefined).destroy();
    });
    await using tls = await listen(server);
    await connect({ brokers: [tls.broker], tls: { ca: OWN.cert, cert: OWN.cert, key: new Secret(OWN.key) } });
    const { fault } = await connect({ brokers: [tls.broker], tls: { ca: OWN.cert } });
    expect(seen).toEqual([true]);
    expect(fault).toMatchObject({ reason: expect.stringMatching(/check the client certificate/) });
  });

  test('a port that wants TLS hangs up on us', async () => {
    const server = createTlsServer({ key: OWN.key, cert: OWN.cert });
    server.on('tlsClientError', () => undefined);
    await using tls = await listen(server);
    const { fault } = await connect({ brokers: [tls.broker] });
    expect(fault).toMatchObject({
      retryable: true,
      reason: expect.stringMatching(/closed the connection; when this is so at every start, it wants TLS or a login/),
    });
  });
});

describe('what errors of kafkajs mean', () => {
  type ErrorClass = new (error: Error | string, options?: object) => Error;
  // Their declared constructors leave out what the real ones take.
  const errors = kafkajs() as unknown as Readonly<
    Record<
      'KafkaJSError' | 'KafkaJSNonRetriableError' | 'KafkaJSNumberOfRetriesExceeded' | 'KafkaJSProtocolError' | 'KafkaJSSASLAuthenticationError',
      ErrorClass
    >
  >;
  const { KafkaJSError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError, KafkaJSSASLAuthenticationError } = errors;
  const protocol = (type: string, message: string, retriable: boolean): Error =>
    new KafkaJSProtocolError(Object.assign(new Error(message), { type, code: 1, retriable }));

  test.each([
    [
      'a passing fault whose retries are used up can pass later',
      () => new KafkaJSNumberOfRetriesExceeded(protocol('NOT_ENOUGH_REPLICAS', 'fewer in-sync replicas', true), { retryCount: 5, retryTime: 1 }),
      true,
      /fewer in-sync replicas \(NOT_ENOUGH_REPLICAS\)/,
    ],
    ['a final answer stays final', () => protocol('INVALID_TOPIC_EXCEPTION', 'an invalid topic', false), false, /an invalid topic/],
    [
      'a missing right needs a person',
      () => protocol('TOPIC_AUTHORIZATION_FAILED', 'Not authorized to access topics', false),
      false,
      /denied the access: Not authorized.*; grant it/,
    ],
    ['a rebalance passes', () => protocol('REBALANCE_IN_PROGRESS', 'The group is rebalancing', false), true, /rebalancing/],
    [
      'a wrong password needs a person',
      () => new KafkaJSSASLAuthenticationError('SASL PLAIN authentication failed: Invalid username or password'),
      false,
      /refused the login.*check the user name/,
    ],
    [
      'a connection that broke during the login does not',
      () => new KafkaJSSASLAuthenticationError('SASL PLAIN authentication failed: Connection closed by the server'),
      true,
      /closed the connection during the login/,
    ],
    [
      'a bug does not pass',
      () => new KafkaJSNonRetriableError(new TypeError('x is not a function'), { cause: new TypeError('x is not a function') }),
      false,
      /x is not a function/,
    ],
    ['an unknown error of kafkajs may pass', () => new KafkaJSError(new Error('odd\n  things'), { retriable: true }), true, /kafka: odd things$/],
    ['what is no error is told too', () => 'nonsense', false, /nonsense/],
  ])('%s', (_name, make, retryable, reason) => {
    expect(faultOf(make())).toEqual({ ok: false, retryable, reason: expect.stringMatching(reason) });
  });
});

describe.skipIf(lacks('own'))('a broker that wants TLS and a login', () => {
  const user = { username: 'keywatch', password: new Secret('right-password') };
  const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

  test('takes the right credentials by every mechanism, and says which are wrong without showing them', async () => {
    await using broker = await startSecured();
    for (const mechanism of mechanisms) {
      expect(await connect({ brokers: [broker.brokers], tls: { ca: OWN.cert }, sasl: { mechanism, ...user } })).toEqual({ fault: undefined, logged: [] });
      const wrong = await connect({
        brokers: [broker.brokers],
        tls: { ca: OWN.cert },
        sasl: { mechanism, username: 'keywatch', password: new Secret('wrong-password') },
      });
      expect(wrong.fault).toMatchObject({ retryable: false, reason: expect.stringMatching(/^kafka refused the login: /) });
      expect(JSON.stringify(wrong)).not.toContain('wrong-password');
    }
    const without = await connect({ brokers: [broker.brokers], tls: { ca: OWN.cert } });
    expect(without.fault).toMatchObject({ reason: expect.stringMatching(/wants TLS or a login/) });
    const untrusted = await connect({ brokers: [broker.brokers], tls: {}, sasl: { mechanism: 'plain', ...user } });
    expect(untrusted.fault).toMatchObject({ retryable: false, reason: expect.stringMatching(/certificate is not accepted/) });
    const unchecked = await connect({ brokers: [broker.brokers], tls: { rejectUnauthorized: false }, sasl: { mechanism: 'plain', ...user } });
    expect(unchecked.fault).toBeUndefined();
  });

  function startSecured(): Promise<KafkaService> {
    const login = 'org.apache.kafka.common.security';
    return startKafka({
      protocol: 'SASL_SSL',
      scram: (['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const).map((mechanism) => ({ mechanism, name: user.username, password: user.password.reveal() })),
      properties: {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.key': OWN.key,
        'ssl.keystore.certificate.chain': OWN.cert,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': OWN.cert,
        'ssl.endpoint.identification.algorithm': '',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'listener.name.clients.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required username="broker" password="inner" user_broker="inner" user_keywatch="right-password";`,
        'listener.name.clients.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
        'listener.name.clients.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
      },
    });
  }
});
