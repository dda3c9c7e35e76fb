import { COUNTER_COUNT } from '../core/counters.ts';
import type { Alias, OpenSegment, PartialBatch, PartialRow } from '../core/partial.ts';
import { REFUSED, type EntityId, type EpochMs, type Minute, type Offset, entityKind } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';
import { RejectCounts } from './aggregate/reject-counts.ts';
import { type SegmentTops, TopCounts } from './aggregate/segment-tops.ts';
import { Slots } from './aggregate/slots.ts';
import { DEFAULT_LIMITS, type IngestLimits, type PartitionIngestOptions } from './ingest-options.ts';
import type { Format } from './parse/format.ts';
import { ACCEPTED, ANONYMOUS, OVER_LIMIT, REFUSED_ONLY, Standings, UNSEEN } from './aggregate/standings.ts';
import { withLineFeed } from './parse/line-feed.ts';
import { type Verdict, type Normaliser, DROP, FINE, fault } from './parse/normaliser.ts';
import { OWNER_OTHER_CLIENT, OWNER_OTHER_NETWORK, OWNER_REFUSED, OWNER_REFUSED_SUM } from './parse/owners.ts';
import { EventCells, Tokens } from './parse/tokens.ts';

/** Names the row that holds an entity's whole segment; no event can lie in 1970. */
export const SEGMENT_WINDOW: Minute = 0;

/** A segment with more refused credentials empties the dictionaries at its end. */
const GUESSES_MAX = 1 << 14;

const LINE_TOO_LONG = fault('line_too_long');

/**
 * One partition's bytes in, partial batches out. Pure and synchronous: no I/O, no clock, so what it makes is
 * a function of the log alone, wherever it is cut, stopped and resumed.
 */
export class PartitionIngest {
  readonly #options: PartitionIngestOptions;
  readonly #format: Format;
  readonly #normaliser: Normaliser;
  readonly #limits: IngestLimits;
  readonly #slots: Slots;
  readonly #tokens = new Tokens();
  readonly #cells = new EventCells();
  readonly #sketches: 'window' | 'segment' | 'none';
  readonly #since: number;
  readonly #until: number;
  #segmentStart: Offset;
  #next: Offset;
  #records = 0;
  #dropped = 0;
  #overLimit = 0;
  #newest: EpochMs = 0;
  readonly #rejects = new RejectCounts();
  #recordsFlushed = 0;
  readonly #standings: Standings;
  /** Owners that were accepted after being held, since the last flush. */
  #released = new Set<number>();
  #heldWritten = new Set<number>();
  #refusedWritten = new Set<Minute>();
  #refusedDirty = new Set<Minute>();
  #aliases = new Map<string, Alias>();
  #aliasesNew: Alias[] = [];
  #sealed: PartialBatch[] = [];
  readonly #tops = new TopCounts();
  #sealedTops: SegmentTops[] = [];

  constructor(options: PartitionIngestOptions) {
    this.#options = options;
    this.#format = options.format;
    this.#normaliser = options.normaliser;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#standings = new Standings(this.#limits.entities);
    this.#slots = new Slots(options.normaliser);
    this.#sketches = options.sketches ?? 'window';
    options.normaliser.isLean = this.#sketches === 'none';
    this.#since = options.since ?? Number.NEGATIVE_INFINITY;
    this.#until = options.until ?? Number.POSITIVE_INFINITY;
    this.#next = options.resume?.next ?? 0;
    this.#newest = options.resume?.newest ?? 0;
    this.#segmentStart = this.#cellOf(this.#next);
    if (options.resume !== undefined && !options.resume.isSealed) this.#restore(options.resume);
  }

  /** Everything before is counted. */
  get next(): Offset {
    return this.#next;
  }

  /** Lines that start here or later begin another segment. */
  get segmentEnd(): Offset {
    return this.#segmentStart + this.#options.segmentBytes;
  }

  /** Nothing of the open segment was counted yet. */
  get isEmpty(): boolean {
    return this.#records === 0;
  }

  get newest(): EpochMs {
    return this.#newest;
  }

  /** Bytes held for the open segment. */
  get bytes(): number {
    return this.#slots.bytes;
  }

