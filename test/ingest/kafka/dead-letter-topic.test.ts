import { describe, expect, it } from 'vitest';
import { lacks } from '../../services/needs.ts';
import type { DeadLetter } from '../../../core/ports.ts';
import { type LettersQuery, type StoredLetter, deadLetterTopic, letterId, letters, parseLetter } from '../../../ingest/kafka/dead-letter-topic.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { Scratch } from './scratch.ts';

/** Stands for the encryption, which is not the topic's business. */
const seal = (bytes: Uint8Array): string => Buffer.from(bytes.map((byte) => byte ^ 0x5a)).toString('base64');
const unseal = (text: string): string => Buffer.from(Buffer.from(text, 'base64').map((byte) => byte ^ 0x5a)).toString();

function letterAt(offset: number, part: Partial<DeadLetter> = {}): DeadLetter {
  return {
    source: 'kafka:cluster/access',
    partition: 2,
    offset,
    index: 0,
    reason: 'bad_json',
    at: 1_700_000_000_000 + offset,
    value: Buffer.from(`{"broken ${offset}`),
    ...part,
  };
}

async function listed(scratch: Scratch, topic: string, query: LettersQuery = {}): Promise<readonly StoredLetter[]> {
  const found: StoredLetter[] = [];
  for await (const letter of letters(scratch.client, topic, query)) found.push(letter);
  return found;
}

describe('a letter', () => {
  it('that is none of ours is left out', () => {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    for (const text of [
      '',
      'no json',
      '[]',
      'null',
      '{}',
      '{"id":"x","source":"s","topic":"t","sealed":"","reason":"unheard of","partition":0,"offset":0,"index":0,"at":0}',
    ])
      expect(parseLetter(encode(text))).toBeUndefined();
  });
});

describe.skipIf(lacks('kafka'))('dead letters in a real topic', () => {
  it('come back as they were put, each once, until they are replayed', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('dlq', 2, {});
    await using publisher = kafkaPublisher(scratch.client);
    const dead = deadLetterTopic(publisher, { topic, seal });
    expect(await listed(scratch, topic)).toEqual([]);
    const put = [letterAt(5), letterAt(6), letterAt(6, { index: 3, reason: 'no_time' }), letterAt(7, { source: 'kafka:cluster/other/name', partition: 0 })];
    expect(await dead.put(put)).toEqual({ ok: true });
    // A segment that is read again makes the same letters again.
    expect(await dead.put(put)).toEqual({ ok: true });

    const all = await listed(scratch, topic);
    expect(all.map(({ id }) => id).toSorted()).toEqual(put.map(letterId).toSorted());
    for (const letter of put) {
      const { value, ...place } = letter;
      const stored = all.find(({ id }) => id === letterId(letter));
      expect(stored).toMatchObject(place);
      expect(unseal(stored?.sealed ?? '')).toBe(Buffer.from(value).toString());
      expect(JSON.stringify(stored)).not.toContain('broken');
    }
    expect((await listed(scratch, topic, { topic: 'other/name' })).map(({ offset }) => offset)).toEqual([7]);
    expect(await listed(scratch, topic, { limit: 2 })).toHaveLength(2);

    expect(await dead.markReplayed([letterId(letterAt(6))])).toEqual({ ok: true });
    expect((await listed(scratch, topic)).map(({ id }) => id)).not.toContain(letterId(letterAt(6)));
    expect(await listed(scratch, topic)).toHaveLength(3);
    // Rejected again after it was put back.
    expect(await dead.put([letterAt(6)])).toEqual({ ok: true });
    expect((await listed(scratch, topic)).map(({ id }) => id)).toContain(letterId(letterAt(6)));
  });

  it('hold the place of a record that is too large for a letter, and many letters are all read', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('dlq-large', 1, {});
    await using publisher = kafkaPublisher(scratch.client);
    const dead = deadLetterTopic(publisher, { topic, seal });
    expect(await dead.put([letterAt(1, { value: new Uint8Array(900_000) })])).toEqual({ ok: true });
    const many = Array.from({ length: 3000 }, (_, index) => letterAt(100 + index, { value: Buffer.alloc(1000, index) }));
    expect(await dead.put(many)).toEqual({ ok: true });
    const all = await listed(scratch, topic);
    expect(all.map(({ offset }) => offset)).toEqual([1, ...many.map(({ offset }) => offset)]);
    expect(all[0]?.sealed).toBe('');
  });
});
