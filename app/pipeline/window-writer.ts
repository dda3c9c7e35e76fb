import { encodeCells } from '../../core/cells.ts';
import type { Clock } from '../../core/clock.ts';
import type { Evaluation, Finding } from '../../core/finding.ts';
import type { MetricStore, StoredWindow, WindowDocument, WindowStore } from '../../core/ports.ts';
import { type EntityId, LATE, type Minute, REFUSED } from '../../core/types.ts';
import { minuteOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import type { OwnerRows } from '../../detectors/ledger/owner-rows.ts';
import { CellsMerger } from '../../storage/merge/cells-merger.ts';
import { storedWindow } from '../../storage/stored-window.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';

/** Windows before this minute are written: a control value, so that the next judge goes on there. */
const THROUGH = 'windows.through';
const WRITE_EVERY_MS = 1000;
/** Documents per call of the store. */
const CHUNK = 5000;
const RETRY_MS = 5000;

export type WindowWriterDeps = {
  readonly judge: () => Judge;
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

/** Writes what dashboards read: every judged window once, and again whenever late partials change it. Behind the judge, never in its way. */
export class WindowWriter {
  readonly #deps: WindowWriterDeps;
  /** Score and limit of the findings by minute, until the minute is written. */
  readonly #scores = new Map<Minute, Map<EntityId, Finding>>();
  #findings: Finding[] = [];
  readonly #merger = new CellsMerger();
  #isFailing = false;

  constructor(deps: WindowWriterDeps) {
    this.#deps = deps;
  }

  /** What was decided: findings are stored, their scores stand in the windows. */
  note(evaluations: readonly Evaluation[]): void {
    for (const { finding } of evaluations) {
      if (finding === undefined) continue;
      this.#findings.push(finding);
      const minute = minuteOf(finding.window.end - 1);
      const scores = this.#scores.get(minute) ?? new Map<EntityId, Finding>();
      this.#scores.set(minute, scores);
      if (finding.score >= (scores.get(finding.entity)?.score ?? 0)) scores.set(finding.entity, finding);
    }
  }

  /** Until aborted. A fault of the store is told once and tried again; nothing is given up. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, judgedThrough } = this.#deps;
    const stored = await store.control(THROUGH);
    let next = stored === undefined ? Math.max(judgedThrough() - 1, 0) : Number(stored);
    while (!signal.aborted) {
      const findings = this.#findings;
      this.#findings = [];
      for (let from = 0; from < findings.length; from += CHUNK)
        await this.#until(signal, () => this.#deps.windows.putFindings(findings.slice(from, from + CHUNK)));
      const through = judgedThrough();
      if (next === 0) next = through;
      const first = next;
      while (next < through && !signal.aborted) {
        // After a long stop there may be minutes without any traffic: they cost nothing.
        await this.#minute(next, signal);
        if (!signal.aborted) next++;
      }
      if (next > first) await store.setControl(THROUGH, String(next));
      for (const [minute, owners] of this.#deps.judge().takeChanged()) if (minute < next && !signal.aborted) await this.#minute(minute, signal, owners);
      for (const minute of this.#scores.keys()) if (minute < through - MINUTE_MEMORY) this.#scores.delete(minute);
      await clock.sleep(WRITE_EVERY_MS, signal);
    }
  }

  /** From the judge's memory; from the store where that no longer holds the minute. */
  async #minute(minute: Minute, signal: AbortSignal, owners?: ReadonlySet<EntityId>): Promise<void> {
    const rows = this.#deps.judge().rowsOf(minute);
    if (rows === undefined) {
      await this.#put(this.#stored(minute, owners), signal);
      return;
    }
    await this.#put(this.#merged(minute, rows, owners), signal);
    // What the judge does not judge, so that the owners of a minute add up to its total.
    for (const entity of [REFUSED, LATE])
      if (owners === undefined || owners.has(entity)) await this.#put(this.#deps.store.windows({ from: minute, to: minute + 1, entity }), signal);
  }

  async #put(windows: AsyncIterable<StoredWindow> | Iterable<StoredWindow>, signal: AbortSignal): Promise<void> {
    let chunk: WindowDocument[] = [];
    const write = async (): Promise<void> => {
      const documents = chunk;
      chunk = [];
      if (documents.length > 0) await this.#until(signal, () => this.#deps.windows.putWindows(documents, this.#deps.seq()));
    };
    for await (const window of windows) {
      chunk.push(this.#document(window));
      if (chunk.length >= CHUNK) await write();
      if (signal.aborted) return;
    }
    await write();
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

  *#merged(minute: Minute, rows: Iterable<OwnerRows>, owners: ReadonlySet<EntityId> | undefined): Generator<StoredWindow> {
    for (const { entity, packed } of rows) {
      if (owners === undefined || owners.has(entity)) yield storedWindow(entity, 'minute', { from: minute, to: minute + 1 }, this.#merger.merge(packed));
    }
  }

  /** Under the names that the directory gives: several names of one key are one document. */
  async *#stored(minute: Minute, owners: ReadonlySet<EntityId> | undefined): AsyncGenerator<StoredWindow> {
    const { store, directory } = this.#deps;
    const byOwner = new Map<EntityId, Uint8Array[]>();
    for await (const window of store.windows({ from: minute, to: minute + 1 })) {
      const owner = directory.canonical(window.entity);
      if (owners !== undefined && !owners.has(owner)) continue;
      const packed = byOwner.get(owner);
      const cells = encodeCells(window.counters, window.sketch());
      if (packed === undefined) byOwner.set(owner, [cells]);
      else packed.push(cells);
    }
    yield* this.#merged(
      minute,
      [...byOwner].map(([entity, packed]) => ({ entity, packed })),
      undefined,
    );
  }

  async #until(signal: AbortSignal, work: () => ReturnType<WindowStore['putWindows']>): Promise<void> {
    const { clock, onProblem } = this.#deps;
    while (!signal.aborted) {
      const outcome = await work();
      if (outcome.ok) {
        if (this.#isFailing) onProblem('windows for the dashboards are written again');
        this.#isFailing = false;
        return;
      }
      if (!this.#isFailing) onProblem(`windows for the dashboards wait: ${outcome.reason}`);
      this.#isFailing = true;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** Findings of minutes that are written may still be looked at by late rewrites. */
const MINUTE_MEMORY = 20;
