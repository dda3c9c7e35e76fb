import { expect, test } from 'vitest';
import { soakKill } from './soak.ts';

/** The long version is `npm run soak:kill`. */
test('three kills -9 while two logs grow and rotate: every line is counted once, per key and minute', async () => {
  const result = await soakKill({ kills: 3, linesPerSecond: 2500, seed: 7, lifeMsMax: 1800, rotateEveryMs: 600 });
  expect(result).toMatchObject({ lost: 0, doubled: 0, bytesOff: 0, faults: [], stored: result.lines });
  expect(result.rotations).toBeGreaterThan(0);
});
