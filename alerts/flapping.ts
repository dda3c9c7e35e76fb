import type { Transition } from '../core/alert.ts';
import type { DurationMs, EpochMs } from '../core/types.ts';
import { DAY_MS, HOUR_MS } from '../core/window.ts';

/** How often the alerts of one dedup key came and went: over episodes, a day back. */
export type FlapMemory = { readonly changes: readonly EpochMs[]; readonly dips: readonly EpochMs[]; readonly since?: EpochMs };

const CHANGES_IN_HOUR = 4;
const DIPS_IN_HOUR = 6;
const CHANGES_IN_DAY = 8;
export const FLAP_QUIET_MS: DurationMs = HOUR_MS;
const KEPT = 24;

/** The memory with one more change of state in it. The first firing of a key that was quiet for a day is no change. */
export function afterTransition(memory: FlapMemory | undefined, { at, from, to, cause }: Transition): FlapMemory | undefined {
  const isEnd = to === 'resolved' && cause === 'held_clear';
  const isStart = to === 'firing' && (from === 'resolved' || (from === 'pending' && memory !== undefined));
  const isDip = cause === 'breach_again';
  if (!isEnd && !isStart && !isDip) return memory;
  const { changes, dips } = memory ?? { changes: [], dips: [] };
  const kept = (times: readonly EpochMs[]): readonly EpochMs[] => times.filter((time) => time > at - DAY_MS).slice(-KEPT);
  const next = { changes: kept(isDip ? changes : [...changes, at]), dips: kept(isDip ? [...dips, at] : dips) };
  return memory?.since === undefined ? next : { ...next, since: memory.since };
}

/** Whether this comes and goes too often to be told each time. */
export function isRestless(memory: FlapMemory, now: EpochMs): boolean {
  const within = (times: readonly EpochMs[], ms: DurationMs): number => times.filter((time) => time > now - ms).length;
  return within(memory.changes, HOUR_MS) >= CHANGES_IN_HOUR || within(memory.dips, HOUR_MS) >= DIPS_IN_HOUR || within(memory.changes, DAY_MS) >= CHANGES_IN_DAY;
}

/** Whether it stayed as it is for long enough. */
export function isSteady(memory: FlapMemory, now: EpochMs): boolean {
  return now - Math.max(memory.since ?? 0, memory.changes.at(-1) ?? 0, memory.dips.at(-1) ?? 0) >= FLAP_QUIET_MS;
}

/** Nothing in it counts any more. */
export function isForgotten(memory: FlapMemory, now: EpochMs): boolean {
  return memory.since === undefined && now - Math.max(memory.changes.at(-1) ?? 0, memory.dips.at(-1) ?? 0) >= DAY_MS;
}
