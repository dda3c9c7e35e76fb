import { C, COUNTER_COUNT } from '../../core/counters.ts';
import type { Alias, OpenSegment, PartialBatch, PartialRow } from '../../core/partial.ts';
import { type EntityId, type Minute, type Offset, REFUSED, entityKind } from '../../core/types.ts';
import type { IngestLimits, Step, Steps } from '../ingest-options.ts';
import type { Normaliser } from '../parse/normaliser.ts';
import { OWNER_LATE, OWNER_OTHER_CLIENT, OWNER_OTHER_NETWORK, OWNER_REFUSED, OWNER_REFUSED_SUM } from '../parse/owners.ts';
import type { EventCells } from '../parse/tokens.ts';
import { Gates } from './gates.ts';
import { type SegmentTops, TopCounts } from './segment-tops.ts';
import { Slots } from './slots.ts';
import { ACCEPTED, ANONYMOUS, OVER_LIMIT, REFUSED_ONLY, Standings, UNSEEN } from './standings.ts';

/** Names the row that holds an entity's whole segment; no event can lie in 1970. */
export const SEGMENT_WINDOW: Minute = 0;

/** Held rows that may be put in order at once, see `#inOrder`. */
const HELD_ORDERED_MAX = 2 ** 21;

/** No step: more than a minute can have. */
const STEP_MAX = 0x7fffffff;

/** A count is urgent when it leaves `rest` over `every`. */
type CountStep = { readonly every: number; readonly rest: number };
type AllSteps = { readonly requests: CountStep; readonly failedAuth: CountStep; readonly bytes: Step };
type Gone = PartialBatch['gone'][number];
export type SegmentRows = Pick<PartialBatch, 'rows' | 'held' | 'gone' | 'aliases'>;

/**
 * The counts of one open segment: on whom an event is counted, who is refused and who was let in since, and which
 * rows changed. What it says at a place of the log is a function of the segment up to there and of nothing else, so
 * rows that another owner wrote of the same segment, flushed anywhere, are replaced by the next ones of this.
 */
export class SegmentCounts {
  readonly #normaliser: Normaliser;
  readonly #slots: Slots;
  readonly #standings: Standings;
  readonly #sketches: 'window' | 'segment' | 'none';
  readonly #steps: AllSteps | undefined;
  readonly #gates = new Gates();
  readonly #tops = new TopCounts();
  /** Slots that crossed a step since `takeUrgent`. */
  readonly #urgent = new Set<number>();
  /** Owners that were accepted after being held, since the last rows. */
  readonly #released = new Set<number>();
  readonly #refusedDirty = new Set<Minute>();
  readonly #aliases = new Map<string, Alias>();
  #aliasesNew: Alias[] = [];
  /** Events counted together because the segment held too many entities. */
  overLimit = 0;

