import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SAFE_TEXT_MAX, safeText } from '../../core/text.ts';

describe('text from traffic', () => {
  test.each([
    ['escape sequences', '\u001b[2Jred\u0007', '[2Jred'],
    ['bidi controls', 'txt.exe\u202egnp\u2066x\u2069', 'txt.exegnpx'],
    ['zero width', 'a\u200bb\ufeffc\u00add', 'abcd'],
    ['line breaks and tabs', 'a\r\nb\tc  d', 'a b c d'],
    ['a lone surrogate', 'a\ud800b', 'ab'],
    ['invisible tags', 'a\u{e0041}\u{e007f}b', 'ab'],
    ['outer blanks', '  a  ', 'a'],
    ['harmless text', '/v1/täst?q=日本 "x" <y>', '/v1/täst?q=日本 "x" <y>'],
  ])('%s', (_name, input, want) => expect(safeText(input)).toBe(want));

  test('more than two marks on a letter are cut, two stay', () => {
    expect(safeText(`z${'\u0300'.repeat(50)}a`)).toBe('z\u0300\u0300a');
    expect(safeText('e\u0323\u0301')).toBe('e\u0323\u0301');
  });

  test('a long text is cut to the limit and says so', () => {
    expect(safeText('x'.repeat(81))).toBe(`${'x'.repeat(79)}…`);
    expect(safeText('x'.repeat(80))).toBe('x'.repeat(80));
    expect(safeText('👍'.repeat(90))).toBe(`${'👍'.repeat(79)}…`);
    expect(safeText('abcdef', 4)).toBe('abc…');
  });

  test('a megabyte of blanks or controls costs no more than its beginning and still says that something is missing', () => {
    expect(safeText(' '.repeat(1 << 20))).toBe('…');
    expect(safeText(`a${'\u0000'.repeat(1 << 20)}b`)).toBe('a…');
  });

  test('is never longer than the limit, never holds a control, and is its own safe text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const safe = safeText(text);
        return (
          Array.from(safe).length <= SAFE_TEXT_MAX && !/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(safe) && safe.isWellFormed() && safeText(safe) === safe
        );
      }),
      { numRuns: 500 },
    );
  });
});
