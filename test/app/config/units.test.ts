import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Parsed, parseCountOf, parseDuration, parseRatio, parseSize, printDuration, printRatio, printSize } from '../../../app/config/units.ts';

const value = <T>(parsed: Parsed<T>): T | string => (parsed.ok ? parsed.value : parsed.message);

describe('what is written is what is meant', () => {
  test.each([
    [parseDuration, '30s', 30_000],
    [parseDuration, '15m', 900_000],
    [parseDuration, '15min', 900_000],
    [parseDuration, '1h30m', 5_400_000],
    [parseDuration, '1 h 30 m', 5_400_000],
    [parseDuration, '35d', 3_024_000_000],
    [parseDuration, '7y', 220_752_000_000],
    [parseDuration, '250ms', 250],
    [parseDuration, '1.5h', 5_400_000],
    [parseDuration, '0', 0],
    [parseSize, '512MB', 536_870_912],
    [parseSize, '1GB', 1_073_741_824],
    [parseSize, '500 MB', 524_288_000],
    [parseSize, '1.5kb', 1536],
    [parseSize, '4096', 4096],
    [parseSize, '64KiB', 65_536],
    [parseRatio, '5%', 0.05],
    [parseRatio, '0.05', 0.05],
    [parseRatio, '12.5 %', 0.125],
    [parseRatio, '100%', 1],
    [parseRatio, '7%', 0.07],
    [parseCountOf, '500', 500],
    [parseCountOf, '1_000_000', 1_000_000],
  ] as const)('%o reads %s as %s', (parse: (text: string) => Parsed<number>, text, want) => {
    expect(value(parse(text))).toBe(want);
  });
});

describe('what could be meant in two ways is refused with a hint', () => {
  test.each([
    [parseDuration, '30', 'needs a unit: 30s'],
    [parseDuration, '1 month', 'expected a duration'],
    [parseDuration, '-5m', 'expected a duration'],
    [parseDuration, '', 'expected a duration'],
    [parseSize, '5 bananas', 'expected a size'],
    [parseSize, '-1MB', 'expected a size'],
    [parseRatio, '5', 'write 5%'],
    [parseRatio, '120%', 'at most 100%'],
    [parseRatio, 'much', 'expected a share'],
    [parseCountOf, '1.5', 'whole number'],
    [parseCountOf, '1e3', 'whole number'],
    [parseCountOf, '99999999999999999999', 'whole number'],
  ] as const)('%o refuses %s', (parse: (text: string) => Parsed<number>, text, hint) => {
    expect(value(parse(text))).toContain(hint);
  });
});

test('what is printed reads back to the same number', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 ** 12 }), (number) => {
      expect(value(parseDuration(printDuration(number)))).toBe(number);
      expect(value(parseSize(printSize(number)))).toBe(number);
    }),
  );
  for (const ratio of [0, 0.05, 0.07, 0.001, 0.125, 1]) expect(value(parseRatio(printRatio(ratio)))).toBe(ratio);
});

test('no text whatever makes a parser throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      for (const parse of [parseDuration, parseSize, parseRatio, parseCountOf]) expect(typeof value<number>(parse(text))).not.toBe('undefined');
    }),
  );
});
