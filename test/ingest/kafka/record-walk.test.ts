import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Offset } from '../../../core/types.ts';
import { type Damage } from '../../../ingest/kafka/codecs.ts';
import { batchSize, parseBatch } from '../../../ingest/kafka/record-batch.ts';
import { RecordWalk } from '../../../ingest/kafka/record-walk.ts';
import { type TestRecord, encodeRecordBatch, seal, varint } from '../../support/record-batch.ts';

type Walked = { readonly offset: number; readonly time: number; readonly value: string };

function walkAll(batch: Uint8Array, from: Offset = 0, cap?: number): readonly Walked[] | Damage {
  const size = batchSize(batch);
  if (typeof size !== 'number') return size === 'partial' ? { damage: size } : size;
  const header = parseBatch(batch, 0, size);
  if ('damage' in header) return header;
  const walk = new RecordWalk();
  const damage = walk.walk(header, batch, from, cap);
  if (damage !== undefined) return damage;
  return Array.from({ length: walk.count }, (_, index) => ({
    offset: walk.offsets[index] ?? -1,
    time: walk.times[index] ?? -1,
    value: Buffer.from(walk.bytes.subarray(walk.starts[index], walk.ends[index])).toString('latin1'),
  }));
}

const bytes = (max = 40) => fc.uint8Array({ maxLength: max });
const record = fc.record({
  value: fc.option(bytes(300)),
  key: fc.option(bytes()),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 10 }), fc.option(bytes())), { maxLength: 3 }),
  gap: fc.integer({ min: 1, max: 5_000 }),
  timeDelta: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
});

