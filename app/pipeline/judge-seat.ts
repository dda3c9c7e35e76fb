import { type AlertDesk, JournalTakenError } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import type { CommandInbox, Journal, MetricStore, WindowStore } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import type { Judge } from '../../detectors/judge.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';
import { JournalFollower } from './journal-follower.ts';
import type { Judging } from './judging.ts';
import { LEASE_BEAT_MS, type LeaseKeeper } from './lease-keeper.ts';
import { WindowWriter } from './window-writer.ts';
import { isWorldFault } from './world-fault.ts';

export { isWorldFault } from './world-fault.ts';

const ADVANCE_MS: DurationMs = 1000;
const TICK_MS: DurationMs = 1000;
const WATCH_MS: DurationMs = 1000;
const AFTER_FAULT_MS: DurationMs = 1000;
const RENEW_DRAIN_MS: DurationMs = 3000;
const TELL_AGAIN_MS: DurationMs = 600_000;

export type JudgeSeatDeps = {
  readonly judging: Judging;
  readonly directory: ConfiguredDirectory;
  readonly store: MetricStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  readonly onLead: (isLeading: boolean) => void;
  readonly openDesk: () => Promise<AlertDesk>;
  /** A judge that knows what is stored, up to where the desk decided. */
  readonly newJudge: (desk: AlertDesk) => Promise<Judge>;
  /** Where several processes could judge. Without it this one does, and a fault of its stores ends it. */
  readonly lease?: LeaseKeeper | undefined;
  /** Where people's commands wait. */
  readonly inbox?: CommandInbox | undefined;
  /** Where there are dashboards. */
  readonly windows?: WindowStore | undefined;
};

/**
 * The one place from which keys are judged and people are told. Many processes may wait for it, with everything in
 * memory that the one who sits there knows; one has it.
 */
export class JudgeSeat {
  readonly #deps: JudgeSeatDeps;
  readonly #follower: JournalFollower;
  #desk: AlertDesk | undefined;
  /** Ends the reign that is on. */
  #stopReign: (() => void) | undefined;
  /** Somebody waits for the desk to be opened anew. */
  #renewal: PromiseWithResolvers<void> | undefined;
  #writer: WindowWriter | undefined;
  /** The last fault that people were told of. */
  #told: { readonly message: string; readonly at: DurationMs } | undefined;

  constructor(deps: JudgeSeatDeps) {
    this.#deps = deps;
    this.#follower = new JournalFollower(deps.journal);
  }

  /** While this process judges. */
  get desk(): AlertDesk | undefined {
    return this.#desk;
  }

  get isLeading(): boolean {
    return this.#desk !== undefined;
  }

  /** Without a lease: sits down at once. */
  async sit(): Promise<void> {
    await this.#sit();
  }

  /** Resolves once this process judges, or when aborted. */
  async seated(signal: AbortSignal): Promise<void> {
    while (this.#desk === undefined && !signal.aborted) await this.#deps.clock.sleep(WATCH_MS, signal);
  }

  /** Opens the desk anew, with what is configured now. Messages under way are sent first, for a moment. Whoever does not judge has nothing to do. */
  async renew(): Promise<void> {
    const desk = this.#desk;
    if (desk === undefined || this.#stopReign === undefined) return;
    await desk.drain(AbortSignal.timeout(RENEW_DRAIN_MS));
    if (this.#desk !== desk) return;
    this.#renewal ??= Promise.withResolvers<void>();
    this.#stopReign();
    await this.#renewal.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { lease, clock } = this.#deps;
    if (lease === undefined) return this.#reigns(signal);
    while (!signal.aborted) {
      if (await lease.beat()) await this.#reignUnderLease(lease, signal);
      else await this.#follow();
      await clock.sleep(LEASE_BEAT_MS, signal);
    }
  }

  /** Messages under way are sent, for as long as `signal` allows. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.#desk?.drain(signal);
  }

  /** After `run` ended: what the desk knows is saved, and the next process may sit down at once. */
  async leave(): Promise<void> {
    try {
      await this.#rise();
    } finally {
      await this.#deps.lease?.release();
    }
  }

  async #reignUnderLease(lease: LeaseKeeper, signal: AbortSignal): Promise<void> {
    const { clock, onProblem } = this.#deps;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    // Stopped while the lease was asked for: nobody would hear of it again.
    if (signal.aborted) stop.abort();
    const keeping = this.#every(LEASE_BEAT_MS, async () => void (await lease.beat()), stop.signal);
    // A renewal that hangs must not keep the senders going.
    const watching = this.#every(WATCH_MS, async () => void (lease.isHeld || stop.abort()), stop.signal);
    try {
      if (this.#desk === undefined) await this.#sit();
      await this.#reigns(stop.signal);
      if (!signal.aborted) onProblem("the judge's lease was not renewed in time; another process may judge now");
    } catch (error) {
      if (!isWorldFault(error)) throw error;
      this.#tellFault(error);
      await clock.sleep(AFTER_FAULT_MS, signal);
    } finally {
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      // A person who stops Keywatch still wants the last messages sent: `leave` comes after that.
      if (!signal.aborted) await this.#rise();
      await Promise.allSettled([keeping, watching]);
    }
  }

  /** Every few seconds the same would be no news. */
  #tellFault(error: Error): void {
    const { clock, onProblem } = this.#deps;
    const isKnown = error.message === this.#told?.message && clock.monotonic() - this.#told.at < TELL_AGAIN_MS;
    if (isKnown) return;
    this.#told = { message: error.message, at: clock.monotonic() };
    if (error instanceof JournalTakenError) onProblem('another process decided meanwhile, so this one judges no more; it stands by');
    else onProblem(`judging stopped: ${error.message}; it goes on here or in another process as soon as that is over`);
  }

  /** One reign after the other, as long as only the configuration changes. */
  async #reigns(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#reign(signal);
        if (this.#renewal === undefined || signal.aborted) return;
        await this.#rise();
        await this.#sit();
        this.#renewal.resolve();
        this.#renewal = undefined;
      }
    } finally {
      // Whoever judges next opens the desk with the new configuration anyway.
      this.#renewal?.resolve();
      this.#renewal = undefined;
    }
  }

