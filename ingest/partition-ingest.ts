import type { OpenSegment, PartialBatch } from '../core/partial.ts';
import type { RecordBlock } from '../core/ports.ts';
import type { EpochMs, Offset } from '../core/types.ts';
import { MINUTE_MS, dayOf } from '../core/window.ts';
import { RejectCounts } from './aggregate/reject-counts.ts';
import { RejectedRecords } from './aggregate/rejected-records.ts';
import { SegmentCounts } from './aggregate/segment-counts.ts';
import type { SegmentTops } from './aggregate/segment-tops.ts';
import { DEFAULT_LIMITS, type IngestLimits, type PartitionIngestOptions, type RejectedRecord } from './ingest-options.ts';
import type { Format } from './parse/format.ts';
import { LINE_FEED, withLineFeed } from './parse/line-feed.ts';
import { type Verdict, type Normaliser, DROP, FINE, fault } from './parse/normaliser.ts';
import { EventCells, Tokens } from './parse/tokens.ts';
import { LENGTH_SINGLE } from './segment/chain.ts';
import { ChainSegment } from './segment/chain-segment.ts';
import { AHEAD_OF_RECORD_MAX_MS, BEHIND_RECORD_MAX_MS, recordTime } from './segment/record-time.ts';
import { eachElement, hasElements, isClosed } from './segment/values.ts';

/** A segment with more refused credentials empties the dictionaries at its end. */
const GUESSES_MAX = 1 << 14;

const LINE_TOO_LONG = fault('line_too_long');
const TRUNCATED = fault('truncated');

/**
 * One partition's bytes or records in, partial batches out. Pure and synchronous: no I/O, no clock, so what it makes
 * is a function of the log alone, wherever it is cut, stopped and resumed.
 */
export class PartitionIngest {
  readonly #options: PartitionIngestOptions;
  readonly #format: Format;
  readonly #normaliser: Normaliser;
  readonly #limits: IngestLimits;
  readonly #counts: SegmentCounts;
  readonly #tokens = new Tokens();
  readonly #cells = new EventCells();
  /** Of a message log. */
  readonly #chain: ChainSegment | undefined;
  readonly #since: number;
  readonly #until: number;
  readonly #rejects = new RejectCounts();
  readonly #rejected: RejectedRecords | undefined;
  #generation: number;
  #segmentStart: Offset;
  #next: Offset;
  /** Nothing is told before: the store has it, or has rows that are ahead of their segment. */
  #quietUntil: Offset = 0;
  /** Time of the record at hand, -1 where there is none. */
  #reference: EpochMs = -1;
  #records = 0;
  #recordsFlushed = 0;
  #dropped = 0;
  #skewed = 0;
  #newest: EpochMs = 0;
  #sealed: PartialBatch[] = [];
  #sealedTops: SegmentTops[] = [];

