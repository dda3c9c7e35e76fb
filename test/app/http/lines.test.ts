import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLines } from '../../../app/http/lines.ts';

function read(body: string, contentType?: string, eventsMax = 1000): string[] | string {
  const read = readLines(Buffer.from(body), { contentType, eventsMax });
  if ('refusal' in read) return read.refusal.error;
  const text = Buffer.from(read.lines).toString();
  expect(text.endsWith('\n')).toBe(true);
  const lines = text.slice(0, -1).split('\n');
  expect(lines).toHaveLength(read.count);
  return lines;
}

const blank = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 });

/** The same value written with blanks wherever JSON allows them. */
function written(value: unknown, blanks: readonly string[]): string {
  let turn = 0;
  const gap = (): string => blanks[turn++ % Math.max(1, blanks.length)] ?? '';
  const write = (part: unknown): string => {
    if (Array.isArray(part)) return `[${gap()}${part.map((item) => `${write(item)}${gap()}`).join(`,${gap()}`)}]`;
    if (typeof part === 'object' && part !== null)
      return `{${gap()}${Object.entries(part)
        .map(([key, item]) => `${JSON.stringify(key)}${gap()}:${gap()}${write(item)}`)
        .join(`${gap()},${gap()}`)}${gap()}}`;
    return JSON.stringify(part);
  };
  return write(value);
}

const event = fc.dictionary(fc.string({ unit: 'binary', maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });

describe('reading the events of a body', () => {
  test('an array in any layout gives one line per element, with the same value', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), fc.array(blank, { maxLength: 7 }), (events, blanks) => {
        const lines = read(`\n ${written(events, blanks)}\r\n`, 'application/json');
        expect(Array.isArray(lines) && lines.map((line) => JSON.parse(line) as unknown)).toEqual(JSON.parse(JSON.stringify(events)));
      }),
      { numRuns: 500 },
    );
  });

  test('one object in any layout is one line', () => {
    fc.assert(
      fc.property(event, fc.array(blank, { maxLength: 7 }), (one, blanks) => {
        const lines = read(written(one, blanks), 'application/json');
        expect(Array.isArray(lines) && lines.map((line) => JSON.parse(line) as unknown)).toEqual([JSON.parse(JSON.stringify(one))]);
      }),
      { numRuns: 500 },
    );
  });

  test('objects over several lines, or several on one, are one line each', () => {
    const objects = fc.array(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 4 }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(objects, fc.constantFrom<[number, string]>([2, '\n'], [2, ''], [2, ' '], [0, ''], [0, ' '], [0, '\n']), (events, [indent, between]) => {
        const lines = read(events.map((one) => JSON.stringify(one, null, indent)).join(between), 'application/json');
        expect(Array.isArray(lines) && lines.map((line) => JSON.parse(line) as unknown)).toEqual(JSON.parse(JSON.stringify(events)));
      }),
      { numRuns: 500 },
    );
  });

  test('whatever is sent, no bytes of a line are lost or made up, and a refusal is one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', '\n', '\r', ' ', 'a', '1'), maxLength: 40 }), (body) => {
        const lines = read(body);
        if (typeof lines === 'string') expect(lines).toMatch(/^[^\n]+$/);
        else {
          // Commas and brackets around the elements of an array go; blanks may be added or go; everything else stays.
          const marks = (text: string): string => text.replaceAll(/[[\],\s]/g, '');
          expect(marks(lines.join(''))).toBe(marks(body));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a broken line does not take the lines after it with it', () => {
    expect(read('{"a":{\n{"b":1}\n')).toEqual(['{"a":{', '{"b":1}']);
    expect(read('{"a":"x}\n{"b":"y"}\n')).toEqual(['{"a":"x}', '{"b":"y"}']);
    expect(read('{"a":1}\n{"b":\n')).toEqual(['{"a":1}', '{"b":']);
  });

  test('a byte order mark is no part of the first event', () => {
    expect(read('\ufeff{"a":1}\n')).toEqual(['{"a":1}']);
    expect(read('\ufeffline\n')).toEqual(['line']);
  });

  test('packed records one a line stay as they are', () => {
    expect(read('[{"a":1},{"a":2}]\n[{"a":3}]\n', 'application/x-ndjson')).toEqual(['[{"a":1},{"a":2}]', '[{"a":3}]']);
  });

  test('a very deep or very quoted body costs no more than its length', () => {
    expect(read(`[${'['.repeat(200_000)}${']'.repeat(200_000)}]`)).toHaveLength(1);
    expect(read(`[${'"\\"",'.repeat(999)}1]`)).toHaveLength(1000);
    expect(read(`["${'\\\\'.repeat(200_000)}"]`)).toHaveLength(1);
  });
});
