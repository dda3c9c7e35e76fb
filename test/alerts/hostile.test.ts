import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { code, shown } from '../../alerts/hostile.ts';
import { parseProse } from '../../alerts/prose.ts';
import { HOSTILE_TEXTS, unseenIn } from './support/hostile-texts.ts';

/** What mail programs and chats make links of. */
const LINKLIKE = /:\/\/|\bwww\.|\b(?:mailto|javascript|data|tel):\S|(?:^|[\s(])[\w-]+\.(?:com|org|net|example)\b|\w@\w+\./i;

describe('shown', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['https://evil.example/a?b=c', 'https[:]//evil[.]example/a?b=c'],
    ['www.evil.example', 'www[.]evil[.]example'],
    ['see evil.example now', 'see evil[.]example now'],
    ['ceo@evil.example', 'ceo[@]evil[.]example'],
    ['@here', '@ here'],
    ['javascript:alert(1)', 'javascript[:]alert(1)'],
    ['203.0.113.24 curl/8.5.0', '203.0.113.24 curl/8.5.0'],
    ['GET /v1/export/{id}', 'GET /v1/export/{id}'],
    ['/files/index.html', '/files/index.html'],
    ['Mozilla/5.0 (X11; Linux x86_64)', 'Mozilla/5.0 (X11; Linux x86_64)'],
    ['All data. More.', 'All data. More.'],
    ['\u202e\u0000', '(empty)'],
  ];
  for (const [input, want] of cases) {
    test(`${JSON.stringify(input)} is shown as ${JSON.stringify(want)}`, () => {
      expect(shown(input)).toBe(want);
    });
  }

  for (const text of HOSTILE_TEXTS) {
    test(`nothing hostile is left of ${JSON.stringify(text.slice(0, 50))}`, () => {
      const safe = shown(text);
      expect(unseenIn(safe)).toEqual([]);
      expect(safe).not.toMatch(LINKLIKE);
      expect(safe).not.toMatch(/@(?:here|channel|everyone)/);
      expect(safe.isWellFormed()).toBe(true);
      // 80 characters, plus two for each sign that was put in brackets.
      expect(Array.from(safe.replaceAll(/\[([.:@])\]/g, '$1')).length).toBeLessThanOrEqual(81);
    });
  }

  test('any text at all comes out without controls, without links, and bounded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const safe = shown(text);
        expect(unseenIn(safe)).toEqual([]);
        expect(safe).not.toMatch(/:\/\/|www\./i);
        expect(Array.from(safe).length).toBeLessThanOrEqual(80 * 3);
      }),
      { numRuns: 500, seed: 5 },
    );
  });
});

describe('prose', () => {
  test('a span of code holds hostile text whole: it cannot end the span or the line', () => {
    for (const text of HOSTILE_TEXTS) {
      const [line, ...rest] = parseProse(`- before ${code(`\`${text}\n# heading`)} after`);
      expect(rest).toEqual([]);
      expect(line?.kind).toBe('item');
      expect(line?.spans.map((span) => span.isCode)).toEqual([false, true, false]);
    }
  });

  test('headings, items and plain lines are told apart; empty lines go', () => {
    expect(parseProse('# One\n\n- `a` b\ntwo')).toEqual([
      { kind: 'heading', spans: [{ isCode: false, text: 'One' }] },
      {
        kind: 'item',
        spans: [
          { isCode: true, text: 'a' },
          { isCode: false, text: ' b' },
        ],
      },
      { kind: 'text', spans: [{ isCode: false, text: 'two' }] },
    ]);
  });
});
