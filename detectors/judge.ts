import type { KeyDirectory } from '../core/directory.ts';
import type { Evaluation } from '../core/finding.ts';
import type { OpenSegment, PartialBatch } from '../core/partial.ts';
import type { Detector, StoredPartial, StoredWindow } from '../core/ports.ts';
import { type EntityId, type EpochMs, LATE, type Minute, REFUSED } from '../core/types.ts';
import { MINUTE_MS, minuteOf, startOf } from '../core/window.ts';
import { Assessor, SILENT, isBreach, passes, quiet } from './assess.ts';
import { Changes } from './changes.ts';
import { OTHER_CLIENT, subjectOf } from './ledger/entity-table.ts';
import { AheadMinutes } from './ledger/ahead-minutes.ts';
import { Ledger } from './ledger/ledger.ts';
import { type OwnerRowsReading, ownerRows } from './ledger/owner-rows.ts';
import { LATE_MINUTES } from './ledger/state.ts';
import { Limits } from './limits.ts';
import { RULES } from './registry.ts';
import { readRow } from './rows.ts';
import type { ThresholdRule } from './rule.ts';
import { seedLedger } from './seed.ts';
import { WatchList, keyOf } from './watch-list.ts';

/** Windows further ahead of the wall clock are not judged: some clock is wrong. */
export const AHEAD_MAX_MS = 2 * MINUTE_MS;
/** Packed rows kept for explanations: an hour of 10,000 busy keys. Beyond it the oldest minutes go first. */
const EVIDENCE_BYTES_MAX = 96 * 1024 * 1024;

/** Told the value of a rule on every entity and closed window in which it is not 0 (and enough for the rule). */
export type ValueObserver = (rule: string, entity: EntityId, minute: Minute, value: number) => void;

export type JudgeOptions = {
  readonly directory: KeyDirectory;
  /** Ids of the rules that judge; default all. */
  readonly rules?: readonly string[] | undefined;
  readonly observer?: ValueObserver | undefined;
  readonly evidenceBytesMax?: number | undefined;
  /** Whether `takeChanged` is asked for; default no, so that nothing is remembered for nobody. */
  readonly tracksChanges?: boolean | undefined;
};

export type SeedInput = {
  /** Windows before it were judged and their findings are durable. */
  readonly judgedThrough: Minute;
} & (
  | {
      /** Merged minutes from `seedFrom(judgedThrough)` to now plus two minutes, in time order. Nobody may write meanwhile. */
      readonly windows: AsyncIterable<StoredWindow>;
      /** The newest segment of every partition (`MetricStore.resume`): its rows are in the windows and will come again, grown. */
      readonly open: readonly OpenSegment[];
    }
  /** The rows themselves of the same stretch, in time order, each of its own segment and as old as it says: others may write meanwhile, and whatever is delivered again changes nothing. */
  | {
      readonly partials: AsyncIterable<StoredPartial>;
      /** Rows from this minute on lie ahead of the clock, as those of a batch may; default none do. */
      readonly until?: Minute;
    }
);

export type JudgeStats = {
  readonly entities: number;
  readonly cells: number;
  readonly segments: number;
  readonly evidenceBytes: number;
  /** Rows not judged: their window lay ahead of the clock, or was closed for too long. */
  readonly ahead: number;
  readonly tooLate: number;
  readonly closedThrough: Minute | undefined;
};

export interface Judge extends Detector {
  /** Before the first batch: rebuilds the last hour from the store. Windows from `judgedThrough` on are judged by the next `advance`. */
  seed(input: SeedInput): Promise<void>;
  /** The directory with more aliases and the same inventory. Call it before the batch that brought them is observed. */
  learn(directory: KeyDirectory): void;
  /** Another inventory, other limits: every owner, limit and sum afresh. */
  reload(directory: KeyDirectory): void;
  /** The packed rows of a minute by who is judged for them, or those of `owners`; undefined where they are not all held any more. */
  rowsOf(minute: Minute, owners?: ReadonlySet<EntityId> | 'all'): OwnerRowsReading | undefined;
  /**
   * Closed minutes that changed since the last call, with whose rows did: also what came too late to be judged. An
   * owner may have nothing there any more. Empty without `tracksChanges`.
   */
  takeChanged(): ReadonlyMap<Minute, ReadonlySet<EntityId>>;
  stats(): JudgeStats;
}

/** The thresholds over merged partials. Deterministic: findings of closed windows do not depend on how the input was cut into batches. */
export function createJudge(options: JudgeOptions): Judge {
  return new ThresholdJudge(options);
}

