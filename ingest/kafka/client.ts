import type { Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import type { Secret } from '../../core/secret.ts';
import { type KafkaLog, relayLog } from './client-log.ts';
import { type PatchResult, kafkajs, patchKafkajs } from './patch.ts';
import { socketFactory } from './patch-receive.ts';

export type KafkaOptions = {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Present: TLS. PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: Secret; readonly rejectUnauthorized?: boolean };
  readonly sasl?: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: Secret };
  readonly log: KafkaLog;
  /** How often a call is tried again before it fails; default 5, about ten seconds. */
  readonly retries?: number;
};

/** The patched client. With `raw` a consumer hands over one pseudo-message per record batch, in every consumer of the process: read them with `MessageBlocks`. */
export type KafkaClient = PatchResult & { readonly kafka: Kafka };

/** Waits of kafkajs: long enough for a broker across the ocean, short enough that a person at the prompt hears in about ten seconds what is wrong. */
const CONNECT_MS = 10_000;
const LOGIN_MS = 10_000;
const REQUEST_MS = 30_000;
const RETRY = { initialRetryTime: 300, maxRetryTime: 5_000 };
const RETRIES = 5;

/** Connects nowhere yet: that is for its consumers, producers and admins. */
export function openKafka(options: KafkaOptions): KafkaClient {
  const patch = patchKafkajs();
  if (patch.why !== undefined) options.log('warn', `kafka: reading one message at a time: ${patch.why}`);
  const { Kafka: Client, logLevel } = kafkajs();
  const config: KafkaConfig = {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: CONNECT_MS,
    authenticationTimeout: LOGIN_MS,
    requestTimeout: REQUEST_MS,
    retry: { ...RETRY, retries: options.retries ?? RETRIES },
    logLevel: logLevel.INFO,
    logCreator: () => relayLog(options.log),
    socketFactory,
  };
  if (options.tls !== undefined) config.ssl = tlsOf(options.tls);
  if (options.sasl !== undefined) config.sasl = saslOf(options.sasl);
  return { ...patch, kafka: new Client(config) };
}

function tlsOf(tls: NonNullable<KafkaOptions['tls']>): NonNullable<Exclude<KafkaConfig['ssl'], boolean>> {
  return {
    ...(tls.ca === undefined ? {} : { ca: [tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
  };
}

function saslOf(sasl: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  return { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password.reveal() };
}
