import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clip, clipMiddle, displayWidth, padEnd, padStart, printable, wrap } from '../../../app/cli/text.ts';

describe('displayWidth', () => {
  test.each([
    ['abc', 3],
    ['日本', 4],
    ['é', 1],
    ['e\u0301', 1],
    ['👍', 2],
    ['👨\u200d👩\u200d👧', 2],
    ['\u001b[31mred\u001b[39m', 3],
    ['▁▂█', 3],
    ['', 0],
  ])('%s takes %s columns', (text, want) => {
    expect(displayWidth(text)).toBe(want);
  });
});

describe('clip', () => {
  test.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 4, 'abc…'],
    ['日本語', 4, '日…'],
    ['abc', 0, ''],
  ])('%s in %s columns', (text, width, want) => {
    expect(clip(text, width)).toBe(want);
  });

  test('never takes more columns than there are, at either end', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (raw, width) => {
        const text = printable(raw);
        expect(displayWidth(clip(text, width))).toBeLessThanOrEqual(width);
        expect(displayWidth(clipMiddle(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });

  test('cutting the middle keeps both ends', () => {
    expect(clipMiddle('/var/log/nginx/access.log', 13)).toBe('/var/l…ss.log');
  });
});

test('padding counts columns, not characters', () => {
  expect(padEnd('日', 4)).toBe('日  ');
  expect(padStart('日', 4)).toBe('  日');
});

test('wrapping breaks at blanks and loses no word', () => {
  expect(wrap('one two three four', 9)).toEqual(['one two', 'three', 'four']);
  expect(wrap('incomprehensibilities a', 5)).toEqual(['incomprehensibilities', 'a']);
  expect(wrap('one two', Number.POSITIVE_INFINITY)).toEqual(['one two']);
});

test('text from traffic cannot drive a terminal', () => {
  expect(printable('a\u001b]0;title\u0007b\u009bc\u202ed\r\n')).toBe('a]0;titlebcd');
});