  async #reign(signal: AbortSignal): Promise<void> {
    const { judging } = this.#deps;
    const desk = this.#desk;
    if (desk === undefined) throw new Error("BUG: nobody sits on the judge's seat");
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) stop.abort();
    this.#stopReign = onAbort;
    const parts = [
      this.#every(ADVANCE_MS, () => judging.advance(), stop.signal),
      this.#every(TICK_MS, () => this.#tick(desk), stop.signal),
      desk.run(stop.signal),
      ...(this.#writer === undefined ? [] : [this.#writer.run(stop.signal)]),
    ];
    try {
      await Promise.all(parts);
    } finally {
      this.#stopReign = undefined;
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      await Promise.allSettled(parts);
    }
  }

  /** Timers, then what people asked for. */
  async #tick(desk: AlertDesk): Promise<void> {
    const { judging, inbox } = this.#deps;
    try {
      await desk.tick({ watermark: judging.watermark });
    } catch (error) {
      // Of a store of our own, a full disk passes: nothing was decided, and the next tick decides it.
      if (this.#deps.lease !== undefined || !isWorldFault(error) || !('isRetryable' in error) || error.isRetryable !== true) throw error;
    }
    if (inbox !== undefined) await desk.obeyAll(inbox);
  }

  async #sit(): Promise<void> {
    const { judging, openDesk, newJudge, windows, directory, store, clock, onProblem, onLead } = this.#deps;
    const desk = await openDesk();
    const writer =
      windows === undefined
        ? undefined
        : new WindowWriter({
            judge: () => judging.judge,
            takeChanged: () => judging.takeChanged(),
            directory,
            store,
            windows,
            clock,
            onProblem,
            seq: () => desk.seq,
            judgedThrough: () => desk.judgedThrough,
          });
    await judging.lead({ desk, note: writer === undefined ? undefined : (evaluations) => writer.note(evaluations) }, () => newJudge(desk));
    this.#writer = writer;
    this.#desk = desk;
    onLead(true);
  }

  async #rise(): Promise<void> {
    const desk = this.#desk;
    if (desk === undefined) return;
    this.#deps.judging.follow();
    this.#desk = undefined;
    this.#writer = undefined;
    this.#deps.onLead(false);
    // The snapshot only makes the next start shorter.
    await desk[Symbol.asyncDispose]().catch((error: unknown) => {
      if (!isWorldFault(error)) throw error;
    });
  }

  async #follow(): Promise<void> {
    try {
      await this.#deps.judging.followTo(await this.#follower.poll());
    } catch (error) {
      // The lease says already that the store is away.
      if (!isWorldFault(error)) throw error;
    }
  }

  async #every(ms: DurationMs, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(ms, signal);
      if (!signal.aborted) await work();
    }
  }
}
