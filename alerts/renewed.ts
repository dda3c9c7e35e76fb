import type { EpochMs } from '../core/types.ts';
import { DAY_MS } from '../core/window.ts';

/** Changed ones in place of what they were; those that ended long ago leave. */
export function renewed<T extends { readonly id: string; readonly endsAt?: EpochMs; readonly until?: EpochMs; readonly endedAt?: EpochMs }>(
  known: readonly T[],
  changed: readonly T[] | undefined,
  at: EpochMs,
): readonly T[] {
  if (changed === undefined) return known;
  const ids = new Set(changed.map((each) => each.id));
  return [...known.filter((each) => !ids.has(each.id) && isKept(each, at)), ...changed.filter((each) => isKept(each, at))];
}

/** An end that is looked at a little later is still known. */
function isKept(overlay: { readonly endsAt?: EpochMs; readonly until?: EpochMs; readonly endedAt?: EpochMs }, at: EpochMs): boolean {
  return overlay.endedAt === undefined && (overlay.endsAt ?? overlay.until ?? at) >= at - DAY_MS;
}
