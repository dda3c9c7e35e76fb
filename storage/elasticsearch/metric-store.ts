import { type EntityId, type Minute, type Outcome, failed } from '../../core/types.ts';
import { readAliases } from './aliases.ts';
import { BatchWriter } from './batch-writer.ts';
import { BulkWriter } from './bulk-writer.ts';
import { Controls } from './controls.ts';
import { Eras } from './eras.ts';
import { Folder, type FolderDeps } from './fold.ts';
import { Marks } from './marks.ts';
import { IndexNames } from './names.ts';
import { readResume } from './read-resume.ts';
import { readTotals } from './read-totals.ts';
import { readPartials, readWindows } from './read-windows.ts';
import { Retainer } from './retain.ts';
import { Segments } from './segments.ts';
import { areTemplatesInstalled, installTemplates } from './templates.ts';
import type { Elasticsearch } from './client.ts';
import type { MetricStore, PartitionHead, StoredSource } from '../../core/ports.ts';
import type { PartialBatch } from '../../core/partial.ts';

export type MetricStoreOptions = {
  /** Begins the name of every index, for instance `keywatch`. One installation each. */
  readonly prefix: string;
  /** Primary shards of an index of rows, hours or days. Default 1: some 50,000 rows a second. */
  readonly shards?: number;
  /** Default 1. */
  readonly replicas?: number;
  /** Rows in memory at once where hours and days are put together; more are read in several passes. Default 200,000: some 60 MB. */
  readonly rowsMax?: number;
};

export type MetricStoreDeps = {
  /** Stays open when the store is disposed. */
  readonly elasticsearch: Elasticsearch;
  /** One for the whole process. Default one of its own. */
  readonly writer?: BulkWriter;
  /** Aborted: batches are tried once more, and what is refused then is said at once. */
  readonly signal?: AbortSignal;
};

/** Later than any window: everything is folded. */
const ALWAYS: Minute = Number.MAX_SAFE_INTEGER;

/**
 * The metrics of an installation in Elasticsearch, for any number of processes at once. Puts the index templates when
 * this version's are not there. Faults that may pass are tried again for half a minute; after that `put` says so with a
 * retryable outcome and everything else throws an `ElasticsearchFault`.
 */
export async function openMetricStore(options: MetricStoreOptions, deps: MetricStoreDeps): Promise<MetricStore> {
  const names = new IndexNames(options.prefix);
  const templates = { prefix: options.prefix, shards: options.shards ?? 1, replicas: options.replicas ?? 1 };
  if (!(await areTemplatesInstalled(deps.elasticsearch, templates))) await installTemplates(deps.elasticsearch, templates);
  return new ElasticsearchStore({ names, rowsMax: options.rowsMax ?? 200_000 }, deps);
}

class ElasticsearchStore implements MetricStore {
  readonly #names: IndexNames;
  readonly #deps: FolderDeps;
  readonly #batches: BatchWriter;
  readonly #folder: Folder;
  readonly #retainer: Retainer;
  readonly #closing = new AbortController();
  /** Nobody waits for another try any more. */
  readonly #hurry: AbortSignal;
  readonly #putting = new Set<Promise<Outcome>>();

  constructor(
    { names, rowsMax }: { readonly names: IndexNames; readonly rowsMax: number },
    { elasticsearch, writer = new BulkWriter(elasticsearch), signal }: MetricStoreDeps,
  ) {
    this.#hurry = signal === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, signal]);
    const controls = new Controls(elasticsearch, names.control);
    const marks = new Marks({ elasticsearch, writer, controls });
    const eras = new Eras({ elasticsearch, controls });
    const segments = new Segments({ elasticsearch, writer, index: names.segment });
    this.#names = names;
    this.#deps = { elasticsearch, writer, names, controls, control: controls.index, marks, eras, segments, rowsMax };
    this.#batches = new BatchWriter(this.#deps);
    this.#folder = new Folder(this.#deps);
    this.#retainer = new Retainer({ ...this.#deps, folder: this.#folder });
  }

  control(name: string): Promise<string | undefined> {
    return this.#deps.controls.value(name);
  }

  setControl(name: string, value: string): Promise<void> {
    return this.#deps.controls.setValue(name, value);
  }

  claim(name: string, value: string): Promise<string> {
    return this.#deps.controls.claim(name, value);
  }

  source(name: string): Promise<number> {
    return this.#deps.controls.source(name);
  }

  async sources(): Promise<readonly StoredSource[]> {
    const { controls, segments } = this.#deps;
    const names = await controls.sourceNames();
    const totals = await segments.totals();
    const firsts = new Map<number, PartitionHead>();
    for (const head of await segments.heads()) if (!firsts.has(head.segment.source)) firsts.set(head.segment.source, head);
    return names.map((name, place) => {
      const id = place + 1;
      const end = firsts.get(id);
      const sums = totals.get(id) ?? { records: 0, dropped: 0, rejects: {} };
      return {
        id,
        name,
        ...sums,
        next: end?.next ?? 0,
        newest: end?.newest ?? Number.NEGATIVE_INFINITY,
        ...(end?.cursor === undefined ? {} : { cursor: end.cursor }),
      };
    });
  }

  async put(batch: PartialBatch): Promise<Outcome> {
    if (this.#closing.signal.aborted) return failed('elasticsearch: the store is closed', true);
    const putting = this.#batches.put(batch, this.#hurry);
    this.#putting.add(putting);
    try {
      return await putting;
    } finally {
      this.#putting.delete(putting);
    }
  }

  resume(source: number, partition: number): ReturnType<MetricStore['resume']> {
    return readResume({ ...this.#deps, heldOrder: this.#batches.heldOrder }, source, partition);
  }

  heads(source?: number): Promise<readonly PartitionHead[]> {
    return this.#deps.segments.heads(source);
  }

  partials(query: Parameters<MetricStore['partials']>[0]): ReturnType<MetricStore['partials']> {
    return readPartials(this.#deps, query);
  }

  windows(query: Parameters<MetricStore['windows']>[0]): ReturnType<MetricStore['windows']> {
    return readWindows(this.#deps, query);
  }

  totals(query: Parameters<MetricStore['totals']>[0]): ReturnType<MetricStore['totals']> {
    return readTotals(this.#deps, query);
  }

  aliases(): Promise<ReadonlyMap<EntityId, EntityId>> {
    return readAliases(this.#deps.elasticsearch, this.#names.alias);
  }

  fold(before?: Minute): Promise<number> {
    return this.#folder.fold(before ?? ALWAYS);
  }

  retain(...[policy, now]: Parameters<MetricStore['retain']>): ReturnType<MetricStore['retain']> {
    return this.#retainer.retain(policy, now);
  }

  /** Lets requests that run come to their end and gives up waiting for the next try. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#putting);
  }
}