describe('a walk over a record batch', () => {
  test('gives back every record that was encoded, whatever the codec, the gaps, the keys and the headers', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 30 }),
        fc.constantFrom(0, 1, 2, 3, 4),
        fc.boolean(),
        fc.nat(2 ** 50),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (given, compression, isAppendTime, baseOffset, share) => {
          let delta = -1;
          const records = given.map(({ gap, ...rest }) => ({ ...rest, offsetDelta: (delta += gap) }));
          const firstTimestamp = 1_700_000_000_000;
          const maxTimestamp = firstTimestamp + 5;
          const batch = encodeRecordBatch(records, { baseOffset, compression, isAppendTime, firstTimestamp, maxTimestamp });
          const from = baseOffset + Math.floor(share * (delta + 2));
          const want = records
            .map((one) => ({
              offset: baseOffset + one.offsetDelta,
              time: isAppendTime ? maxTimestamp : Math.max(-1, firstTimestamp + one.timeDelta),
              value: Buffer.from(one.value ?? []).toString('latin1'),
            }))
            .filter(({ offset }) => offset >= from);
          expect(walkAll(batch, from)).toEqual(want);
        },
      ),
    );
  });

  test('takes records without a time for records of time -1', () => {
    const batch = encodeRecordBatch([{ value: Buffer.from('a') }], { firstTimestamp: -1, maxTimestamp: -1 });
    expect(walkAll(batch)).toEqual([{ offset: 0, time: -1, value: 'a' }]);
    expect(walkAll(encodeRecordBatch([{ value: Buffer.from('a') }], { firstTimestamp: -1, maxTimestamp: -1, isAppendTime: true }))).toEqual([
      { offset: 0, time: -1, value: 'a' },
    ]);
  });

  test('leaves the byte after each value to the reader', () => {
    const values = ['{"a":1}', '', '{"b":2}', '[]'];
    const records: TestRecord[] = [
      ...values.map((value) => ({ value: Buffer.from(value), key: Buffer.from('k'), headers: [['h', Buffer.from('x')] as const] })),
      { value: null },
    ];
    for (const compression of [0, 4]) {
      const batch = encodeRecordBatch(records, { compression });
      const walk = new RecordWalk();
      const header = parseBatch(batch, 0, batch.length);
      if ('damage' in header) throw new Error(header.damage);
      expect(walk.walk(header, batch, 0)).toBeUndefined();
      const lines = Array.from({ length: walk.count }, (_, index) => {
        const end = walk.ends[index] ?? 0;
        walk.bytes[end] = 10;
        return Buffer.from(walk.bytes.subarray(walk.starts[index], end + 1)).toString();
      });
      expect(lines).toEqual([...values, ''].map((value) => `${value}\n`));
    }
  });

  test('reads a batch of 200,000 records', () => {
    const records = Array.from({ length: 200_000 }, (_, index) => ({ value: Buffer.from(String(index)) }));
    for (const compression of [0, 3]) {
      const walked = walkAll(encodeRecordBatch(records, { baseOffset: 7, compression }), 100_007);
      if (!Array.isArray(walked)) throw new Error('BUG: damaged');
      expect(walked.length).toBe(100_000);
      expect(walked[0]).toMatchObject({ offset: 100_007, value: '100000' });
      expect(walked.at(-1)).toMatchObject({ offset: 200_006, value: '199999' });
    }
  });

  test('reads the empty batch that compaction leaves behind', () => {
    expect(walkAll(encodeRecordBatch([], { lastOffsetDelta: 9, compression: 0 }))).toEqual([]);
  });

  test('says what is wrong with a batch whose bytes changed, and delivers nothing of it', () => {
    const batch = encodeRecordBatch([{ value: Buffer.from('abc') }, { value: Buffer.from('def') }]);
    fc.assert(
      fc.property(fc.integer({ min: 21, max: batch.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(batch);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(walkAll(changed)).toMatchObject({ damage: 'checksum of the record batch is wrong' });
      }),
    );
  });

  test('never throws and never reads outside, whatever stands where records should be', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 200 }),
          fc.array(fc.constantFrom(0, 1, 2, 12, 14, 0x7f, 0x80, 0xff), { minLength: 1, maxLength: 80 }).map((list) => Uint8Array.from(list)),
        ),
        fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7),
        fc.integer({ min: -1, max: 20 }),
        fc.integer({ min: -1, max: 30 }),
        (garbage, compression, recordCount, lastOffsetDelta) => {
          // A sentinel behind the batch would turn up in what is read.
          const whole = encodeRecordBatch([], { recordCount, lastOffsetDelta });
          const batch = Buffer.concat([whole.subarray(0, 61), garbage]);
          batch.writeInt32BE(batch.length - 12, 8);
          batch.writeInt16BE(compression, 21);
          seal(batch);
          const walked = walkAll(Buffer.concat([batch, Buffer.alloc(300, 0xaa)]));
          if (Array.isArray(walked))
            for (const { value } of walked) expect(value.length).toBeLessThanOrEqual(compression === 0 ? garbage.length : Number.POSITIVE_INFINITY);
          else expect(walked).toHaveProperty('damage');
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test('damage to the records that has a right checksum is found too', () => {
    const plain = encodeRecordBatch([{ value: Buffer.from('abc') }]);
    const cases: Record<string, Buffer> = {
      'a record that is longer than the batch': edit(plain, (batch) => (batch[61] = 0x7e)),
      'a record that is shorter than its fields': edit(plain, (batch) => (batch[61] = 12)),
      'a value that reaches beyond its record': edit(plain, (batch) => (batch[66] = 0x7e)),
      'a record that states the length of two': edit(
        encodeRecordBatch([{ value: Buffer.from('abc') }, { value: Buffer.from('def') }]),
        (batch) => (batch[61] = 2 * 19),
      ),
      'a negative size': edit(plain, (batch) => (batch[66] = 3)),
      'bytes after the last record': edit(Buffer.concat([plain, Buffer.from([0])]), (batch) => batch.writeInt32BE(batch.length - 12, 8)),
      'more records than stated': edit(encodeRecordBatch([{ value: null }, { value: null }]), (batch) => batch.writeInt32BE(1, 57)),
      'fewer records than stated': edit(plain, (batch) => batch.writeInt32BE(2, 57)),
      'a number of records that no memory holds': edit(plain, (batch) => batch.writeInt32BE(2 ** 31 - 1, 57)),
      'offsets that go backwards': encodeRecordBatch(
        [
          { value: null, offsetDelta: 3 },
          { value: null, offsetDelta: 3 },
        ],
        { lastOffsetDelta: 5 },
      ),
      'an offset behind the last': encodeRecordBatch([{ value: null, offsetDelta: 9 }], { lastOffsetDelta: 5 }),
      'an endless number': Buffer.concat([plain.subarray(0, 61), varint(20), Buffer.alloc(10, 0xff)]),
    };
    for (const [name, batch] of Object.entries(cases))
      expect({ name, walked: walkAll(batch) }).toEqual({ name, walked: expect.objectContaining({ damage: expect.any(String) }) });
  });

  test('a bomb is refused at the limit', () => {
    const bomb = [{ value: Buffer.alloc(2_000_000) }];
    for (const compression of [1, 2, 3, 4]) {
      expect(walkAll(encodeRecordBatch(bomb, { compression }), 0, 1_000_000)).toMatchObject({
        damage: expect.stringMatching(/output is larger than 1000000 bytes/),
      });
      expect(walkAll(encodeRecordBatch(bomb, { compression }), 0, 2_000_100)).toHaveLength(1);
    }
  });

  test('message sets of old brokers and formats of the future are told apart from damage', () => {
    for (const [magic, want] of [
      [0, /before 0\.11/],
      [1, /before 0\.11/],
      [3, /not known/],
    ] as const) {
      const batch = encodeRecordBatch([{ value: Buffer.from('a') }]);
      batch.writeInt8(magic, 16);
      expect(walkAll(batch)).toMatchObject({ damage: expect.stringMatching(want) });
    }
  });
});

function edit(batch: Buffer, change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(batch);
  change(copy);
  return seal(copy);
}