  constructor(
    normaliser: Normaliser,
    options: { readonly limits: IngestLimits; readonly sketches: 'window' | 'segment' | 'none'; readonly steps: Steps | undefined },
  ) {
    this.#normaliser = normaliser;
    this.#slots = new Slots(normaliser);
    this.#standings = new Standings(options.limits.entities);
    this.#sketches = options.sketches;
    this.#steps = options.steps && {
      requests: countStep(options.steps.requests),
      failedAuth: countStep(options.steps.failedAuth),
      bytes: options.steps.bytes ?? { limit: 0, every: Number.POSITIVE_INFINITY },
    };
  }

  get bytes(): number {
    return this.#slots.bytes;
  }

  /** Rows that events changed since the last `takeRows`. */
  get changed(): number {
    return this.#slots.changed;
  }

  /** Credentials that were only refused so far. */
  get refused(): number {
    return this.#standings.refused;
  }

  /** Rows came from a store that is ahead of its own segment: tell `position` before each record. */
  get isGated(): boolean {
    return this.#gates.isOn;
  }

  set position(offset: Offset) {
    this.#gates.position = offset;
  }

  count(cells: EventCells, window: Minute): void {
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
      this.overLimit++;
      owner = cells.isCredential ? OWNER_REFUSED : OWNER_OTHER_CLIENT;
    }
    this.#add(owner, window, cells, -1, false);
    if (owner === OWNER_REFUSED || standing === REFUSED_ONLY) {
      this.#refusedDirty.add(window);
      if (this.#sketches === 'segment') this.#refusedDirty.add(SEGMENT_WINDOW);
    }
    if (isRefused || cells.status === 403) this.#countFailure(cells, window);
    if (cells.alias >= 0) this.#alias(cells.owner, cells.alias);
  }

  /** Too late to change its own window: part of the total, and of nothing else. */
  countLate(cells: EventCells, day: Minute): void {
    this.#add(OWNER_LATE, day, cells, -1, false);
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
    if (this.#gates.isOn && this.#gates.holds(slot)) return;
    slots.count(slot, cells);
    // A network's attempted credentials are judged by the minute, whatever the shape.
    if (this.#sketches === 'window' || (isNetwork && this.#sketches !== 'none')) slots.sketch(slot, cells, attempted);
    if (this.#steps !== undefined) this.#step(slot, cells, this.#steps);
    if (this.#sketches !== 'segment') return;
    if (isNetwork) slots.sketch(slots.whole(owner), cells, attempted);
    else {
      slots.sketchAddress(slots.whole(owner), cells);
      this.#tops.count(cells);
    }
  }

  /** Requests as integers, as the remainder of doubles is slow; no minute has 2^31. */
  #step(slot: number, cells: EventCells, { requests, failedAuth, bytes: { limit, every } }: AllSteps): void {
    const { counters } = this.#slots;
    const base = slot * COUNTER_COUNT;
    if (isUrgent(counters[base] as number, requests)) this.#urgent.add(slot);
    else if ((cells.status === 401 || cells.status === 403) && isUrgent(counters[base + C.failedAuth] as number, failedAuth)) this.#urgent.add(slot);
    else {
      const bytes = (cells.bytesIn > 0 ? cells.bytesIn : 0) + (cells.bytesOut > 0 ? cells.bytesOut : 0);
      if (bytes === 0) return;
      const over = (counters[base + C.bytesIn] as number) + (counters[base + C.bytesOut] as number) - limit;
      if (Math.ceil(over / every) !== Math.ceil((over - bytes) / every)) this.#urgent.add(slot);
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

  /** Rows that crossed a step since the last call, as they are now; they stay among those that changed. */
  takeUrgent(): readonly PartialRow[] {
    if (this.#urgent.size === 0) return [];
    const slots = this.#slots;
    const { ids } = this.#normaliser.owners;
    const rows: PartialRow[] = [];
    for (const slot of this.#urgent) {
      const owner = slots.owner[slot] as number;
      if (this.#isHeld(owner) || owner === OWNER_LATE) continue;
      rows.push({ window: slots.window[slot] as number, entity: ids[owner] as EntityId, cells: slots.encode(slot) });
    }
    this.#urgent.clear();
    return rows;
  }

  #isHeld(owner: number): boolean {
    return owner === OWNER_REFUSED || this.#standings.of(owner) === REFUSED_ONLY;
  }

  /** What changed since the last call. */
  takeRows(isSealed: boolean): SegmentRows {
    const rows: PartialRow[] = [];
    const held: PartialRow[] = [];
    const gone: Gone[] = [];
    const slots = this.#slots;
    const { ids } = this.#normaliser.owners;
    if (this.#released.size > 0) this.#release(gone);
    if (this.#sketches === 'segment') slots.addUpWhole();
    const size = slots.size;
    slots.changed = 0;
    for (let slot = 0; slot < size; slot++) {
      if (slots.isDirty[slot] === 0) continue;
      slots.isDirty[slot] = 0;
      const owner = slots.owner[slot] as number;
      if (owner === OWNER_REFUSED_SUM) continue;
      const isHeld = this.#isHeld(owner);
      if (isHeld && isSealed) continue;
      (isHeld ? held : rows).push({ window: slots.window[slot] as number, entity: ids[owner] as EntityId, cells: slots.encode(slot) });
    }
    if (this.#refusedDirty.size > 0) this.#addUpRefused(rows, gone);
    const aliases = this.#aliasesNew;
    this.#aliasesNew = [];
    return { rows, held, gone, aliases };
  }

  /** With sketches per segment: routes, agents and latencies as a whole. Before `clear`. */
  takeTops(): SegmentTops {
    return this.#tops.take(this.#normaliser);
  }

  /** The next segment begins. */
  clear(): void {
    this.#slots.clear();
    this.#standings.clear();
    this.#gates.clear();
    this.#urgent.clear();
    this.#released.clear();
    this.#refusedDirty.clear();
    this.#aliases.clear();
    this.overLimit = 0;
  }

  /**
   * Credentials that were held and have now succeeded get rows of their own, in every window of the segment. That they
   * are held no more is told whether this owner said so or not: another one may have.
   */
  #release(gone: Gone[]): void {
    const slots = this.#slots;
    const { ids } = this.#normaliser.owners;
    for (let slot = 0; slot < slots.size; slot++) {
      const owner = slots.owner[slot] as number;
      if (!this.#released.has(owner)) continue;
      const window = slots.window[slot] as number;
      slots.isDirty[slot] = 1;
      this.#refusedDirty.add(window);
      gone.push({ window, entity: ids[owner] as EntityId, isHeld: true });
    }
    this.#released.clear();
  }

  /** The `refused` rows of the windows that changed: what is over the limit plus every credential that is still held. */
  #addUpRefused(rows: PartialRow[], gone: Gone[]): void {
    const slots = this.#slots;
    const sums = new Map<Minute, number>();
    for (const window of this.#refusedDirty) {
      const sum = slots.slot(OWNER_REFUSED_SUM, window);
      slots.reset(sum);
      sums.set(window, sum);
    }
    for (const slot of this.#inOrder(sums)) slots.merge(sums.get(slots.window[slot] as number) as number, slot);
    for (const [window, sum] of sums) {
      if (slots.counters[sum * COUNTER_COUNT] === 0) gone.push({ window, entity: REFUSED, isHeld: false });
      else rows.push({ window, entity: REFUSED, cells: slots.encode(sum) });
    }
    this.#refusedDirty.clear();
  }

  /**
   * The held slots of some windows by the hash of their names: sums over many values depend on the order, and the one in
   * which they came is not known after a store was left half written. Two of one hash may change places.
   */
  #inOrder(windows: ReadonlyMap<Minute, number>): readonly number[] {
    const slots = this.#slots;
    const { hi } = this.#normaliser.owners;
    const found: number[] = [];
    for (let slot = 0; slot < slots.size; slot++) {
      const owner = slots.owner[slot] as number;
      if (owner !== OWNER_REFUSED_SUM && this.#isHeld(owner) && windows.has(slots.window[slot] as number)) found.push(slot);
    }
    if (found.length < 2 || found.length > HELD_ORDERED_MAX) return found;
    // One number holds both: typed numbers are sorted without a comparator.
    const keys = new Float64Array(found.length);
    for (let i = 0; i < found.length; i++) keys[i] = ((hi[slots.owner[found[i] as number] as number] as number) >>> 0) * HELD_ORDERED_MAX + i;
    keys.sort();
    return Array.from(keys, (key) => found[key % HELD_ORDERED_MAX] as number);
  }

  /**
   * Goes on where a stored segment is. A row that is ahead of it is told apart by its own `next`: what lies before that is
   * in it already. Returns the place from which on every row is as if nothing had happened; nothing may be taken before.
   */
  restore(open: OpenSegment): Offset {
    const { owners } = this.#normaliser;
    const slots = this.#slots;
    const gates = this.#gates;
    gates.begin(open.next);
    // Whoever has a row of its own was let in, whatever is still held of it.
    const accepted = new Set(open.rows.map((row) => row.entity));
    for (const row of open.held) {
      const owner = row.entity === REFUSED ? OWNER_REFUSED : owners.restore(row.entity);
      const slot = slots.slot(owner, row.window);
      slots.restore(slot, row.cells);
      gates.set(slot, row.next);
      if (owner === OWNER_REFUSED || this.#standings.of(owner) !== UNSEEN) continue;
      const isAccepted = accepted.has(row.entity);
      this.#standings.meet(owner, isAccepted ? ACCEPTED : REFUSED_ONLY);
      if (isAccepted) this.#released.add(owner);
    }
    for (const row of open.rows) {
      if (row.entity === REFUSED) {
        // Added up again from what is held.
        gates.reach(row.next);
        continue;
      }
      const owner = owners.restore(row.entity);
      const slot = slots.slot(owner, row.window);
      slots.reset(slot);
      slots.restore(slot, row.cells);
      gates.set(slot, row.next);
      this.#meetAgain(owner, row.entity);
    }
    if (gates.isOn) for (const row of [...open.rows.filter(({ entity }) => entity === REFUSED), ...open.held]) this.#refusedDirty.add(row.window);
    this.overLimit = open.overLimit ?? 0;
    return gates.horizon;
  }

  #meetAgain(owner: number, entity: EntityId): void {
    const standings = this.#standings;
    if (standings.of(owner) !== UNSEEN || owner === OWNER_OTHER_CLIENT || owner === OWNER_OTHER_NETWORK || owner === OWNER_LATE) return;
    const kind = entityKind(entity);
    if (kind === 'network') standings.meetNetwork(owner);
    else standings.meet(owner, kind === 'key' || kind === 'user' ? ACCEPTED : ANONYMOUS);
  }
}

function countStep({ limit, every }: Step = { limit: 0, every: STEP_MAX }): CountStep {
  return { every, rest: (limit + 1) % every };
}

/** The first events of every row are many, and say nothing. */
function isUrgent(count: number, { every, rest }: CountStep): boolean {
  return (count | 0) % (every | 0) === rest && count > every;
}
