import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesGlob } from '../../keys/glob.ts';

test.each([
  ['*', '', true],
  ['*', 'anything', true],
  ['a*', 'abc', true],
  ['a*', 'bac', false],
  ['*-prod', 'billing-prod', true],
  ['*-prod', 'billing-prod-2', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['', '', true],
  ['', 'a', false],
  ['A*', 'abc', false],
])('%s on %s is %s', (pattern, text, want) => {
  expect(matchesGlob(pattern, text)).toBe(want);
});

test('agrees with a regular expression on small alphabets', () => {
  const word = (...letters: readonly string[]): fc.Arbitrary<string> => fc.array(fc.constantFrom(...letters), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(word('a', 'b', '*', '?'), word('a', 'b'), (pattern, text) => {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(matchesGlob(pattern, text)).toBe(expression.test(text));
    }),
  );
});

test('a pattern made to be slow is not', () => {
  expect(matchesGlob(`${'a*'.repeat(40)}b`, 'a'.repeat(5000))).toBe(false);
});
