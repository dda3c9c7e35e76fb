import { expect, test } from 'vitest';
import { count, counted, percents, sizes, timeOfDay } from '../../detectors/wording.ts';

test('numbers carry thousands separators and nouns their plural', () => {
  expect(count(1240)).toBe('1,240');
  expect(count(7)).toBe('7');
  expect(counted(1, 'request')).toBe('1 request');
  expect(counted(0, 'request')).toBe('0 requests');
  expect(counted(1_000_000, 'request')).toBe('1,000,000 requests');
});

test('times are of the day, in UTC', () => {
  expect(timeOfDay(Date.UTC(2026, 0, 5, 10, 4, 59, 999))).toBe('10:04 UTC');
  expect(timeOfDay(Date.UTC(2026, 0, 6))).toBe('00:00 UTC');
});

test('a share and its limit never look the same unless they are', () => {
  expect(percents(0.124, 0.1)).toEqual(['12.4 %', '10 %']);
  expect(percents(0.1004, 0.1)).toEqual(['10.04 %', '10 %']);
  expect(percents(0.10004, 0.1)).toEqual(['10.004 %', '10 %']);
  expect(percents(1, 1)).toEqual(['100 %', '100 %']);
});

test('sizes are in units of 1,024, to the byte where rounding would hide which is greater', () => {
  expect(sizes(1_288_490_189, 1_073_741_824)).toEqual(['1.2 GB', '1 GB']);
  expect(sizes(600_000_000, 524_288_000)).toEqual(['572.2 MB', '500 MB']);
  expect(sizes(524_388_000, 524_288_000)).toEqual(['500.1 MB', '500 MB']);
  expect(sizes(524_288_001, 524_288_000)).toEqual(['524,288,001 bytes', '524,288,000 bytes']);
  expect(sizes(2048, 512)).toEqual(['2 KB', '512 bytes']);
});
