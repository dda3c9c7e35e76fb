import { type EntityId, type EpochMs, OK } from '../../core/types.ts';
import { minuteOf } from '../../core/window.ts';
import type { Finding } from '../../core/finding.ts';
import type { WindowDocument, WindowStore } from '../../core/ports.ts';

export type MemoryWindowStore = WindowStore & {
  /** What is stored, with the seq that it was written under. */
  readonly windows: ReadonlyMap<string, { readonly seq: number; readonly window: WindowDocument }>;
  readonly findings: ReadonlyMap<string, Finding>;
};

/** Windows and findings for tests, and for runs without dashboards. */
export function memoryWindowStore(): MemoryWindowStore {
  const windows = new Map<string, { readonly seq: number; readonly window: WindowDocument }>();
  const findings = new Map<string, Finding>();
  return {
    windows,
    findings,
    putWindows: async (written, seq) => {
      for (const window of written) {
        const id = windowId(window.entity, window.window.start);
        if ((windows.get(id)?.seq ?? Number.NEGATIVE_INFINITY) <= seq) windows.set(id, { seq, window });
      }
      return OK;
    },
    putFindings: async (written) => {
      for (const finding of written) if (!findings.has(finding.id)) findings.set(finding.id, finding);
      return OK;
    },
  };
}

/** One document per window and entity. */
export function windowId(entity: EntityId, start: EpochMs): string {
  return `${minuteOf(start)}.${entity}`;
}