  constructor(options: PartitionIngestOptions) {
    this.#options = options;
    this.#format = options.format;
    this.#normaliser = options.normaliser;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    const sketches = options.sketches ?? 'window';
    this.#counts = new SegmentCounts(options.normaliser, { limits: this.#limits, sketches, steps: options.steps });
    options.normaliser.isLean = sketches === 'none';
    this.#chain = options.segments === 'chain' ? new ChainSegment() : undefined;
    this.#since = options.since ?? Number.NEGATIVE_INFINITY;
    this.#until = options.until ?? Number.POSITIVE_INFINITY;
    this.#rejected = options.keepsRejected === true ? new RejectedRecords() : undefined;
    this.#generation = options.generation;
    const { resume } = options;
    this.#newest = resume?.newest ?? 0;
    this.#next = options.from ?? resume?.next ?? 0;
    this.#segmentStart = this.#startOf(this.#next);
    switch (options.mode ?? 'rows') {
      case 'rows':
        if (resume !== undefined) this.#goOn(resume);
        break;
      case 'segment':
        if (resume?.segment.start === this.#next) this.#quietUntil = resume.next;
        break;
      case 'fresh':
        if (resume !== undefined && !resume.isSealed && resume.segment.generation < this.#generation) this.#close(resume);
        break;
    }
  }

  /** Everything before is counted. */
  get next(): Offset {
    return this.#next;
  }

  /** In a grid: lines that start here or later begin another segment. */
  get segmentEnd(): Offset {
    return this.#segmentStart + this.#options.segmentBytes;
  }

  /** Nothing of the open segment was counted yet. */
  get isEmpty(): boolean {
    return this.#records === 0;
  }

  /** Nothing was counted since the last batch. */
  get isFlushed(): boolean {
    return this.#records === this.#recordsFlushed && this.#sealed.length === 0;
  }

  /** Rows that the next batch will have, about. */
  get changed(): number {
    return this.#counts.changed;
  }

  get newest(): EpochMs {
    return this.#newest;
  }

  /** Starts in the middle of a log (a thread's share of a file). Only before the first block. */
  startAt(offset: Offset): void {
    this.#next = offset;
    this.#segmentStart = this.#startOf(offset);
  }

  /**
   * Counts the whole lines in `lines`, whose first byte is at `offset`. Lines below `next` were counted before and are
   * passed over. A rejected line ends at its first line feed, whatever a scanner took for its end.
   */
  block(lines: Uint8Array, offset: Offset, receivedAt: EpochMs = -1): void {
    const bytes = withLineFeed(lines);
    const limit = bytes.length;
    const counts = this.#counts;
    this.#reference = receivedAt;
    let at = offset < this.#next ? this.#next - offset : 0;
    let boundary = this.segmentEnd - offset;
    while (at < limit) {
      if (at >= boundary) {
        this.#next = offset + at;
        this.#seal();
        boundary = this.segmentEnd - offset;
      }
      if (counts.isGated) counts.position = offset + at;
      at = this.#line(bytes, at, limit, offset + at, 0) + 1;
    }
    const end = offset + lines.length;
    if (end > this.#next) this.#next = end;
  }

  /** A line of `[offset, offset + length)` was longer than the limit and is passed over. */
  oversized(offset: Offset, length: number): void {
    if (offset < this.#next) return;
    if (offset >= this.segmentEnd) {
      this.#next = offset;
      this.#seal();
    }
    this.#rejects.add(LINE_TOO_LONG, offset);
    this.#records++;
    this.#next = offset + length;
  }

  /**
   * Counts the records of a block. Those below `next` were counted before and are passed over. A record counts as a
   * whole, whatever it holds: segments and batches end between records only.
   */
  records(block: RecordBlock): void {
    const { bytes, count, offsets, starts, ends, times } = block;
    const counts = this.#counts;
    let i = 0;
    while (i < count && (offsets[i] as number) < this.#next) i++;
    if (i === count) return;
    const chain = this.#chain;
    let mayEnd = chain?.mayEnd(block, i) ?? false;
    for (; i < count; i++) {
      const offset = offsets[i] as number;
      if (mayEnd && chain !== undefined) mayEnd = this.#watch(chain, block, i);
      if (counts.isGated) counts.position = offset;
      this.#reference = recordTime(times[i] as number);
      this.#value(bytes, starts[i] as number, ends[i] as number, offset);
    }
    this.#next = (offsets[count - 1] as number) + 1;
  }

  /** Batches of segments that ended, oldest first. */
  takeSealed(): readonly PartialBatch[] {
    const sealed = this.#sealed;
    this.#sealed = [];
    return sealed;
  }

  /** With sketches per segment: routes, agents and latencies of everything since the last call, as a whole. After `takeSealed` or `finish`. */
  takeTops(): readonly SegmentTops[] {
    const tops = this.#sealedTops;
    this.#sealedTops = [];
    return tops;
  }

  /** Rows that crossed a step since the last call; they come again with the next batch. */
  takeUrgent(): PartialBatch | undefined {
    if (this.#options.steps === undefined) return undefined;
    const rows = this.#counts.takeUrgent();
    if (rows.length === 0 || this.#next < this.#quietUntil) return undefined;
    return { ...this.#head(false), rows, held: [], gone: [], aliases: [] };
  }

  /** What was rejected below `next` and was not taken yet: at most a thousand records of a segment, the rest is only counted. */
  takeRejected(next: Offset): readonly RejectedRecord[] {
    return this.#rejected?.take(next) ?? [];
  }

  /** What changed since the last flush; undefined when no record came, unless the position itself must be stored. */
  flush(isForced = false): PartialBatch | undefined {
    if ((this.#records === this.#recordsFlushed && !isForced) || this.#next < this.#quietUntil) return undefined;
    return this.#batch(false);
  }

  /** The log ended: closes the open segment. */
  finish(): readonly PartialBatch[] {
    if (this.#records > 0) this.#seal();
    return this.takeSealed();
  }

  /** The start of the segment that holds `offset`; of a message log, its first record says it. */
  #startOf(offset: Offset): Offset {
    return this.#chain !== undefined ? offset : offset - (offset % this.#options.segmentBytes);
  }

  /** Counts the line at `at`; returns the place of its line feed. */
  #line(bytes: Uint8Array, at: number, limit: number, offset: Offset, index: number): number {
    const format = this.#format;
    const tokens = this.#tokens;
    let lineEnd = format.scan(tokens, bytes, at, limit);
    let code: Verdict = FINE;
    if (lineEnd < 0) {
      lineEnd = bytes.indexOf(LINE_FEED, at);
      code = format.parse(tokens, bytes, at, lineEnd);
    }
    if (code === FINE) code = this.#normaliser.normalise(tokens, this.#cells, format.latencyToUs);
    this.#records++;
    if (code === FINE) this.#count(this.#cells);
    else if (code === DROP) this.#dropped++;
    else {
      this.#rejects.add(code, offset);
      lineEnd = bytes.indexOf(LINE_FEED, at);
      this.#rejected?.add(code, { offset, index, at: this.#reference }, bytes, at, lineEnd);
    }
    return lineEnd;
  }

  #value(bytes: Uint8Array, start: number, end: number, offset: Offset): void {
    if (end <= start) {
      this.#records++;
      this.#dropped++;
      return;
    }
    if (end >= bytes.length) {
      // Nothing follows the last value: it alone is copied.
      const copy = new Uint8Array(end - start + 1);
      copy.set(bytes.subarray(start, end));
      this.#value(copy, 0, end - start, offset);
      return;
    }
    bytes[end] = LINE_FEED;
    if (hasElements(bytes, start, end)) {
      this.#elements(bytes, start, end, offset);
      return;
    }
    let at = start;
    for (let index = 0; at < end; index++) at = this.#line(bytes, at, end + 1, offset, index) + 1;
  }

  #elements(bytes: Uint8Array, start: number, end: number, offset: Offset): void {
    let index = 0;
    eachElement(bytes, start, end, (at, elementEnd) => this.#line(bytes, at, elementEnd + 1, offset, index++));
    if (index > 0) return;
    this.#records++;
    if (isClosed(bytes, start, end)) this.#dropped++;
    else {
      this.#rejects.add(TRUNCATED, offset);
      this.#rejected?.add(TRUNCATED, { offset, index: 0, at: this.#reference }, bytes, start, end);
    }
  }

  #count(cells: EventCells): void {
    let { at } = cells;
    if (at < this.#since || at >= this.#until) {
      this.#dropped++;
      return;
    }
    const reference = this.#reference;
    if (reference >= 0) {
      if (at > reference + AHEAD_OF_RECORD_MAX_MS) {
        this.#skewed++;
        at = reference;
        cells.at = at;
      } else if (at < reference - BEHIND_RECORD_MAX_MS) {
        this.#counts.countLate(cells, dayOf(Math.floor(reference / MINUTE_MS)));
        return;
      }
    }
    if (at > this.#newest) this.#newest = at;
    this.#counts.count(cells, Math.floor(at / MINUTE_MS));
  }

  /** Ends and begins segments before record `i`; returns whether the next one must be looked at too. */
  #watch(chain: ChainSegment, block: RecordBlock, i: number): boolean {
    const offset = block.offsets[i] as number;
    if (chain.endsBefore(offset, block.times[i] as number)) {
      this.#next = offset;
      this.#seal();
    }
    // Of a segment that is made anew the start is known, and its first record may be gone.
    if (chain.span === undefined && this.#next >= this.#quietUntil) this.#segmentStart = offset;
    chain.start = this.#segmentStart;
    chain.take(block, i);
    return chain.mayEnd(block, i);
  }

  #seal(): void {
    const next = this.#next;
    if (this.#records > 0) this.#sealed.push(this.#batch(true));
    if (this.#options.sketches === 'segment') this.#sealedTops.push(this.#counts.takeTops());
    // Guesses never come back: to remember them would let anybody fill the memory.
    const isStuffed = this.#counts.refused > GUESSES_MAX;
    this.#counts.clear();
    this.#records = 0;
    this.#recordsFlushed = 0;
    this.#dropped = 0;
    this.#skewed = 0;
    this.#rejects.clear();
    this.#rejected?.nextSegment();
    // Numbers are void after this: nothing of the closed segment refers to them any more.
    if (isStuffed || this.#normaliser.size > this.#limits.dictionary) this.#normaliser.clear();
    this.#segmentStart = this.#startOf(next);
    this.#generation = this.#options.generation;
    this.#chain?.clear(next);
  }

  #batch(isSealed: boolean): PartialBatch {
    const rows = this.#counts.takeRows(isSealed);
    this.#recordsFlushed = this.#records;
    return { ...this.#head(isSealed), ...rows };
  }

  #head(isSealed: boolean): Omit<PartialBatch, 'rows' | 'held' | 'gone' | 'aliases'> {
    const { source, partition } = this.#options;
    return {
      segment: { source, partition, generation: this.#generation, start: this.#segmentStart },
      next: this.#next,
      isSealed,
      rejects: this.#rejects.toJson(),
      dropped: this.#dropped,
      records: this.#records,
      overLimit: this.#counts.overLimit,
      ...(this.#skewed > 0 ? { skewed: this.#skewed } : {}),
      ...(this.#chain?.span === undefined ? {} : { span: this.#chain.span }),
      newest: this.#newest,
    };
  }

  /** Goes on behind what is stored. */
  #goOn(open: OpenSegment): void {
    this.#next = open.next;
    this.#segmentStart = this.#startOf(open.next);
    if (!open.isSealed) this.#restore(open);
  }

  #restore(open: OpenSegment): void {
    this.#generation = open.segment.generation;
    this.#segmentStart = open.segment.start;
    if (this.#chain !== undefined) {
      this.#chain.start = open.segment.start;
      this.#chain.span = open.span ?? { firstAt: -1, length: LENGTH_SINGLE, crc: 0 };
    }
    this.#quietUntil = this.#counts.restore(open);
    this.#rejects.restore(open.rejects);
    this.#records = open.records;
    this.#recordsFlushed = open.records;
    this.#dropped = open.dropped;
    this.#skewed = open.skewed ?? 0;
  }

  /**
   * A segment of an older generation is not left half open: what the store is ahead of it is read under its name, so
   * that nothing is counted in two generations, and then it ends. In a new log nothing of it can be read any more.
   */
  #close(open: OpenSegment): void {
    const from = this.#next;
    this.#restore(open);
    this.#next = open.next;
    if (this.#chain !== undefined && from === open.next && this.#quietUntil > from) {
      this.#chain.closesAt = this.#quietUntil;
      return;
    }
    this.#next = this.#quietUntil;
    this.#sealed.push(this.#batch(true));
    this.#records = 0;
    this.#seal();
    this.#next = from;
    this.#segmentStart = this.#startOf(from);
    this.#quietUntil = 0;
  }
}
