import type { Alert, JournalBody } from '../../../core/alert.ts';
import type { Evaluation } from '../../../core/finding.ts';
import type { Journal } from '../../../core/ports.ts';
import type { EpochMs, Severity } from '../../../core/types.ts';
import { MINUTE_MS } from '../../../core/window.ts';
import { AlertDesk, type DeskEvent, type DeskOptions } from '../../../alerts/desk.ts';
import { type RuleSpec, thresholdSpec } from '../../../alerts/rule-spec.ts';
import { memoryJournal } from '../../../storage/memory/journal.ts';
import { journalViews } from '../../support/journal-views.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { M0, RULE, T0, plainDirectory } from './build.ts';
import { ScriptedNotifier } from './scripted-notifier.ts';

const TICK_MS = 5000;

/** Every alert is told at once and by itself: for tests of what happens after that. */
export const UNGROUPED: NonNullable<DeskOptions['grouping']> = { waits: { high: 0, medium: 0 }, fleetLineages: 1_000_000 };

/** A desk on a virtual clock with channels that answer as told, and a sender that runs until `stop`. */
export class DeskHarness {
  readonly clock = new VirtualClock(T0 + 2 * MINUTE_MS);
  readonly journal = memoryJournal();
  readonly slack = new ScriptedNotifier('slack', this.clock);
  readonly email = new ScriptedNotifier('email', this.clock);
  readonly events: DeskEvent[] = [];
  /** What was appended through this harness. */
  readonly entries: JournalBody[] = [];
  #isSnapshotHidden = false;
  rules: readonly RuleSpec[] = [thresholdSpec(RULE)];
  slackMin: Severity = 'medium';
  series: ((alert: Alert) => Promise<readonly number[] | undefined>) | undefined;
  channels: DeskOptions['channels'] | undefined;
  /** What else the desk is configured with. */
  more: Partial<DeskOptions> = {};
  watermark: (() => EpochMs) | undefined;
  #desk: AlertDesk | undefined;
  #stop = new AbortController();
  #run: Promise<void> = Promise.resolve();
  #random = 0.5;

  get desk(): AlertDesk {
    if (this.#desk === undefined) throw new Error('the harness is not open');
    return this.#desk;
  }

  async open(): Promise<this> {
    this.#desk = await AlertDesk.open({
      journal: this.#journalView(),
      channels: this.channels ?? [
        { notifier: this.slack, minSeverity: this.slackMin },
        { notifier: this.email, minSeverity: 'high' },
      ],
      rules: this.rules,
      directory: plainDirectory,
      clock: this.clock,
      random: () => (this.#random = (this.#random * 16_807) % 1),
      onEvent: (event) => this.events.push(event),
      ...(this.series === undefined ? {} : { series: this.series }),
      ...this.more,
    });
    return this;
  }

  /** Starts the background sender. */
  async start(): Promise<this> {
    await this.open();
    this.#stop = new AbortController();
    this.#run = Promise.all([this.desk.run(this.#stop.signal), this.#ticking(this.#stop.signal)]).then(() => undefined);
    this.#run.catch(() => undefined);
    await this.clock.settle();
    return this;
  }

  /** As the judge's seat does, a little slower. */
  async #ticking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.clock.sleep(TICK_MS, signal);
      if (!signal.aborted) await this.desk.tick(this.watermark === undefined ? {} : { watermark: this.watermark() });
    }
  }

  /** As SIGTERM does: the sender ends, a snapshot is saved. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
    await this.desk[Symbol.asyncDispose]();
  }

  /** As kill -9 does: what is not in the journal is gone. */
  async kill(): Promise<void> {
    this.#stop.abort();
    await this.#run.catch(() => undefined);
  }

  /** The next start folds the whole journal. */
  forgetSnapshot(): void {
    this.#isSnapshotHidden = true;
  }

  /** The journal as the desk sees it. */
  #journalView(): Journal {
    const { journal } = this;
    return {
      append: async (seq, body) => {
        const result = await journal.append(seq, body);
        if (result === 'appended') this.entries.push(JSON.parse(JSON.stringify(body)) as JournalBody);
        return result;
      },
      head: () => journal.head(),
      entries: (fromSeq) => journal.entries(fromSeq),
      saveSnapshot: async (snapshot) => {
        this.#isSnapshotHidden = false;
        await journal.saveSnapshot(snapshot);
      },
      snapshot: async () => (this.#isSnapshotHidden ? undefined : journal.snapshot()),
      ...journalViews(journal),
      pending: () => journal.pending(),
      [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
    };
  }

  get running(): Promise<void> {
    return this.#run;
  }

  /** All windows up to and with `minute` are judged, a minute after it ended; then everything due is sent. */
  async closed(minute: number, evaluations: readonly Evaluation[] = []): Promise<void> {
    const at: EpochMs = T0 + (minute + 2) * MINUTE_MS;
    if (at > this.clock.now()) await this.clock.advance(at - this.clock.now());
    await this.desk.observe(evaluations, { judgedThrough: M0 + minute + 1 });
    await this.clock.settle();
  }
}
