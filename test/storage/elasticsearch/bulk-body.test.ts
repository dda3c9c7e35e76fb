import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BulkBody } from '../../../storage/elasticsearch/bulk-body.ts';
import { RowBody } from '../../../storage/elasticsearch/row-body.ts';
import { segmentName, termOf } from '../../../storage/elasticsearch/names.ts';
import { type EntityId, entityId } from '../../../core/types.ts';

const LIMITS = { docsMax: 1000, bytesMax: 1e6 };
const segment = { source: 3, partition: 35, generation: 1, start: 123_456_789_012 };

function lines(body: BulkBody): readonly unknown[] {
  return body
    .view()
    .toString()
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

test('any entity and any cells are read back from the document as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.uint8Array({ maxLength: 100 }), fc.nat(50_000_000), (name, cells, window) => {
      const entity = entityId('client', name);
      const body = new BulkBody(LIMITS);
      new RowBody(segment, 77, () => 'rows').row(body, { window, entity, cells });
      new RowBody(segment, 77, () => 'held').held(body, { window, entity, cells, order: 9 });
      const [action, row, heldAction, held] = lines(body) as readonly Record<string, unknown>[];
      const id = `${window.toString(36)}.3.z.${(123_456_789_012).toString(36)}.1.${termOf(entity)}`;
      expect(action).toEqual({ index: { _index: 'rows', _id: id, version: 77, version_type: 'external_gte' } });
      expect(Buffer.byteLength(id)).toBeLessThanOrEqual(512);
      const stored = { ts: window * 60_000, s: segmentName(segment), next: 77, e: termOf(entity), cells: Buffer.from(cells).toString('base64') };
      const full = termOf(entity) === entity ? stored : { ...stored, name: entity };
      expect(row).toEqual({ ...full, b: row?.['b'] });
      expect(heldAction).toMatchObject({ index: { _index: 'held', _id: id } });
      expect(held).toEqual({ ...full, o: 9 });
    }),
    { numRuns: 500 },
  );
});

test('a name that is too long for an id is hashed there, kept whole in the document, and keeps its kind', () => {
  const long = entityId('client', `203.0.113.24 ${'ü'.repeat(600)}`);
  expect(termOf(long)).toMatch(/^client:~[0-9a-f]{64}$/);
  expect(termOf(`${long}x` as EntityId)).not.toBe(termOf(long));
  const short = entityId('client', `203.0.113.24 ${'u'.repeat(350)}`);
  expect(termOf(short)).toBe(short);
});

test('documents are kept by place, and parts of a body are whole documents', () => {
  const body = new BulkBody({ docsMax: 2000, bytesMax: 1e6 });
  for (let i = 0; i < 1500; i++) body.push({ op: 'create', index: 'x', id: `d"${i}` }, `{"n":${i}}`);
  const part = body.part(3, 5);
  expect(lines(part)).toEqual([{ create: { _index: 'x', _id: 'd"3' } }, { n: 3 }, { create: { _index: 'x', _id: 'd"4' } }, { n: 4 }]);
  body.keep([0, 7, 1499]);
  expect(body.count).toBe(3);
  expect(lines(body).filter((_, i) => i % 2 === 1)).toEqual([{ n: 0 }, { n: 7 }, { n: 1499 }]);
});
