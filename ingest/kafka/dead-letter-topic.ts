import type { DeadLetter, DeadLetters, TopicPublisher } from '../../core/ports.ts';
import { type EpochMs, type Offset, type Outcome, REJECT_REASONS, type RejectReason } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import { decodeRecords } from './cluster-internals.ts';
import { LogReader } from './log-reader.ts';
import { rawBatches } from './raw-batches.ts';

/** A letter as it lies in the topic. */
export type StoredLetter = {
  readonly id: string;
  readonly source: string;
  /** The topic that the record came from; the source's name where it is no topic. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  readonly index: number;
  readonly reason: RejectReason;
  readonly at: EpochMs;
  /** The sealed record, base64; empty where it was too large for a letter: it is still in its own topic. */
  readonly sealed: string;
};

export type DeadLetterTopicOptions = {
  readonly topic: string;
  /** Encrypts a record; returns base64. */
  readonly seal: (bytes: Uint8Array) => string;
};

/** Of the sealed text: with the rest of the letter it fits into what brokers accept by default. */
const SEALED_MAX = 800_000;

/** The place of a letter and why it is one. The same record that is rejected again makes the same letter. */
export function letterId(letter: Pick<DeadLetter, 'source' | 'partition' | 'offset' | 'index' | 'reason'>): string {
  return `${letter.source}/${letter.partition}/${letter.offset}/${letter.index}/${letter.reason}`;
}

/** Dead letters in a topic: readable by any process that holds the pepper, for as long as the topic keeps them. */
export class DeadLetterTopic implements DeadLetters {
  readonly #options: DeadLetterTopicOptions;
  readonly #publisher: TopicPublisher;

  constructor(options: DeadLetterTopicOptions, deps: { readonly publisher: TopicPublisher }) {
    this.#options = options;
    this.#publisher = deps.publisher;
  }

  put(letters: readonly DeadLetter[]): Promise<Outcome> {
    const messages = letters.map((letter) => {
      const { source, partition, offset, index, reason, at } = letter;
      const id = letterId(letter);
      const sealed = this.#options.seal(letter.value);
      const stored: StoredLetter = {
        id,
        source,
        topic: topicOf(source),
        partition,
        offset,
        index,
        reason,
        at,
        sealed: sealed.length > SEALED_MAX ? '' : sealed,
      };
      return { key: id, value: encoder.encode(JSON.stringify(stored)) };
    });
    return this.#publisher.publish(this.#options.topic, messages);
  }

  /** They are not listed again, unless they are rejected again. */
  markReplayed(ids: readonly string[]): Promise<Outcome> {
    return this.#publisher.publish(
      this.#options.topic,
      ids.map((key) => ({ key, value: null })),
    );
  }
}

export function deadLetterTopic(publisher: TopicPublisher, options: DeadLetterTopicOptions): DeadLetterTopic {
  return new DeadLetterTopic(options, { publisher });
}

export type LettersQuery = {
  /** At most so many. */
  readonly limit?: number;
  /** Only of this source topic. */
  readonly topic?: string;
};

/**
 * Every letter that was not replayed, each once, oldest of its partition first: what lies in the topic at the moment
 * of the call. The topic is read twice, so that only ids are kept in memory, never letters.
 */
export async function* letters(client: KafkaClient, topic: string, query: LettersQuery = {}): AsyncIterable<StoredLetter> {
  await using reader = new LogReader(client.kafka);
  const ends = new Map([...(await reader.ranges(topic))].filter(([, { start, end }]) => end > start));
  const replayed = new Map<string, Offset>();
  for await (const { key, value, offset } of records(reader, topic, ends)) {
    if (value === null && key !== null) replayed.set(key.toString('utf8'), offset);
  }
  const given = new Set<string>();
  for await (const { value, offset } of records(reader, topic, ends)) {
    const letter = value === null ? undefined : parseLetter(value);
    if (letter === undefined || given.has(letter.id) || (query.topic !== undefined && letter.topic !== query.topic)) continue;
    // A record that was put back and rejected again has a letter after the mark. One key, one partition: offsets compare.
    if (offset < (replayed.get(letter.id) ?? -1)) continue;
    given.add(letter.id);
    yield letter;
    if (given.size >= (query.limit ?? Number.POSITIVE_INFINITY)) return;
  }
}

type LetterRecord = { readonly offset: Offset; readonly key: Buffer | null; readonly value: Buffer | null };

const FETCH = { maxWaitMs: 100, maxBytes: 8 * 1024 * 1024, maxBytesPerPartition: 4 * 1024 * 1024 };
/** Answers in a row that bring nothing although the log is longer, before it is called unreadable. */
const EMPTY_MAX = 20;

async function* records(
  reader: LogReader,
  topic: string,
  ranges: ReadonlyMap<number, { readonly start: Offset; readonly end: Offset }>,
): AsyncIterable<LetterRecord> {
  for (const [partition, { start, end }] of ranges) {
    let next = start;
    for (let empty = 0; next < end;) {
      const [answer] = await reader.fetch([{ topic, partition, offset: next }], FETCH);
      if (answer !== undefined && answer.errorCode !== 0)
        throw new Error(`topic ${topic} partition ${partition} cannot be read at offset ${next}: the broker answers error ${answer.errorCode}`);
      const before = next;
      for (const batch of rawBatches(answer?.records ?? Buffer.alloc(0))) {
        if (next >= end) break;
        if (batch.damage === undefined && !batch.header.isControl) {
          for (const { offset, key, value } of await decodeRecords(batch.bytes)) {
            if (Number(offset) >= next && Number(offset) < end) yield { offset: Number(offset), key, value };
          }
        }
        next = Math.max(next, (batch.damage === undefined ? batch.header.lastOffset : batch.lastOffset) + 1);
      }
      empty = next === before ? empty + 1 : 0;
      if (empty > EMPTY_MAX) throw new Error(`topic ${topic} partition ${partition} gives nothing at offset ${next}, though it holds records up to ${end}`);
    }
  }
}

/** Undefined for what is no letter of ours. */
export function parseLetter(value: Uint8Array): StoredLetter | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(value));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { id, source, topic, partition, offset, index, reason, at, sealed } = parsed as Record<keyof StoredLetter, unknown>;
  const isText = typeof id === 'string' && typeof source === 'string' && typeof topic === 'string' && typeof sealed === 'string';
  const known = REJECT_REASONS.find((one) => one === reason);
  if (!isText || known === undefined) return undefined;
  if (![partition, offset, index, at].every((number) => typeof number === 'number')) return undefined;
  return { id, source, topic, partition: Number(partition), offset: Number(offset), index: Number(index), reason: known, at: Number(at), sealed };
}

const encoder = new TextEncoder();

function topicOf(source: string): string {
  return /^kafka:[^/]*\/(?<topic>.+)$/.exec(source)?.groups?.['topic'] ?? source;
}
