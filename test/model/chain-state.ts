/**
 * What there is in the model of protocol.md: one byte per fact, so that a state is copied and compared as a whole.
 * Records have the numbers of their offsets; a row holds a set of them. Every record is in row 0, every odd one in row 1
 * too, so that a put can be half done. Generation 1 reads the first log; generation 2 goes on with it, or reads its successor.
 */
export const WORKERS = 2;
/** Offsets of a log, one more than the last record's included. */
const PLACES = 6;
const GENERATIONS = 2;
export const ROWS = 2;

/** Fields of a partition, then of its rows, of what the judge was told, and of its segments. */
const PARTITION = ['era', 'logStart', 'committed', 'generation', 'isForeign'] as const;
/** `next` is 0 where there is nothing; otherwise one more, so that version 0 is something. */
const ROW_FIELDS = ['version', 'set'] as const;
const HEAD_FIELDS = ['version', 'isSealed', 'era'] as const;
/** What a worker has of a partition. */
const HELD = [
  'isOn',
  'era',
  'generation',
  'start',
  'isBegun',
  'position',
  'quietUntil',
  // Of the log that the open segment is of, as its span tells.
  'segmentEra',
  'closesAt',
  'set0',
  'set1',
  'gate0',
  'gate1',
  'dirty',
  'flushed',
  'opened',
  // The batch under way: what of it is still to be done, as bits of `STEPS`.
  'todo',
  'batchGeneration',
  'batchStart',
  'batchEra',
  'batchNext',
  'batchSet0',
  'batchSet1',
  'batchRows',
  'batchIsSealed',
] as const;

export type HeldField = (typeof HELD)[number];
export type PartitionField = (typeof PARTITION)[number];
export type HeadField = (typeof HEAD_FIELDS)[number];

const ROW_PLACES = GENERATIONS * PLACES * ROWS;
const PARTITION_BYTES = PARTITION.length + 2 * ROW_PLACES * ROW_FIELDS.length + GENERATIONS * PLACES * HEAD_FIELDS.length + WORKERS * HELD.length;
const ROWS_AT = PARTITION.length;
const TOLD_AT = ROWS_AT + ROW_PLACES * ROW_FIELDS.length;
const HEADS_AT = TOLD_AT + ROW_PLACES * ROW_FIELDS.length;
const HELD_AT = HEADS_AT + GENERATIONS * PLACES * HEAD_FIELDS.length;

const indexOf = <Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> =>
  Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
const PARTITION_INDEX = indexOf(PARTITION);
const HEAD_INDEX = indexOf(HEAD_FIELDS);
const HELD_INDEX = indexOf(HELD);

export type RowPlace = { readonly generation: number; readonly start: number; readonly row: number };

export class ChainState {
  readonly bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  static fresh(partitions: number): ChainState {
    const state = new ChainState(new Uint8Array(partitions * PARTITION_BYTES));
    for (let p = 0; p < partitions; p++) state.set(p, 'generation', 1);
    return state;
  }

  copy(): ChainState {
    return new ChainState(this.bytes.slice());
  }

