import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleOf } from '../../../ingest/segment/sample-records.ts';
import { eachElement, hasElements, isClosed, isPacked } from '../../../ingest/segment/values.ts';
import { recordBlock } from '../../support/record-block.ts';

/** The elements of a text as lines, and that the text is as it was save for line breaks. */
function elementsOf(text: string): readonly string[] {
  const bytes = Buffer.from(`${text}\u0001`);
  const size = bytes.length - 1;
  const found: string[] = [];
  eachElement(bytes, 0, size, (start, end) => {
    expect(bytes[end]).toBe(10);
    found.push(bytes.toString('utf8', start, end));
  });
  expect(bytes[size]).toBe(1);
  expect(bytes.toString('utf8', 0, size)).toHaveLength(text.length);
  return found;
}

const is = (check: typeof isPacked, text: string): boolean => check(Buffer.from(`${text}\n`), 0, Buffer.byteLength(text));

describe('what a value holds', () => {
  test.each([
    ['one object', '{"a":1}', false, false],
    ['one line with its end', '{"a":1}\r\n', false, false],
    ['lines', '{"a":1}\n{"a":2}', false, true],
    ['lines of another format', '203.0.113.1 - - [x]\n203.0.113.2 - - [y]\n', false, true],
    ['an array', '[{"a":1}]', true, true],
    ['an array behind blanks', ' \n [ {"a":1}]', true, true],
    ['an empty array', '[]', true, true],
    ['arrays in an array', '[[{"a":1}]]', true, true],
    ['one object over several lines', '{\n  "a": 1\n}', true, false],
    ['a line that begins with a bracket', '[::1] - - GET', false, false],
    ['numbers', '[1,2]', false, false],
    ['nothing but blanks', ' \n ', false, false],
  ])('%s', (_name, text, elements, packed) => {
    expect([is(hasElements, text), is(isPacked, text)]).toEqual([elements, packed]);
  });

  test('a list without elements is told apart from one that was cut off', () => {
    expect([is(isClosed, '[]'), is(isClosed, '[ ] \n'), is(isClosed, '['), is(isClosed, '[ {')]).toEqual([true, true, false, false]);
  });
});

describe('the elements of a list', () => {
  test.each([
    ['objects', '[{"a":1},{"a":2}]', ['{"a":1}', '{"a":2}']],
    ['with blanks and line breaks between all tokens', '[\n {"a" :\n1 }\r\n,\n{"b":[1,\n{"c":2}]} ]\n', ['{"a" : 1 }', '{"b":[1, {"c":2}]}']],
    ['with brackets, quotes and commas in strings', '[{"a":"],[{}\\"}"},{"b":"\\\\"}]', ['{"a":"],[{}\\"}"}', '{"b":"\\\\"}']],
    ['of other kinds', '[1, "x,y",null, {}]', ['1', '"x,y"', 'null', '{}']],
    ['in lists of lists, and several lists', '[[{"a":1}],[{"a":2}]]\n[{"a":3}]', ['{"a":1}', '{"a":2}', '{"a":3}']],
    ['without a comma between', '[{"a":1}{"a":2}]', ['{"a":1}', '{"a":2}']],
    ['cut off in the second', '[{"a":1},{"a":"x', ['{"a":1}', '{"a":"x']],
    ['with one bracket too many', '[{"a":1}}]', ['{"a":1}', '}']],
    ['none', '[ , ]', []],
    ['one object over several lines', '{\n  "a": 1,\n  "b": "\\n"\n}\n', ['{   "a": 1,   "b": "\\n" }']],
  ])('%s', (_name, text, want) => {
    expect(elementsOf(text)).toEqual(want);
  });

  test('are those that JSON.parse finds, printed in any way', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(object), fc.constantFrom(undefined, 0, 1, '\t', ' \n'), fc.constantFrom('', ' ', '\n'), (list, indent, around) => {
        const text = `${around}${JSON.stringify(list, undefined, indent)}${around}`;
        expect(elementsOf(text).map((element) => JSON.parse(element) as unknown)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('any bytes at all are cut somewhere, and none beyond the value is touched', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ' ', '\n', 'x', '1') }), (text) => {
        elementsOf(text);
      }),
    );
  });
});

test('a sample of records is lines, whatever the values hold, and leaves them as they are', () => {
  const values = ['{"a":1}', null, '[{"b":\n1},{"c":2}]', '{"d":1}\n{"e":2}\n', '{\n"f":1}'];
  const block = recordBlock(
    'p',
    values.map((value, offset) => ({ offset, at: 0, value })),
  );
  const before = block.bytes.slice();
  expect(
    Buffer.from(sampleOf(block))
      .toString()
      .split('\n')
      .filter((line) => line !== ''),
  ).toEqual(['{"a":1}', '{"b": 1}', '{"c":2}', '{"d":1}', '{"e":2}', '{ "f":1}']);
  expect(block.bytes).toEqual(before);
});