class ThresholdJudge implements Judge {
  readonly #rules: readonly ThresholdRule[];
  readonly #limits: Limits;
  readonly #ledger: Ledger;
  readonly #assessor: Assessor;
  readonly #observer: ValueObserver | undefined;
  /** Breaches since the last advance: their alerts are not in its `watched` yet. */
  readonly #recent = new WatchList();
  /** Live findings by minute, so that each is made once. */
  readonly #fired = new Map<Minute, Set<string>>();
  /** What seeding judged: told by the next advance. */
  #pending: Evaluation[] = [];
  /** Cells of closed minutes that late partials changed. */
  #late: number[] = [];
  readonly #changes: Changes;
  /** Minutes of which rows came too early to be held. */
  readonly #aheadMinutes = new AheadMinutes();
  #ahead = 0;
  #tooLate = 0;

  constructor(options: JudgeOptions) {
    const { rules } = options;
    const unknown = rules?.filter((id) => !RULES.some((rule) => rule.id === id)) ?? [];
    if (unknown.length > 0) throw new Error(`no such rule: ${unknown.join(', ')}; there are ${RULES.map((rule) => rule.id).join(', ')}`);
    this.#rules = RULES.filter((rule) => rules === undefined || rules.includes(rule.id));
    this.#limits = new Limits(options.directory, this.#rules);
    this.#observer = options.observer;
    this.#ledger = new Ledger({
      // What overflowed is one thing, whatever the ingester calls the parts.
      canonical: (id) => (id === OTHER_CLIENT ? REFUSED : this.#directory.canonical(id)),
      limitsOf: (id) => this.#limits.numberOf(id),
      evidenceBytesMax: options.evidenceBytesMax ?? EVIDENCE_BYTES_MAX,
    });
    this.#changes = new Changes(options.tracksChanges ?? false, this.#ledger);
    this.#assessor = new Assessor(this.#ledger.state, this.#ledger.walk);
  }

  get #directory(): KeyDirectory {
    return this.#limits.directory;
  }

  observe(batch: PartialBatch, now: EpochMs): readonly Evaluation[] {
    const { segments } = this.#ledger.state;
    if (segments.isStored(batch.segment, batch.next)) return [];
    for (const { credential, fingerprint } of batch.aliases) {
      for (const name of [credential, fingerprint]) this.#changes.relinking(name, this.#directory.canonical(name), () => this.#ledger.relink(name));
    }
    const segment = segments.number(batch.segment);
    const version = batch.next;
    for (const { window, entity, isHeld } of batch.gone) {
      if (!isJudged(entity, isHeld)) this.#changes.noteUnjudged(window, entity, isHeld);
      else if (this.#takes(window, now, entity)) this.#ledger.put({ segment, version, minute: window, entity, counters: undefined });
    }
    for (const rows of [batch.rows, batch.held]) {
      for (const row of rows) {
        if (!isJudged(row.entity, rows === batch.held)) this.#changes.noteUnjudged(row.window, row.entity, rows === batch.held);
        else if (this.#takes(row.window, now, row.entity)) this.#ledger.put(readRow(row, segment, version, this.#directory));
      }
    }
    segments.settle(segment);
    return this.#judgeTouched();
  }

  advance(
    watermark: EpochMs,
    watched: ReadonlyMap<EntityId, ReadonlySet<string>>,
  ): { readonly evaluations: readonly Evaluation[]; readonly closedThrough: Minute } {
    const evaluations = [...this.#pending, ...this.#judgeLate()];
    this.#pending = [];
    const { state } = this.#ledger;
    const target = Number.isFinite(watermark) ? minuteOf(watermark) : 0;
    const open = state.minutes.open();
    let closed = state.closedThrough ?? Math.min(open[0] ?? target, target);
    if (closed < target) {
      for (const [entity, rules] of watched) for (const rule of rules) this.#recent.add(rule, this.#directory.canonical(entity));
      let next = 0;
      while (closed < target) {
        while ((open[next] ?? target) < closed) next++;
        const isNothingHeld = state.minutes.isSettled && this.#recent.size === 0;
        if (isNothingHeld) closed = Math.min(open[next] ?? target, target);
        if (closed < target) this.#closeMinute(closed++, evaluations);
      }
      state.closedThrough = Math.max(closed, state.closedThrough ?? closed);
      this.#recent.clear();
    } else if (state.closedThrough === undefined && target > 0) state.closedThrough = target;
    return { evaluations, closedThrough: state.closedThrough ?? 0 };
  }

  async seed(input: SeedInput): Promise<void> {
    await seedLedger(this.#ledger, this.#directory, input, {
      judge: (minute) => this.#closeMinute(minute, this.#pending),
      ahead: (minute) => this.#aheadMinutes.add(minute),
    });
    this.#ledger.takeTouched();
  }

  learn(directory: KeyDirectory): void {
    this.#limits.directory = directory;
  }

  reload(directory: KeyDirectory): void {
    this.#limits.directory = directory;
    this.#ledger.refresh();
  }

  rowsOf(minute: Minute, owners: ReadonlySet<EntityId> | 'all' = 'all'): OwnerRowsReading | undefined {
    const { state } = this.#ledger;
    // What came too early or too late for this minute was not taken in.
    const isWhole = minute >= (state.closedThrough ?? minute) - LATE_MINUTES && !this.#aheadMinutes.has(minute);
    return isWhole ? ownerRows(state, minute, owners) : undefined;
  }

  takeChanged(): ReadonlyMap<Minute, ReadonlySet<EntityId>> {
    return this.#changes.take();
  }

  stats(): JudgeStats {
    const { table, cells, segments, minutes, closedThrough } = this.#ledger.state;
    return {
      entities: table.size,
      cells: cells.count,
      segments: segments.size,
      evidenceBytes: minutes.evidenceBytes,
      ahead: this.#ahead,
      tooLate: this.#tooLate,
      closedThrough,
    };
  }

  /** Whether a window is judged at all. What is left out is in the store all the same. */
  #takes(minute: Minute, now: EpochMs, entity: EntityId): boolean {
    if (startOf(minute) > now + AHEAD_MAX_MS) {
      this.#ahead++;
      this.#aheadMinutes.add(minute);
      return false;
    }
    const { closedThrough } = this.#ledger.state;
    if (closedThrough !== undefined && minute < closedThrough - LATE_MINUTES) {
      this.#tooLate++;
      this.#changes.note(minute, this.#directory.canonical(entity));
      return false;
    }
    return true;
  }

  /** Looks at what a batch changed: open minutes for what cannot un-breach, closed ones are judged again by the next advance. */
  #judgeTouched(): Evaluation[] {
    const { state } = this.#ledger;
    const evaluations: Evaluation[] = [];
    const seen = new Set<string>();
    for (const cell of this.#ledger.takeTouched()) {
      const minute = state.cells.minute[cell] as number;
      if (state.isClosed(minute)) {
        this.#late.push(cell);
        this.#changes.note(minute, state.table.id(state.ownerOf(cell)));
        continue;
      }
      const owner = state.ownerOf(cell);
      if (!this.#mayBreachLive(owner)) continue;
      const pair = `${owner} ${minute}`;
      if (seen.has(pair)) continue;
      seen.add(pair);
      this.#judgeLive(owner, minute, evaluations);
    }
    return evaluations;
  }

  #mayBreachLive(owner: number): boolean {
    const set = this.#ledger.state.table.limits[owner] as number;
    return this.#rules.some((rule, index) => rule.isMonotone && passes(rule, this.#assessor.bound(rule, owner), this.#limits.levels(set, index).critical));
  }

  #judgeLive(owner: number, minute: Minute, evaluations: Evaluation[]): void {
    const { table } = this.#ledger.state;
    const entity = table.id(owner);
    this.#rules.forEach((rule, index) => {
      const levels = this.#limits.levels(table.limits[owner] as number, index);
      if (!rule.isMonotone || !passes(rule, this.#assessor.bound(rule, owner), levels.critical)) return;
      const pair = keyOf(rule.id, entity);
      if (this.#fired.get(minute)?.has(pair) === true) return;
      const measure = this.#assessor.any(rule, owner, minute);
      if (!passes(rule, measure.value, levels.critical)) return;
      this.#fired.set(minute, (this.#fired.get(minute) ?? new Set<string>()).add(pair));
      this.#recent.add(rule.id, entity);
      evaluations.push(this.#assessor.breach({ rule, levels, owner, minute, measure, isLive: true, directory: this.#directory }));
    });
  }

  /** Judges closed windows again that late partials changed. They can raise findings; they take none back. */
  #judgeLate(): Evaluation[] {
    const { state } = this.#ledger;
    const through = (state.closedThrough ?? 0) - 1;
    const minutesByOwner = new Map<number, Set<Minute>>();
    for (const cell of this.#late) {
      const owner = state.ownerOf(cell);
      const minutes = minutesByOwner.get(owner) ?? new Set<Minute>();
      minutesByOwner.set(owner, minutes.add(state.cells.minute[cell] as number));
    }
    this.#late = [];
    const evaluations: Evaluation[] = [];
    for (const [owner, minutes] of minutesByOwner) {
      this.#rules.forEach((rule, index) => {
        const levels = this.#limits.levels(state.table.limits[owner] as number, index);
        for (const minute of windowsOver(minutes, rule.minutes, through)) {
          // The last window's sums are at hand; a minute's requests are not kept.
          const isAtHand = minute === through && rule.minutes > 1;
          const measure = isAtHand ? this.#assessor.closed(rule, owner, minute) : this.#assessor.any(rule, owner, minute);
          if (!isBreach(rule, measure, levels)) continue;
          this.#recent.add(rule.id, state.table.id(owner));
          evaluations.push(this.#assessor.breach({ rule, levels, owner, minute, measure, isLive: false, directory: this.#directory }));
        }
      });
    }
    return evaluations.sort((a, b) => a.window.end - b.window.end);
  }

  #closeMinute(minute: Minute, evaluations: Evaluation[]): void {
    const owners = this.#ledger.close(minute);
    const breached = new Set<string>();
    this.#rules.forEach((rule, index) => {
      const found = rule.minutes === 1 ? this.#among(owners, rule, index, minute) : this.#amongAll(rule, index, minute);
      for (const { rule: id, entity } of found) {
        breached.add(keyOf(id, entity));
        this.#recent.add(id, entity);
      }
      evaluations.push(...found.sort((a, b) => (a.entity < b.entity ? -1 : 1)));
    });
    this.#judgeWatched(minute, breached, evaluations);
    this.#ledger.settle(minute, owners);
    this.#fired.delete(minute);
    this.#aheadMinutes.forget(minute - LATE_MINUTES);
  }

  #among(owners: readonly number[], rule: ThresholdRule, index: number, minute: Minute): Evaluation[] {
    const { table } = this.#ledger.state;
    const lowest = this.#limits.lowest(index);
    const found: Evaluation[] = [];
    for (const owner of owners) {
      const value = rule.value(table, owner);
      if (this.#observer !== undefined) this.#report(rule, owner, minute, value);
      if (passes(rule, value, lowest[table.limits[owner] as number] as number)) this.#judgeOne(rule, index, owner, minute, found);
    }
    return found;
  }

  /** A scan over everybody costs a few nanoseconds each: less than knowing who had traffic in the last hour. */
  #amongAll(rule: ThresholdRule, index: number, minute: Minute): Evaluation[] {
    const { table } = this.#ledger.state;
    const { limits, high } = table;
    const lowest = this.#limits.lowest(index);
    const found: Evaluation[] = [];
    for (let owner = 1; owner < high; owner++) {
      const value = rule.value(table, owner);
      if (value === 0) continue;
      if (this.#observer !== undefined) this.#report(rule, owner, minute, value);
      if (passes(rule, value, lowest[limits[owner] as number] as number)) this.#judgeOne(rule, index, owner, minute, found);
    }
    return found;
  }

  #report(rule: ThresholdRule, owner: number, minute: Minute, value: number): void {
    const { table } = this.#ledger.state;
    const entity = table.id(owner);
    const isOne = rule.subjects.includes(subjectOf(entity)) && !rule.isDistinct && (rule.isEnough?.(table, owner) ?? true);
    if (isOne) this.#observer?.(rule.id, entity, minute, value);
  }

  #judgeOne(rule: ThresholdRule, index: number, owner: number, minute: Minute, found: Evaluation[]): void {
    const levels = this.#limits.levels(this.#ledger.state.table.limits[owner] as number, index);
    const measure = this.#assessor.closed(rule, owner, minute);
    if (isBreach(rule, measure, levels)) found.push(this.#assessor.breach({ rule, levels, owner, minute, measure, isLive: false, directory: this.#directory }));
  }

  #judgeWatched(minute: Minute, breached: ReadonlySet<string>, evaluations: Evaluation[]): void {
    const { table } = this.#ledger.state;
    for (const watch of this.#recent.pairs()) {
      const index = this.#rules.findIndex((rule) => rule.id === watch.rule);
      const rule = this.#rules[index];
      if (rule === undefined || breached.has(keyOf(watch.rule, watch.entity))) continue;
      const owner = table.find(watch.entity);
      const measure = owner === undefined ? SILENT : this.#assessor.closed(rule, owner, minute);
      const set = owner === undefined ? this.#limits.numberOf(watch.entity) : (table.limits[owner] as number);
      const levels = this.#limits.levels(set, index);
      const evaluation = quiet(rule, watch.entity, minute, measure.value, levels);
      evaluations.push(evaluation);
      this.#recent.saw(watch, evaluation.verdict);
    }
  }
}

/** The refused credentials are judged by their networks; only what overflowed is looked at, and that is held apart. What came two days late is counted only. */
function isJudged(entity: EntityId, isHeld: boolean): boolean {
  return (entity === REFUSED) === isHeld && entity !== LATE;
}

/** The windows of `length` minutes up to `through` that hold one of `minutes`, named by their last minute. */
function windowsOver(minutes: ReadonlySet<Minute>, length: number, through: Minute): Minute[] {
  const ends = new Set<Minute>();
  for (const minute of minutes) for (let end = minute; end <= Math.min(through, minute + length - 1); end++) ends.add(end);
  return [...ends].sort((a, b) => a - b);
}
