import fc from 'fast-check';
import type { PartialBatch } from '../../../core/partial.ts';
import { type EntityId, type EntityKind, entityId } from '../../../core/types.ts';

const anyEntity: fc.Arbitrary<EntityId> = fc
  .tuple(fc.constantFrom<EntityKind>('key', 'user', 'client', 'refused', 'network'), fc.string({ unit: 'grapheme', maxLength: 20 }))
  .map(([kind, name]) => entityId(kind, name));

const anyWindow = fc.integer({ min: -1000, max: 60_000_000 });
const anyRow = fc.record({ window: anyWindow, entity: anyEntity, cells: fc.uint8Array({ maxLength: 60 }).map((bytes) => Uint8Array.from(bytes)) });
const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** Any batch that could stand on the bus. */
export const anyBatch: fc.Arbitrary<PartialBatch> = fc.record(
  {
    segment: fc.record({ source: fc.nat(1000), partition: fc.nat(1000), generation: fc.integer({ min: 1, max: 9 }), start: offset }),
    next: offset,
    isSealed: fc.boolean(),
    rows: fc.array(anyRow, { maxLength: 12 }),
    held: fc.array(anyRow, { maxLength: 4 }),
    gone: fc.array(fc.record({ window: anyWindow, entity: anyEntity, isHeld: fc.boolean() }), { maxLength: 4 }),
    aliases: fc.array(fc.record({ credential: anyEntity, fingerprint: anyEntity }), { maxLength: 4 }),
    rejects: fc.constantFrom({}, { bad_json: { count: 3, first: 99 } }, { no_time: { count: 1, first: 0 }, binary: { count: 2, first: 7 } }),
    dropped: fc.nat(),
    records: fc.nat(),
    newest: fc.integer({ min: 0, max: 4e12 }),
    span: fc.record({ firstAt: fc.integer({ min: -1, max: 4e12 }), length: fc.nat(2 ** 20), crc: fc.nat() }),
    cursor: fc.string(),
    overLimit: fc.nat(),
    skewed: fc.nat(),
  },
  { requiredKeys: ['segment', 'next', 'isSealed', 'rows', 'held', 'gone', 'aliases', 'rejects', 'dropped', 'records', 'newest'] },
);
