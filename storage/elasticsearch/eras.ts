import { base36 } from './names.ts';
import { readDocs } from './read-docs.ts';
import type { Elasticsearch } from './client.ts';
import type { Controls, Versioned } from './controls.ts';
import type { Minute } from '../../core/types.ts';

/** Rows of a day, or hours of a month. */
export type EraLevel = 'day' | 'month';

type EraSource = { readonly kind: 'era'; readonly level: EraLevel; readonly ts: Minute; readonly era: number; readonly closing: boolean };

/** A drop that was announced. `version` is what must still be stored for it to happen. */
export type Closing = { readonly level: EraLevel; readonly ts: Minute; readonly era: number; readonly version: Versioned<EraSource> };

/**
 * How often the rows of a day, or the hours of a month, were dropped. What was folded in an earlier era is frozen:
 * it is never computed again, and what comes later is added to it. The era is in the name of the index, so that a drop
 * is one compare-and-set and whoever writes to the old index finds it gone.
 *
 * A drop and a write cannot miss one another: the writer marks its hour and then looks here; the dropper says that it
 * is closing and then looks for marks. Whoever comes second sees the other, and the writer wins.
 */
export class Eras {
  readonly #elasticsearch: Elasticsearch;
  readonly #controls: Controls;

  constructor(deps: { readonly elasticsearch: Elasticsearch; readonly controls: Controls }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#controls = deps.controls;
  }

  /** The era to write to, after the mark was written. Calls off a drop that has begun. */
  async forWriting(level: EraLevel, ts: Minute): Promise<number> {
    for (;;) {
      const stored = await this.#controls.get<EraSource>(idOf(level, ts));
      if (stored === undefined) return 0;
      const { era, closing } = stored.source;
      if (!closing || (await this.#put({ level, ts, era, closing: false }, stored))) return era;
    }
  }

  /** Announces a drop. To be followed by a look at the marks. */
  async close(level: EraLevel, ts: Minute): Promise<Closing> {
    for (;;) {
      const stored = await this.#controls.get<EraSource>(idOf(level, ts));
      const era = stored?.source.era ?? 0;
      if (!(await this.#put({ level, ts, era, closing: true }, stored))) continue;
      const version = await this.#controls.get<EraSource>(idOf(level, ts));
      if (version?.source.closing === true && version.source.era === era) return { level, ts, era, version };
    }
  }

  /** Begins the next era; false when somebody called the drop off. */
  async finish({ level, ts, era, version }: Closing): Promise<boolean> {
    if (await this.#put({ level, ts, era: era + 1, closing: false }, version)) return true;
    // The answer may have been lost.
    const stored = await this.#controls.get<EraSource>(idOf(level, ts));
    return stored !== undefined && stored.source.era > era;
  }

  async callOff({ level, ts, era, version }: Closing): Promise<void> {
    await this.#put({ level, ts, era, closing: false }, version);
  }

  /** As of the last refresh: eras above 0 by day or month. */
  async all(): Promise<Readonly<Record<EraLevel, ReadonlyMap<Minute, number>>>> {
    const eras = { day: new Map<Minute, number>(), month: new Map<Minute, number>() };
    for await (const page of readDocs<EraSource>(this.#elasticsearch, { index: this.#controls.index, filter: [{ term: { kind: 'era' } }], order: 'any' })) {
      for (const { _source: source } of page) if (source !== undefined && source.era > 0) eras[source.level].set(source.ts, source.era);
    }
    return eras;
  }

  #put(source: Omit<EraSource, 'kind'>, expected: Versioned<EraSource> | undefined): Promise<boolean> {
    return this.#controls.put(idOf(source.level, source.ts), { kind: 'era', ...source }, expected ?? 'absent');
  }
}

function idOf(level: EraLevel, ts: Minute): string {
  return `era.${level}.${base36(ts)}`;
}
