import type { Clock } from '../../core/clock.ts';
import type { Evaluation, Finding } from '../../core/finding.ts';
import type { MetricStore, StoredWindow, WindowDocument, WindowStore } from '../../core/ports.ts';
import type { EntityId, Minute, Outcome } from '../../core/types.ts';
import { minuteOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import { LATE_MINUTES } from '../../detectors/ledger/state.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';
import { MinuteWindows, UNJUDGED } from './minute-windows.ts';
import { isWorldFault } from './world-fault.ts';

/** Windows before this minute are written: a control value, so that the next judge goes on there. */
const THROUGH = 'windows.through';
const WRITE_EVERY_MS = 1000;
/** Documents per call of the store. */
const CHUNK = 5000;
const RETRY_MS = 5000;
/** Further behind than this, the store is read in one go: the judge does not hold such old minutes. */
const BEHIND_MINUTES = LATE_MINUTES;
/** Minutes written by a long catch-up between two notes of how far it is. */
const NOTE_EVERY = 60;
/** Findings of minutes that are written may still be looked at by late rewrites. */
const SCORE_MINUTES = 2 * LATE_MINUTES;

export type ChangedMinutes = ReadonlyMap<Minute, ReadonlySet<EntityId>>;

export type WindowWriterDeps = {
  readonly judge: () => Judge;
  /** Closed minutes that changed since it was asked last. */
  readonly takeChanged: () => ChangedMinutes;
  readonly directory: ConfiguredDirectory;
  readonly store: MetricStore;
  readonly windows: WindowStore;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  /** Sequence number of the newest journal entry: the version of what is written. */
  readonly seq: () => number;
  /** Windows before it are judged. */
  readonly judgedThrough: () => Minute;
};

/** Writes what dashboards read: every judged window once, and again whenever it changes. Behind the judge, never in its way. */
export class WindowWriter {
  readonly #deps: WindowWriterDeps;
  /** Score and limit of the findings by minute: of minutes that are not written yet, and of those that may be written again. */
  readonly #scores = new Map<Minute, Map<EntityId, Finding>>();
  #findings: Finding[] = [];
  /** Written minutes that are to be written again. */
  readonly #again = new Map<Minute, Set<EntityId> | 'all'>();
  /** Written minutes in which somebody has another score now, if there is a document of theirs. */
  readonly #rescored = new Map<Minute, Set<EntityId>>();
  readonly #minutes: MinuteWindows;
  /** Windows before it are written. */
  #next: Minute = 0;
  #isFailing = false;

  constructor(deps: WindowWriterDeps) {
    this.#deps = deps;
    this.#minutes = new MinuteWindows(deps);
  }

  /** What was decided: findings are stored, their scores stand in the windows. */
  note(evaluations: readonly Evaluation[]): void {
    for (const { finding } of evaluations) {
      if (finding === undefined) continue;
      this.#findings.push(finding);
      const minute = minuteOf(finding.window.end - 1);
      const scores = this.#scores.get(minute) ?? new Map<EntityId, Finding>();
      this.#scores.set(minute, scores);
      if (finding.score < (scores.get(finding.entity)?.score ?? 0)) continue;
      scores.set(finding.entity, finding);
      if (minute < this.#next) this.#rescored.set(minute, (this.#rescored.get(minute) ?? new Set<EntityId>()).add(finding.entity));
    }
  }

  /** Until aborted. A fault of the stores is told once and tried again; nothing is given up. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, judgedThrough } = this.#deps;
    const stored = await this.#until(signal, () => this.#deps.store.control(THROUGH));
    this.#next = Number(stored ?? 0);
    // What the one before us was told last it may not have written. Judging goes over those minutes once more before they are final.
    let again = this.#next > 0 ? this.#next : undefined;
    while (!signal.aborted) {
      await this.#putFindings(signal);
      const through = judgedThrough();
      if (this.#next === 0 && through > 0) this.#next = (await this.#until(signal, () => this.#oldest(through))) ?? 0;
      if (this.#next > 0 && this.#next < through) await this.#goOn(through, signal);
      if (again !== undefined && (this.#deps.judge().stats().closedThrough ?? 0) >= again) {
        for (let minute = again - LATE_MINUTES; minute < again; minute++) this.#again.set(minute, 'all');
        again = undefined;
      }
      await this.#writeAgain(signal);
      for (const minute of this.#scores.keys()) if (minute < this.#next - SCORE_MINUTES) this.#scores.delete(minute);
      await clock.sleep(WRITE_EVERY_MS, signal);
    }
  }

  async #putFindings(signal: AbortSignal): Promise<void> {
    const findings = this.#findings;
    this.#findings = [];
    for (let from = 0; from < findings.length; from += CHUNK)
      await this.#until(signal, async () => mustBeTaken(await this.#deps.windows.putFindings(findings.slice(from, from + CHUNK))));
  }

  /** The first minute that there is, or `through`. */
  async #oldest(through: Minute): Promise<Minute> {
    for await (const { window } of this.#deps.store.windows({ from: 0, to: through })) return minuteOf(window.start);
    return through;
  }

  async #goOn(through: Minute, signal: AbortSignal): Promise<void> {
    if (through - this.#next > BEHIND_MINUTES) await this.#until(signal, () => this.#catchUp(through - BEHIND_MINUTES, signal));
    while (this.#next < through && !signal.aborted) {
      await this.#until(signal, () => this.#put(this.#minutes.of(this.#next, 'all'), signal));
      if (!signal.aborted) this.#next++;
    }
    await this.#until(signal, () => this.#deps.store.setControl(THROUGH, String(this.#next)));
  }

  /** From the store in one pass, since after a long stop most minutes may be without any traffic. */
  async #catchUp(to: Minute, signal: AbortSignal): Promise<void> {
    let group: StoredWindow[] = [];
    let noted = this.#next;
    const flush = async (next: Minute): Promise<void> => {
      await this.#put(this.#minutes.byOwner(group, 'all'), signal);
      group = [];
      if (signal.aborted) return;
      this.#next = next;
      if (next - noted < NOTE_EVERY) return;
      noted = next;
      await this.#deps.store.setControl(THROUGH, String(next));
    };
    for await (const window of this.#deps.store.windows({ from: this.#next, to })) {
      const minute = minuteOf(window.window.start);
      const first = group[0];
      if (first !== undefined && minuteOf(first.window.start) !== minute) await flush(minute);
      if (signal.aborted) return;
      group.push(window);
    }
    await flush(to);
  }

  async #writeAgain(signal: AbortSignal): Promise<void> {
    // What is not written yet will be written as it is then.
    for (const [minute, owners] of this.#deps.takeChanged()) if (minute < this.#next) this.#rewrite(minute, owners);
    for (const [minute, owners] of this.#again) {
      this.#again.delete(minute);
      await this.#until(signal, () => this.#put(this.#minutes.again(minute, owners), signal));
      if (signal.aborted) return;
    }
    for (const [minute, owners] of this.#rescored) {
      this.#rescored.delete(minute);
      await this.#until(signal, () => this.#put(this.#minutes.of(minute, owners), signal));
      if (signal.aborted) return;
    }
  }

  #rewrite(minute: Minute, owners: Iterable<EntityId>): void {
    const known = this.#again.get(minute);
    if (known === 'all') return;
    const all = known ?? new Set<EntityId>();
    this.#again.set(minute, all);
    for (const owner of owners) {
      all.add(owner);
      // The judge calls everything that overflowed by one name.
      if (UNJUDGED.has(owner)) for (const unjudged of UNJUDGED) all.add(unjudged);
    }
  }

  async #put(windows: AsyncIterable<StoredWindow> | Iterable<StoredWindow>, signal: AbortSignal): Promise<void> {
    let chunk: WindowDocument[] = [];
    // While the store takes one chunk, the next one is made.
    let before: Promise<void> | undefined;
    const write = async (): Promise<void> => {
      const documents = chunk;
      chunk = [];
      const writing = this.#deps.windows.putWindows(documents, this.#deps.seq()).then(mustBeTaken);
      // It is waited for below, unless the one before fails first: then all of it is written again.
      writing.catch(() => undefined);
      await before;
      before = writing;
    };
    for await (const window of windows) {
      chunk.push(this.#document(window));
      if (chunk.length >= CHUNK) await write();
      if (signal.aborted) break;
    }
    if (chunk.length > 0 && !signal.aborted) await write();
    await before;
  }

  #document(window: StoredWindow): WindowDocument {
    const { directory } = this.#deps;
    const finding = this.#scores.get(minuteOf(window.window.start))?.get(window.entity);
    const plan = directory.keys.facts(window.entity).plan;
    return {
      ...window,
      label: directory.label(window.entity),
      ...(plan === undefined ? {} : { plan }),
      ...(finding === undefined ? {} : { score: finding.score, expected: finding.expected }),
    };
  }

  /** Does it again and again while the world is at fault; undefined when aborted. */
  async #until<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, onProblem } = this.#deps;
    while (!signal.aborted) {
      try {
        const done = await work();
        if (this.#isFailing && !signal.aborted) onProblem('windows for the dashboards are written again');
        this.#isFailing = false;
        return done;
      } catch (error) {
        if (!isWorldFault(error)) throw error;
        if (!this.#isFailing) onProblem(`windows for the dashboards wait: ${error.message}`);
        this.#isFailing = true;
      }
      await clock.sleep(RETRY_MS, signal);
    }
    return undefined;
  }
}

function mustBeTaken(outcome: Outcome): void {
  if (!outcome.ok) throw new Refused(outcome.reason);
}

/** The store did not take documents; all of it is written again. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly isRetryable = true;
}
