import { z } from 'zod';
import { secretRef, text, texts } from './fields.ts';

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

const tlsSchema = z
  .union([
    z.boolean(),
    z.strictObject({
      ca: text().describe('Path of a PEM file with the authority of the brokers, where it is not a public one.').optional(),
      cert: text().describe('Path of a PEM file with the certificate of this client.').optional(),
      key: secretRef('The private key of that certificate.').optional(),
    }),
  ])
  .describe('TLS to the brokers: true, or with files of your own. With sasl plain it must be on, unless the brokers are on this machine.');

/** `source.kafka` of one source. */
export const kafkaSchema = z
  .strictObject({
    brokers: texts('expected host:port, or a list of them', 'brokers: [kafka-1.example.com:9092, kafka-2.example.com:9092]').describe(
      'Some brokers; the others are found through them.',
    ),
    topics: texts('expected the name of a topic, or a list of them').describe('Topics with access events.').optional(),
    pattern: text().describe('A regular expression instead: all topics whose whole name fits, also those made later.').optional(),
    group: text().describe('The consumer group. All processes of one installation share it; two installations must not.').prefault('keywatch'),
    from: z
      .enum(['earliest', 'latest'])
      .describe('Where the very first start begins. Afterwards the store decides, and partitions found later start at their beginning.')
      .prefault('earliest'),
    tls: tlsSchema.prefault(false),
    sasl: z
      .strictObject({ mechanism: z.enum(MECHANISMS).prefault('scram-sha-512'), username: text(), password: secretRef('The password of username.') })
      .describe('Who reads.')
      .optional(),
    onCorrupt: z
      .enum(['halt', 'skip'])
      .describe(
        'What becomes of a record batch whose checksum is wrong: its partition stops until somebody looked, or the batch is passed over, counted and told.',
      )
      .prefault('halt'),
    busTopic: text().describe('Topic between the processes that read and the one that judges. Made by keywatch setup.').prefault('keywatch-partials'),
    deadLetterTopic: text().describe('Topic for records that could not be read; see keywatch dlq. Made by keywatch setup.').prefault('keywatch-dlq'),
  })
  .check((context) => {
    const { topics, pattern, tls, sasl, brokers } = context.value;
    const complain = (message: string, path: string[]): void => void context.issues.push({ code: 'custom', input: context.value, message, path });
    if ((topics === undefined) === (pattern === undefined)) complain('needs exactly one of topics and pattern', []);
    for (const [index, broker] of brokers.entries())
      if (!/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d{1,5}$/.test(broker)) complain(`expected host:port, not ${JSON.stringify(broker)}`, ['brokers', String(index)]);
    if (pattern !== undefined && !isPattern(pattern)) complain('is no regular expression', ['pattern']);
    if (sasl?.mechanism === 'plain' && tls === false && !brokers.every(isLoopback))
      complain('sasl plain sends the password in the clear: set tls: true, or use scram-sha-512', ['sasl', 'mechanism']);
    if (typeof tls === 'object' && (tls.cert === undefined) !== (tls.key === undefined)) complain('cert and key belong together', ['tls']);
  })
  .describe('Read access events from Kafka as a consumer group.');

function isPattern(pattern: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`).source !== '';
  } catch {
    return false;
  }
}

function isLoopback(broker: string): boolean {
  return /^(?:127\.|localhost:|\[::1\])/.test(broker);
}
