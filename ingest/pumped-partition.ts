import type { Clock } from '../core/clock.ts';
import type { Alias, OpenSegment, PartialBatch } from '../core/partial.ts';
import type { PartitionProgress, SourceEvent } from '../core/ports.ts';
import { type DurationMs, type EpochMs, type Offset, REFUSED } from '../core/types.ts';
import type { Delivery } from './delivery.ts';
import { EarlyRecords } from './early-records.ts';
import type { Backlog } from './parallel/backlog.ts';
import type { Format } from './parse/format.ts';
import { PartitionIngest } from './partition-ingest.ts';
import type { PartitionState, PumpDeps, PumpOptions } from './pump-options.ts';

export type Assigned = Extract<SourceEvent, { kind: 'assigned' }>;

/** One partition that a pump reads: where it is, what counts it, and what is on its way. */
export class PumpedPartition implements PartitionState {
  readonly name: string;
  readonly label: string;
  readonly sourceId: number;
  readonly number: number;
  readonly generation: number;
  readonly sizeBytes: number | undefined;
  /** Of a message log: segments in a chain. */
  readonly isChain: boolean;
  readonly isShared: boolean;
  readonly delivery: Delivery;
  readonly #assigned: Assigned;
  readonly #open: OpenSegment | undefined;
  readonly #clock: Clock;
  format = '';
  descriptor = '';
  visible: ReadonlySet<string> = new Set();
  next: Offset;
  /** Of what was read. */
  newest: EpochMs;
  /** Of what the judge was told. */
  told: EpochMs;
  isAtEnd = false;
  lastBlockAt: EpochMs;
  /** Wall clock at which everything readable was counted; of batches on their way, and of what the judge was told. */
  #caughtUpAt: EpochMs | undefined;
  readonly #untold: { readonly next: Offset; readonly caughtUpAt: EpochMs }[] = [];
  #completeAt: EpochMs | undefined;
  /** Wall clock at which the first record of the open segment was read. */
  openSince: EpochMs | undefined;
  ingest: PartitionIngest | undefined;
  /** While a large backlog is shared out to threads; `ingest` is undefined then. */
  backlog: Backlog | undefined;
  /** Its format is unknown: nothing of it is read, so nothing of it is lost. */
  isRefused = false;
  /** Records of a message log that came before its format was known. */
  readonly early = new EarlyRecords();
  isWaitTold = false;
  isPaused = false;

  constructor(
    assigned: Assigned,
    stored: { readonly source: number; readonly open: OpenSegment | undefined },
    parts: { readonly delivery: (partition: PumpedPartition) => Delivery; readonly isShared: boolean; readonly clock: Clock },
  ) {
    this.#assigned = assigned;
    this.#open = stored.open;
    this.name = assigned.partition;
    this.label = assigned.label;
    this.sourceId = stored.source;
    this.number = assigned.number ?? 0;
    this.generation = assigned.generation ?? 1;
    this.sizeBytes = assigned.sizeBytes;
    this.isChain = assigned.segments === 'chain';
    this.isShared = this.isChain || parts.isShared;
    this.next = stored.open?.next ?? 0;
    this.newest = stored.open?.newest ?? 0;
    if (!Number.isFinite(this.newest)) this.newest = 0;
    this.told = this.newest;
    this.#clock = parts.clock;
    this.lastBlockAt = parts.clock.now();
    this.delivery = parts.delivery(this);
  }

  get unackedBatches(): number {
    return this.delivery.batches;
  }

  get unackedBytes(): number {
    return this.delivery.bytes;
  }

  get trouble(): string | undefined {
    return this.delivery.trouble;
  }

  get segmentAgeMs(): DurationMs | undefined {
    return this.openSince === undefined ? undefined : this.#clock.now() - this.openSince;
  }

  get sourceName(): string {
    return this.#assigned.source ?? this.name;
  }

  /** Everything readable was counted. */
  caughtUp(): void {
    this.#caughtUpAt = this.#clock.now();
    if (this.#isAllTold) this.#completeAt = this.#caughtUpAt;
  }

  /** What was counted below `next` is on its way. Of a message log that is all there was when it was caught up. */
  sent(next: Offset): void {
    if (this.isChain && this.#caughtUpAt !== undefined) this.#untold.push({ next, caughtUpAt: this.#caughtUpAt });
  }

  /** The store and the judge have it. */
  stored({ next, newest }: PartialBatch): void {
    if (next > this.next) this.next = next;
    if (newest > this.told) this.told = newest;
    for (let first = this.#untold[0]; first !== undefined && first.next <= next; first = this.#untold[0]) {
      this.#completeAt = first.caughtUpAt;
      this.#untold.shift();
    }
  }

  /** What the watermark is made of: of a shared bus only what it has, for who judges must not close a window before its rows are there. */
  get progress(): PartitionProgress {
    return {
      source: this.sourceId,
      partition: this.number,
      newest: this.isShared ? this.told : this.newest,
      isAtEnd: this.isAtEnd && (!this.isShared || this.#isAllTold),
      heardAt: this.lastBlockAt,
      ...(this.#completeAt === undefined ? {} : { completeAt: this.#completeAt }),
    };
  }

  get #isAllTold(): boolean {
    return this.delivery.isIdle && this.ingest?.isFlushed !== false;
  }

  /** Counting begins, at the first time or behind what threads have counted. */
  begin(format: Format, options: PumpOptions, deps: Pick<PumpDeps, 'deadLetters'>, resume: OpenSegment | undefined = this.#open): void {
    this.format = format.name;
    this.visible = format.visible;
    this.descriptor = format.descriptor;
    const { segmentBytes, limits, normaliser, steps, sketches = 'window' } = options;
    const { segments, resume: mode, from } = this.#assigned;
    const { sourceId: source, number: partition, generation } = this;
    const keepsRejected = deps.deadLetters !== undefined;
    const place = { source, partition, generation, segmentBytes, segments, mode, from: mode === undefined ? undefined : from };
    this.ingest = new PartitionIngest({ ...place, format, normaliser: normaliser(), limits, resume, steps, sketches, keepsRejected });
  }

  /**
   * What the store has of the open segment, for a judge that may have missed it: whoever stored it may have stopped
   * before it was told. `aliases` are those of its keys. Rows that are ahead of their segment come under their own `next`.
   */
  retold(aliases: readonly Alias[]): readonly PartialBatch[] {
    const open = this.#open;
    if (!this.isShared || open === undefined || open.isSealed || this.#assigned.resume === 'segment') return [];
    const { rows, held, ...head } = open;
    const groups = new Map<Offset, { readonly rows: OpenSegment['rows'][number][]; readonly held: OpenSegment['held'][number][] }>();
    const groupOf = (own = open.next): { readonly rows: OpenSegment['rows'][number][]; readonly held: OpenSegment['held'][number][] } => {
      const next = Math.max(own, open.next);
      const group = groups.get(next) ?? { rows: [], held: [] };
      groups.set(next, group);
      return group;
    };
    for (const row of rows) groupOf(row.next).rows.push(row);
    // One by one the refused are nobody's business; what is held of all who came above the limit is judged.
    for (const row of held) if (row.entity === REFUSED) groupOf(row.next).held.push(row);
    return [...groups].sort(([a], [b]) => a - b).map(([next, group], index) => ({ ...head, ...group, next, gone: [], aliases: index === 0 ? aliases : [] }));
  }
}