  /** Starts in the middle of a log (a thread's share of a file). Only before the first block. */
  startAt(offset: Offset): void {
    this.#next = offset;
    this.#segmentStart = this.#cellOf(offset);
  }

  /** Counts the whole lines in `lines`, whose first byte is at `offset`. Lines below `next` were counted before and are passed over. A rejected line ends at its first line feed, whatever a scanner took for its end. */
  block(lines: Uint8Array, offset: Offset): void {
    const bytes = withLineFeed(lines);
    const limit = bytes.length;
    let at = offset < this.#next ? this.#next - offset : 0;
    const format = this.#format;
    const tokens = this.#tokens;
    const cells = this.#cells;
    const normaliser = this.#normaliser;
    const { latencyToUs } = format;
    let boundary = this.#segmentStart + this.#options.segmentBytes - offset;
    while (at < limit) {
      if (at >= boundary) {
        this.#next = offset + at;
        this.#seal();
        boundary = this.#segmentStart + this.#options.segmentBytes - offset;
      }
      let lineEnd = format.scan(tokens, bytes, at, limit);
      let code: Verdict = FINE;
      if (lineEnd < 0) {
        lineEnd = bytes.indexOf(10, at);
        code = format.parse(tokens, bytes, at, lineEnd);
      }
      if (code === FINE) code = normaliser.normalise(tokens, cells, latencyToUs);
      if (code === FINE) this.#count(cells);
      else if (code === DROP) this.#dropped++;
      else {
        this.#rejects.add(code, offset + at);
        lineEnd = bytes.indexOf(10, at);
      }
      this.#records++;
      at = lineEnd + 1;
    }
    const end = offset + lines.length;
    if (end > this.#next) this.#next = end;
  }

  /** A line of `[offset, offset + length)` was longer than the limit and is passed over. */
  oversized(offset: Offset, length: number): void {
    if (offset < this.#next) return;
    if (offset >= this.#segmentStart + this.#options.segmentBytes) {
      this.#next = offset;
      this.#seal();
    }
    this.#rejects.add(LINE_TOO_LONG, offset);
    this.#records++;
    this.#next = offset + length;
  }

  /** With sketches per segment: routes, agents and latencies of everything since the last call, as a whole. After `takeSealed` or `finish`. */
  takeTops(): readonly SegmentTops[] {
    const tops = this.#sealedTops;
    this.#sealedTops = [];
    return tops;
  }

  /** Batches of segments that ended, oldest first. */
  takeSealed(): readonly PartialBatch[] {
    const sealed = this.#sealed;
    this.#sealed = [];
    return sealed;
  }

  /** What changed since the last flush; undefined when no record came, unless the position itself must be stored. */
  flush(isForced = false): PartialBatch | undefined {
    if (this.#records === this.#recordsFlushed && !isForced) return undefined;
    return this.#batch(false);
  }

  /** The log ended: closes the open segment. */
  finish(): readonly PartialBatch[] {
    if (this.#records > 0) this.#seal();
    return this.takeSealed();
  }

  #cellOf(offset: Offset): Offset {
    return offset - (offset % this.#options.segmentBytes);
  }

  #count(cells: EventCells): void {
    const at = cells.at;
    if (at < this.#since || at >= this.#until) {
      this.#dropped++;
      return;
    }
    if (at > this.#newest) this.#newest = at;
    const window = Math.floor(at / MINUTE_MS);
    const isRefused = cells.status === 401;
    const standings = this.#standings;
    let { owner } = cells;
    let standing = standings.of(owner);
    if (standing === UNSEEN) standing = standings.meet(owner, !cells.isCredential ? ANONYMOUS : isRefused ? REFUSED_ONLY : ACCEPTED);
    else if (standing === REFUSED_ONLY && !isRefused) {
      standings.accept(owner);
      this.#released.add(owner);
      standing = ACCEPTED;
    }
    if (standing === OVER_LIMIT) {
      this.#overLimit++;
      owner = cells.isCredential ? OWNER_REFUSED : OWNER_OTHER_CLIENT;
    }
    this.#add(owner, window, cells, -1, false);
    if (owner === OWNER_REFUSED || standing === REFUSED_ONLY) {
      this.#refusedDirty.add(window);
      if (this.#sketches === 'segment') this.#refusedDirty.add(SEGMENT_WINDOW);
    }
    if (cells.status === 401 || cells.status === 403) this.#countFailure(cells, window);
    if (cells.alias >= 0) this.#alias(cells.owner, cells.alias);
  }

  /** Failed authentication is counted a second time, on the client's network. */
  #countFailure(cells: EventCells, window: Minute): void {
    if (cells.address === 0) return;
    const normaliser = this.#normaliser;
    const number = normaliser.networkNumber(cells.address);
    const terms = normaliser.networks;
    let network = normaliser.owners.network(terms.hi[number] as number, terms.lo[number] as number, terms.texts[number] ?? '');
    if (!this.#standings.meetNetwork(network)) network = OWNER_OTHER_NETWORK;
    this.#add(network, window, cells, cells.isCredential ? cells.owner : -1, true);
  }

  #add(owner: number, window: Minute, cells: EventCells, attempted: number, isNetwork: boolean): void {
    const slots = this.#slots;
    const slot = slots.slot(owner, window);
    slots.count(slot, cells);
    // A network's attempted credentials are judged by the minute, whatever the shape.
    if (this.#sketches === 'window' || (isNetwork && this.#sketches !== 'none')) slots.sketch(slot, cells, attempted);
    if (this.#sketches !== 'segment') return;
    if (isNetwork) slots.sketch(slots.whole(owner), cells, attempted);
    else {
      slots.sketchAddress(slots.whole(owner), cells);
      this.#tops.count(cells);
    }
  }

  #alias(owner: number, fingerprint: number): void {
    const { ids } = this.#normaliser.owners;
    const credential = ids[owner] as EntityId;
    const name = `${credential}\n${ids[fingerprint] as EntityId}`;
    if (this.#aliases.has(name)) return;
    const alias = { credential, fingerprint: ids[fingerprint] as EntityId };
    this.#aliases.set(name, alias);
    this.#aliasesNew.push(alias);
  }

  #seal(): void {
    const next = this.#next;
    if (this.#records > 0) this.#sealed.push(this.#batch(true));
    if (this.#sketches === 'segment') this.#sealedTops.push(this.#tops.take(this.#normaliser));
    // Guesses never come back: to remember them would let anybody fill the memory.
    const isStuffed = this.#standings.refused > GUESSES_MAX;
    this.#slots.clear();
    this.#standings.clear();
    this.#released.clear();
    this.#heldWritten.clear();
    this.#refusedWritten.clear();
    this.#refusedDirty.clear();
    this.#aliases.clear();
    this.#records = 0;
    this.#recordsFlushed = 0;
    this.#dropped = 0;
    this.#overLimit = 0;
    this.#rejects.clear();
    // Numbers are void after this: nothing of the closed segment refers to them any more.
    if (isStuffed || this.#normaliser.size > this.#limits.dictionary) this.#normaliser.clear();
    this.#segmentStart = this.#cellOf(next);
    this.#next = next;
  }

  #batch(isSealed: boolean): PartialBatch {
    const rows: PartialRow[] = [];
    const held: PartialRow[] = [];
    const gone: PartialBatch['gone'][number][] = [];
    const slots = this.#slots;
    const { ids } = this.#normaliser.owners;
    if (this.#released.size > 0) this.#release(gone);
    if (this.#sketches === 'segment') slots.addUpWhole();
    const size = slots.size;
    for (let slot = 0; slot < size; slot++) {
      if (slots.isDirty[slot] === 0) continue;
      slots.isDirty[slot] = 0;
      const owner = slots.owner[slot] as number;
      if (owner === OWNER_REFUSED_SUM) continue;
      const isHeld = owner === OWNER_REFUSED || this.#standings.of(owner) === REFUSED_ONLY;
      if (isHeld && isSealed) continue;
      const row = { window: slots.window[slot] as number, entity: ids[owner] as EntityId, cells: slots.encode(slot) };
      if (isHeld) {
        held.push(row);
        this.#heldWritten.add(slot);
      } else rows.push(row);
    }
    if (this.#refusedDirty.size > 0) this.#addUpRefused(rows, gone);
    this.#recordsFlushed = this.#records;
    const aliases = this.#aliasesNew;
    this.#aliasesNew = [];
    const { source, partition, generation } = this.#options;
    return {
      segment: { source, partition, generation, start: this.#segmentStart },
      next: this.#next,
      isSealed,
      rows,
      held,
      gone,
      aliases,
      rejects: this.#rejects.toJson(),
      dropped: this.#dropped,
      records: this.#records,
      overLimit: this.#overLimit,
      newest: this.#newest,
    };
  }

  /** Credentials that were held and have now succeeded get rows of their own, in every window of the segment. */
  #release(gone: PartialBatch['gone'][number][]): void {
    const slots = this.#slots;
    const { ids } = this.#normaliser.owners;
    for (let slot = 0; slot < slots.size; slot++) {
      const owner = slots.owner[slot] as number;
      if (!this.#released.has(owner)) continue;
      const window = slots.window[slot] as number;
      slots.isDirty[slot] = 1;
      this.#refusedDirty.add(window);
      if (this.#heldWritten.delete(slot)) gone.push({ window, entity: ids[owner] as EntityId, isHeld: true });
    }
    this.#released.clear();
  }

  /** The `refused` rows of the windows that changed: what is over the limit plus every credential that is still held, in log order. */
  #addUpRefused(rows: PartialRow[], gone: PartialBatch['gone'][number][]): void {
    const slots = this.#slots;
    const sums = new Map<Minute, number>();
    for (const window of this.#refusedDirty) {
      const sum = slots.slot(OWNER_REFUSED_SUM, window);
      slots.reset(sum);
      sums.set(window, sum);
    }
    const size = slots.size;
    for (let slot = 0; slot < size; slot++) {
      const owner = slots.owner[slot] as number;
      if (owner !== OWNER_REFUSED && (owner === OWNER_REFUSED_SUM || this.#standings.of(owner) !== REFUSED_ONLY)) continue;
      const sum = sums.get(slots.window[slot] as number);
      if (sum !== undefined) slots.merge(sum, slot);
    }
    for (const [window, sum] of sums) {
      if (slots.counters[sum * COUNTER_COUNT] === 0) {
        if (this.#refusedWritten.delete(window)) gone.push({ window, entity: REFUSED, isHeld: false });
        continue;
      }
      this.#refusedWritten.add(window);
      rows.push({ window, entity: REFUSED, cells: slots.encode(sum) });
    }
    this.#refusedDirty.clear();
  }

  #restore(open: OpenSegment): void {
    const { owners } = this.#normaliser;
    const slots = this.#slots;
    this.#segmentStart = open.segment.start;
    for (const row of open.held) {
      const owner = row.entity === REFUSED ? OWNER_REFUSED : owners.restore(row.entity);
      const slot = slots.slot(owner, row.window);
      slots.restore(slot, row.cells);
      this.#heldWritten.add(slot);
      if (owner !== OWNER_REFUSED && this.#standings.of(owner) === UNSEEN) this.#standings.meet(owner, REFUSED_ONLY);
    }
    for (const row of open.rows) {
      if (row.entity === REFUSED) {
        this.#refusedWritten.add(row.window);
        continue;
      }
      const owner = owners.restore(row.entity);
      slots.restore(slots.slot(owner, row.window), row.cells);
      if (this.#standings.of(owner) !== UNSEEN || owner === OWNER_OTHER_CLIENT || owner === OWNER_OTHER_NETWORK) continue;
      const kind = entityKind(row.entity);
      if (kind === 'network') this.#standings.meetNetwork(owner);
      else this.#standings.meet(owner, kind === 'key' || kind === 'user' ? ACCEPTED : ANONYMOUS);
    }
    this.#rejects.restore(open.rejects);
    this.#records = open.records;
    this.#recordsFlushed = open.records;
    this.#dropped = open.dropped;
    this.#overLimit = open.overLimit ?? 0;
  }
}
