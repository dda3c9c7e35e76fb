import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartialBatch } from '../../../core/partial.ts';
import {
  type BusMessage,
  PieceJoiner,
  decodeBatch,
  decodeMessage,
  encodeBatch,
  encodeBatchMessages,
  encodeProgressMessage,
} from '../../../ingest/kafka/bus-message.ts';
import { anyBatch } from './batches.ts';

type Piece = Extract<BusMessage, { kind: 'piece' }>;

function pieceOf(bytes: Uint8Array): Piece {
  const message = decodeMessage(bytes);
  if (message?.kind !== 'piece') throw new Error('not a piece of a batch');
  return message;
}

/** What a reader makes of these messages of one sender. */
function joined(messages: readonly Uint8Array[]): readonly PartialBatch[] {
  const joiner = new PieceJoiner();
  return messages.flatMap((message) => {
    const whole = joiner.add(pieceOf(message));
    return whole === undefined ? [] : [decodeBatch(whole)];
  });
}

describe('a batch on the bus', () => {
  it('arrives as it was sent', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch);
      }),
    );
  });

  it('arrives as it was sent, whatever the size of its pieces', () => {
    fc.assert(
      fc.property(anyBatch, fc.integer({ min: 1, max: 300 }), (batch, size) => {
        const messages = encodeBatchMessages(batch, { from: 'host/1', serial: 7 }, size);
        const arrived = joined(messages);
        expect(arrived).toEqual([batch]);
        for (const message of messages) expect(pieceOf(message).bytes.length).toBeLessThanOrEqual(size);
      }),
    );
  });

  it('is given once although a send was repeated, and not at all when a piece is missing', () => {
    fc.assert(
      fc.property(anyBatch, anyBatch, fc.nat(), (first, second, cut) => {
        const a = encodeBatchMessages(first, { from: 'a', serial: 1 }, 40);
        const b = encodeBatchMessages(second, { from: 'a', serial: 2 }, 40);
        // All of a send that failed halfway is sent again: its beginning is there twice.
        const part = a.slice(0, (cut % a.length) + 1);
        if (part.length < a.length) expect(joined([...part, ...a])).toEqual([first]);
        // Without one of its pieces the first is left out; the second is whole.
        const torn = a.filter((_, index) => index !== cut % a.length);
        expect(joined([...torn, ...b])).toEqual([second]);
      }),
    );
  });

  it('is left out by a reader that begins in the middle of it', () => {
    const big = fc.sample(anyBatch, { numRuns: 1, seed: 5 })[0] as PartialBatch;
    const messages = encodeBatchMessages(big, { from: 'a', serial: 1 }, 20);
    expect(messages.length).toBeGreaterThan(2);
    expect(joined(messages.slice(1))).toEqual([]);
  });

  it('of another version is not read as one of this version', () => {
    const [message] = encodeBatchMessages(fc.sample(anyBatch, { numRuns: 1, seed: 1 })[0] as PartialBatch, { from: 'a', serial: 1 });
    const other = Uint8Array.from(message as Uint8Array);
    other[0] = 2;
    expect(decodeMessage(other)).toEqual({ kind: 'unknown', version: 2 });
    const progress = Uint8Array.from(encodeProgressMessage('a', []));
    progress[0] = 3;
    expect(decodeMessage(progress)).toEqual({ kind: 'unknown', version: 3 });
    expect(decodeMessage(new Uint8Array(0))).toBeUndefined();
  });
});

describe('progress on the bus', () => {
  it('arrives as it was sent', () => {
    const progress = fc.record(
      {
        source: fc.nat(),
        partition: fc.nat(10_000),
        newest: fc.double({ min: 0, max: 4e12, noNaN: true }),
        isAtEnd: fc.boolean(),
        heardAt: fc.integer({ min: 0, max: 4e12 }),
        completeAt: fc.integer({ min: 0, max: 4e12 }),
      },
      { requiredKeys: ['source', 'partition', 'newest', 'isAtEnd', 'heardAt'] },
    );
    fc.assert(
      fc.property(fc.string(), fc.array(progress), (from, partitions) => {
        expect(decodeMessage(encodeProgressMessage(from, partitions))).toEqual({ kind: 'progress', from, partitions });
      }),
    );
  });
});
