import type { EpochMs } from '../../core/types.ts';
import { formatDuration, formatTime } from '../cli/format.ts';
import { type CheckRow, fail, ok } from './check.ts';

/** As in `bin/node-version.mjs`; a test holds the two together. */
export const NODE_MIN = '24.15.0';

export function checkNode(version: string): CheckRow {
  if (compareVersions(version, NODE_MIN) >= 0) return ok('node', `Node ${version}`);
  return fail('node', `Node ${version}, ${NODE_MIN} or newer is needed`, 'start keywatch with npm start or npx, which bring their own Node, or update Node');
}

export function checkSqlite(version: string, least: string): CheckRow {
  if (compareVersions(version, least) >= 0) return ok('sqlite', `SQLite ${version}, part of Node`);
  return fail('sqlite', `SQLite ${version} can damage a file that two connections use; ${least} or newer is needed`, 'update Node');
}

/** Every release is made after this; a clock before it was never set. */
const RELEASED_AT: EpochMs = Date.parse('2026-11-01T00:00:00Z');
/** Clocks of gateways differ by less. */
const AHEAD_MAX_MS = 300_000;

/** `newest` is the time of the newest stored event. */
export function checkClock(now: EpochMs, newest: EpochMs | undefined): CheckRow {
  if (now < RELEASED_AT)
    return fail('clock', `this machine says ${formatTime(now)}, before this release was made`, 'set the clock, for instance with timedatectl set-ntp true');
  if (newest !== undefined && newest > now + AHEAD_MAX_MS) {
    return fail(
      'clock',
      `the newest stored event is ${formatDuration(newest - now)} ahead of this machine (${formatTime(newest)}, now ${formatTime(now)})`,
      'compare the clocks and time zones of this machine and of the gateway',
    );
  }
  return ok('clock', formatTime(now));
}

export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map((part) => Number.parseInt(part, 10));
  const right = b.split('.').map((part) => Number.parseInt(part, 10));
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
