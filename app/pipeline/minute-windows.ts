import { encodeCells } from '../../core/cells.ts';
import { emptyCounters } from '../../core/counters.ts';
import type { MetricStore, StoredWindow } from '../../core/ports.ts';
import { Sketch } from '../../core/sketch/sketch.ts';
import { type EntityId, type Minute, LATE, REFUSED, entityId } from '../../core/types.ts';
import { minuteOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import { CellsMerger } from '../../storage/merge/cells-merger.ts';
import { storedWindow } from '../../storage/stored-window.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';

/** The rows that the judge does not hold as they are stored: without them the owners of a minute would not add up to its total. */
export const UNJUDGED: ReadonlySet<EntityId> = new Set([REFUSED, LATE, entityId('client', 'other')]);

/** Whose windows of a minute are wanted. */
export type Owners = ReadonlySet<EntityId> | 'all';

export type MinuteWindowsDeps = { readonly judge: () => Judge; readonly directory: ConfiguredDirectory; readonly store: MetricStore };

/** The windows of a minute under the names that the directory gives: several names of one key are one window. */
export class MinuteWindows {
  readonly #deps: MinuteWindowsDeps;
  readonly #merger = new CellsMerger();

  constructor(deps: MinuteWindowsDeps) {
    this.#deps = deps;
  }

  /** From the judge's memory; from the store where that does not hold all of the minute. */
  async *of(minute: Minute, owners: Owners): AsyncGenerator<StoredWindow> {
    if (!(yield* this.#held(minute, owners))) {
      yield* this.byOwner(await this.#stored(minute), owners);
      return;
    }
    for (const entity of UNJUDGED) {
      if (owners === 'all' || owners.has(entity)) yield* this.#deps.store.windows({ from: minute, to: minute + 1, entity });
    }
  }

  /**
   * As `of`, for a minute that was given before. Who has nothing there any more (a name that turned out to be another
   * key's, a refused key that was let in) is given empty, or what it had would count twice.
   */
  async *again(minute: Minute, owners: Owners): AsyncGenerator<StoredWindow> {
    const missing = new Set(owners === 'all' ? [] : owners);
    for await (const window of this.of(minute, owners)) {
      missing.delete(window.entity);
      yield window;
    }
    for (const name of await this.#otherNames(minute, owners)) missing.add(name);
    for (const entity of missing) yield emptyWindow(entity, minute);
  }

  /** Stored windows of one minute, united by owner. */
  *byOwner(windows: readonly StoredWindow[], owners: Owners): Generator<StoredWindow> {
    const { directory } = this.#deps;
    const byOwner = new Map<EntityId, StoredWindow[]>();
    for (const window of windows) {
      const owner = directory.canonical(window.entity);
      if (owners !== 'all' && !owners.has(owner)) continue;
      const own = byOwner.get(owner);
      if (own === undefined) byOwner.set(owner, [window]);
      else own.push(window);
    }
    for (const [entity, [first, ...others]] of byOwner) {
      if (first === undefined) continue;
      if (others.length === 0) yield { ...first, entity };
      else {
        const packed = [first, ...others].map((window) => encodeCells(window.counters, window.sketch()));
        yield this.#merged(entity, minuteOf(first.window.start), packed);
      }
    }
  }

  /** Returns whether the judge holds all of it, to the end. */
  *#held(minute: Minute, owners: Owners): Generator<StoredWindow, boolean> {
    if (!isJudged(owners)) return true;
    const rows = this.#deps.judge().rowsOf(minute, owners);
    if (rows === undefined) return false;
    for (;;) {
      const next = rows.next();
      if (next.done === true) return next.value;
      const { entity, packed } = next.value;
      // Of what overflowed the judge holds only a part.
      if (!UNJUDGED.has(entity)) yield this.#merged(entity, minute, packed);
    }
  }

  #merged(entity: EntityId, minute: Minute, packed: readonly Uint8Array[]): StoredWindow {
    return storedWindow(entity, 'minute', { from: minute, to: minute + 1 }, this.#merger.merge(packed));
  }

  /** Names with rows of their own in a minute that the judge has forgotten; there it cannot say who was united with whom since. */
  async #otherNames(minute: Minute, owners: Owners): Promise<readonly EntityId[]> {
    const { directory, judge } = this.#deps;
    if (!isJudged(owners) || judge().rowsOf(minute, owners) !== undefined) return [];
    return (await this.#stored(minute))
      .map(({ entity }) => entity)
      .filter((entity) => {
        const owner = directory.canonical(entity);
        return owner !== entity && (owners === 'all' || owners.has(owner));
      });
  }

  async #stored(minute: Minute): Promise<readonly StoredWindow[]> {
    const windows: StoredWindow[] = [];
    for await (const window of this.#deps.store.windows({ from: minute, to: minute + 1 })) windows.push(window);
    return windows;
  }
}

function isJudged(owners: Owners): boolean {
  return owners === 'all' || [...owners].some((owner) => !UNJUDGED.has(owner));
}

function emptyWindow(entity: EntityId, minute: Minute): StoredWindow {
  return storedWindow(entity, 'minute', { from: minute, to: minute + 1 }, encodeCells(emptyCounters(), new Sketch()));
}
