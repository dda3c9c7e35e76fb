import { readCells, readCounters } from '../core/cells.ts';
import { startOf } from '../core/window.ts';
import type { Resolution, StoredWindow } from '../core/ports.ts';
import type { EntityId, Minute } from '../core/types.ts';

/** A window as readers get it. The sketch is decoded when it is asked for. */
export function storedWindow(entity: EntityId, resolution: Resolution, span: { readonly from: Minute; readonly to: Minute }, cells: Uint8Array): StoredWindow {
  return {
    entity,
    resolution,
    window: { start: startOf(span.from), end: startOf(span.to) },
    counters: readCounters(cells),
    sketch: () => readCells(cells).sketch,
  };
}
