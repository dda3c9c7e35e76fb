import { expect, test } from 'vitest';
import { createProgress, progressLine } from '../../../app/cli/progress.ts';
import { displayWidth } from '../../../app/cli/text.ts';
import { sink } from './capture.ts';

test('nothing is drawn where nobody looks', () => {
  const { stream, text } = sink();
  const progress = createProgress({ stream, clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined } });
  progress.update({ bytes: 1, records: 1 });
  progress.finish();
  expect(text()).toBe('');
});

test('on a terminal the bar is drawn at most ten times a second, fits it and goes away', () => {
  const { stream, text } = sink(60);
  let now = 0;
  const progress = createProgress({ stream, clock: { now: () => 0, monotonic: () => now, sleep: async () => undefined } });
  for (now = 0; now < 1000; now += 5)
    progress.update({ bytes: now, totalBytes: 1000, records: now * 3, note: '/var/log/a-very-long-name/of-a-log/access.log' });
  const drawn = text().split('\r\u001b[2K').slice(1);
  expect(drawn).toHaveLength(10);
  for (const line of drawn) expect(displayWidth(line)).toBeLessThan(60);
  progress.finish();
  progress.finish();
  progress.update({ bytes: 5, records: 5 });
  expect(text().endsWith('\r\u001b[2K')).toBe(true);
});

test('says share, rate and time left', () => {
  const line = progressLine({
    title: 'reading',
    bytes: 250,
    totalBytes: 1000,
    records: 5000,
    recordRate: 2000,
    byteRate: 10,
    elapsedMs: 25_000,
    note: 'a.log',
  });
  expect(line).toBe('reading  ██████░░░░░░░░░░░░░░░░░░  25 %  5,000 lines  2,000/s  1 min 15 s left  a.log');
});

test('without a total it says how much was read and for how long', () => {
  expect(progressLine({ title: '', bytes: 2048, records: 10, recordRate: 1, byteRate: 1, elapsedMs: 3400 })).toBe('2 KB  10 lines  1/s  3 s');
});