  get key(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length).toString('latin1');
  }

  /** What is left when all workers are dead: as far as anybody else can tell. */
  sharedKey(partition: number): string {
    const from = partition * PARTITION_BYTES;
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, HELD_AT).toString('latin1');
  }

  /** Workers have no names: two states that differ in who is who are one. */
  sort(partitions: number): void {
    for (let p = 0; p < partitions; p++) {
      const from = this.#heldAt(0, p);
      for (let at = from; at < from + HELD.length; at++) {
        const order = (this.bytes[at] ?? 0) - (this.bytes[at + HELD.length] ?? 0);
        if (order < 0) return;
        if (order > 0) return this.#swap(partitions);
      }
    }
  }

  #swap(partitions: number): void {
    for (let p = 0; p < partitions; p++) {
      const from = this.#heldAt(0, p);
      const first = this.bytes.slice(from, from + HELD.length);
      this.bytes.copyWithin(from, from + HELD.length, from + 2 * HELD.length);
      this.bytes.set(first, from + HELD.length);
    }
  }

  get(partition: number, field: PartitionField): number {
    return this.bytes[partition * PARTITION_BYTES + PARTITION_INDEX[field]] ?? 0;
  }

  set(partition: number, field: PartitionField, value: number): void {
    this.bytes[partition * PARTITION_BYTES + PARTITION_INDEX[field]] = value;
  }

  /** Version and set of a stored row, or of one that the judge knows. */
  row(partition: number, where: 'stored' | 'told', place: RowPlace): { readonly version: number; readonly set: number } {
    const at = this.#rowAt(partition, where, place);
    return { version: (this.bytes[at] ?? 0) - 1, set: this.bytes[at + 1] ?? 0 };
  }

  /** As a store does it: of two versions the higher one stays. */
  putRow(partition: number, where: 'stored' | 'told', place: RowPlace, row: { readonly version: number; readonly set: number }): void {
    const at = this.#rowAt(partition, where, place);
    if (row.version + 1 < (this.bytes[at] ?? 0)) return;
    this.bytes[at] = row.version + 1;
    this.bytes[at + 1] = row.set;
  }

  head(partition: number, generation: number, start: number): { readonly next: number; readonly isSealed: boolean; readonly era: number } | undefined {
    const version = this.#headField(partition, generation, start, 'version');
    if (version === 0) return undefined;
    return {
      next: version - 1,
      isSealed: this.#headField(partition, generation, start, 'isSealed') === 1,
      era: this.#headField(partition, generation, start, 'era'),
    };
  }

  putHead(partition: number, generation: number, start: number, head: { readonly next: number; readonly isSealed: boolean; readonly era: number }): void {
    const before = this.head(partition, generation, start);
    if (before !== undefined && (head.next < before.next || (head.next === before.next && before.isSealed))) return;
    const at = this.#headAt(partition, generation, start);
    this.bytes[at] = head.next + 1;
    this.bytes[at + 1] = head.isSealed ? 1 : 0;
    this.bytes[at + 2] = head.era;
  }

  /** The newest segment of the highest generation. */
  newest(
    partition: number,
  ): { readonly generation: number; readonly start: number; readonly next: number; readonly isSealed: boolean; readonly era: number } | undefined {
    for (let generation = GENERATIONS; generation > 0; generation--) {
      for (let start = PLACES - 1; start >= 0; start--) {
        const head = this.head(partition, generation, start);
        if (head !== undefined) return { generation, start, ...head };
      }
    }
    return undefined;
  }

  held(worker: number, partition: number, field: HeldField): number {
    return this.bytes[this.#heldAt(worker, partition) + HELD_INDEX[field]] ?? 0;
  }

  hold(worker: number, partition: number, fields: Partial<Record<HeldField, number>>): void {
    const at = this.#heldAt(worker, partition);
    for (const field in fields) this.bytes[at + HELD_INDEX[field as HeldField]] = fields[field as HeldField] ?? 0;
  }

  /** The worker has nothing of the partition any more. */
  drop(worker: number, partition: number): void {
    const at = this.#heldAt(worker, partition);
    this.bytes.fill(0, at, at + HELD.length);
  }

  #rowAt(partition: number, where: 'stored' | 'told', { generation, start, row }: RowPlace): number {
    const index = ((generation - 1) * PLACES + start) * ROWS + row;
    return partition * PARTITION_BYTES + (where === 'stored' ? ROWS_AT : TOLD_AT) + index * ROW_FIELDS.length;
  }

  #headAt(partition: number, generation: number, start: number): number {
    return partition * PARTITION_BYTES + HEADS_AT + ((generation - 1) * PLACES + start) * HEAD_FIELDS.length;
  }

  #headField(partition: number, generation: number, start: number, field: HeadField): number {
    return this.bytes[this.#headAt(partition, generation, start) + HEAD_INDEX[field]] ?? 0;
  }

  #heldAt(worker: number, partition: number): number {
    return partition * PARTITION_BYTES + HELD_AT + worker * HELD.length;
  }
}

/** Every place that a segment can begin at. */
export const STARTS: readonly number[] = Array.from({ length: PLACES }, (_, start) => start);
