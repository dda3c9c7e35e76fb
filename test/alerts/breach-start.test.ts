import { expect, test } from 'vitest';
import { breachStart } from '../../alerts/episode.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

test('a breach of a sliding hour began in its last minute, not an hour before', () => {
  expect(breachStart({ window: { start: 0, end: HOUR } })).toBe(HOUR - MINUTE);
  expect(breachStart({ window: { start: 5 * MINUTE, end: 6 * MINUTE } })).toBe(5 * MINUTE);
});
