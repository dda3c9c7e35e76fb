/**
 * A store without transactions, as Elasticsearch is one: a put is a list of single writes, each kept under its version,
 * and any part of the list may be done when the process that wrote it dies. What order it promises is in `MetricStore.put`.
 */
import { encodeCells, readCells } from '../../core/cells.ts';
import { mergeCounters } from '../../core/counters.ts';
import type { OpenSegment, PartialBatch, ResumedRow } from '../../core/partial.ts';
import type { MetricStore, PartitionHead, StoredPartial, StoredWindow } from '../../core/ports.ts';
import type { EntityId, Minute } from '../../core/types.ts';
import { storedWindow } from '../../storage/stored-window.ts';

type Row = { readonly segment: string; readonly window: Minute; readonly entity: EntityId; readonly cells: Uint8Array; readonly next: number };
type Head = PartitionHead;
/** One single write. */
export type Write = () => void;

/** What outlives every process. */
export class HalfStore {
  readonly #controls = new Map<string, string>();
  readonly #sources = new Map<string, number>();
  readonly #rows = new Map<string, Row>();
  readonly #held = new Map<string, Row>();
  readonly #heads = new Map<string, Head>();

  /** The single writes of a put by the step they belong to: no write of a step before all of the step before it. */
  writesOf(batch: PartialBatch): readonly (readonly Write[])[] {
    const { segment: ref, next, rows, held, gone, isSealed, rejects, dropped, records, overLimit, skewed, span, newest } = batch;
    const segment = nameOf(ref);
    const put = (into: Map<string, Row>, row: { readonly window: Minute; readonly entity: EntityId }, cells: Uint8Array): Write => {
      const place = `${segment} ${row.window} ${row.entity}`;
      return () => {
        const before = into.get(place);
        // external_gte: of two versions the higher one stays, of equal ones the later one.
        if (before === undefined || next >= before.next) into.set(place, { segment, window: row.window, entity: row.entity, cells, next });
      };
    };
    const names = new Set(rows.map((row) => `${row.window} ${row.entity}`));
    const empty = new Uint8Array(0);
    return [
      [
        ...rows.map((row) => put(this.#rows, row, row.cells)),
        ...gone.filter((row) => !row.isHeld && !names.has(`${row.window} ${row.entity}`)).map((row) => put(this.#rows, row, empty)),
      ],
      [...held.map((row) => put(this.#held, row, row.cells)), ...gone.filter((row) => row.isHeld).map((row) => put(this.#held, row, empty))],
      [
        () => {
          const before = this.#heads.get(segment);
          if (before !== undefined && (next < before.next || (next === before.next && before.isSealed))) return;
          const optional = {
            ...(overLimit === undefined ? {} : { overLimit }),
            ...(skewed === undefined ? {} : { skewed }),
            ...(span === undefined ? {} : { span }),
          };
          this.#heads.set(segment, { segment: ref, next, isSealed, rejects, dropped, records, newest, ...optional });
        },
      ],
    ];
  }

  controls(): Map<string, string> {
    return this.#controls;
  }

  source(name: string): number {
    const known = this.#sources.get(name) ?? this.#sources.size + 1;
    this.#sources.set(name, known);
    return known;
  }

  heads(): readonly Head[] {
    const newest = new Map<string, Head>();
    for (const head of this.segments()) newest.set(`${head.segment.source} ${head.segment.partition}`, head);
    return [...newest.values()];
  }

  /** The chains, oldest segment first. */
  segments(): readonly Head[] {
    return [...this.#heads.values()].sort((a, b) => a.segment.generation - b.segment.generation || a.segment.start - b.segment.start);
  }

  resume(source: number, partition: number): OpenSegment | undefined {
    const head = this.heads().find(({ segment }) => segment.source === source && segment.partition === partition);
    if (head === undefined) return undefined;
    const of = (rows: Map<string, Row>): readonly ResumedRow[] =>
      [...rows.values()]
        .filter((row) => row.segment === nameOf(head.segment) && row.cells.length > 0)
        .map(({ window, entity, cells, next }) => ({ window, entity, cells, next }));
    return head.isSealed ? { ...head, rows: [], held: [] } : { ...head, rows: of(this.#rows), held: of(this.#held) };
  }

  *partials(): Generator<StoredPartial> {
    for (const row of this.#rows.values()) {
      const segment = this.#heads.get(row.segment)?.segment;
      if (row.cells.length > 0 && segment !== undefined) yield { segment, next: row.next, row };
    }
  }

  *windows({ from, to }: { readonly from: Minute; readonly to: Minute }): Generator<StoredWindow> {
    const groups = new Map<string, Row[]>();
    for (const row of this.#rows.values()) {
      if (row.window < from || row.window >= to || row.cells.length === 0) continue;
      const name = `${row.window} ${row.entity}`;
      groups.set(name, [...(groups.get(name) ?? []), row]);
    }
    for (const rows of groups.values()) {
      const [first, ...others] = rows;
      if (first === undefined) continue;
      const merged = readCells(first.cells);
      for (const { cells } of others) {
        const { counters, sketch } = readCells(cells);
        mergeCounters(merged.counters, counters);
        merged.sketch.merge(sketch);
      }
      yield storedWindow(first.entity, 'minute', { from: first.window, to: first.window + 1 }, encodeCells(merged.counters, merged.sketch));
    }
  }

  /** Every row that readers see, to the byte. */
  dump(): Record<string, string> {
    const rows = [...this.#rows].filter(([, row]) => row.cells.length > 0).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(rows.map(([place, row]) => [place, Buffer.from(row.cells).toString('hex')]));
  }
}

/** One process's way to the store: `put` decides when and how much of its writes is done. */
export function halfStore(store: HalfStore, put: MetricStore['put']): MetricStore {
  const never = (): never => {
    throw new Error('BUG: not asked of this double');
  };
  return {
    control: async (name) => store.controls().get(name),
    setControl: async (name, value) => void store.controls().set(name, value),
    claim: async (name, value) => {
      const known = store.controls().get(name) ?? value;
      store.controls().set(name, known);
      return known;
    },
    source: async (name) => store.source(name),
    sources: never,
    put,
    resume: async (source, partition) => store.resume(source, partition),
    heads: async (source) => store.heads().filter(({ segment }) => source === undefined || segment.source === source),
    async *partials() {
      yield* store.partials();
    },
    async *windows(query) {
      yield* store.windows(query);
    },
    totals: never,
    aliases: async () => new Map(),
    fold: never,
    retain: never,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function nameOf({ source, partition, generation, start }: PartialBatch['segment']): string {
  return `${source} ${partition} ${generation} ${start}`;
}
