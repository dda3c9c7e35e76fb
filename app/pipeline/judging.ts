import type { AlertDesk } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import type { Evaluation } from '../../core/finding.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus, PartitionProgress } from '../../core/ports.ts';
import type { DurationMs, EntityId, EpochMs, Minute } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import { Delays, watermarkOf } from '../../detectors/watermark.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';

export type JudgingDeps = {
  readonly judge: Judge;
  readonly directory: ConfiguredDirectory;
  readonly clock: Clock;
  readonly progress: () => Iterable<PartitionProgress>;
  /** Set by the operator; otherwise it follows the delays that were seen. */
  readonly lateness?: DurationMs | undefined;
  /** A partition that nobody speaks of holds the watermark back for so long; default as `watermarkOf`. */
  readonly idleAfter?: DurationMs | undefined;
};

/** Where decisions go while this process is the one that decides. */
export type Lead = { readonly desk: AlertDesk; readonly note?: ((evaluations: readonly Evaluation[]) => void) | undefined };

const NOBODY: ReadonlyMap<EntityId, ReadonlySet<string>> = new Map();

/**
 * The judge's side of the bus: one thing at a time, in the order in which the store acknowledged. Live breaches reach
 * the desk with the batch that shows them; everything else when the watermark passes. A standby sees everything too,
 * and says nothing.
 */
export class Judging implements PartialBus {
  readonly #deps: JudgingDeps;
  readonly #delays = new Delays();
  #judge: Judge;
  #lead: Lead | undefined;
  /** Windows before it were judged by the process that leads. */
  #followed: Minute = 0;
  #watermark: EpochMs | undefined;
  #tail: Promise<void> = Promise.resolve();
  /** A fault in a hint, which nobody waits for: it ends the next publish. */
  #fault: { readonly error: unknown } | undefined;

  constructor(deps: JudgingDeps) {
    this.#deps = deps;
    this.#judge = deps.judge;
  }

  get judge(): Judge {
    return this.#judge;
  }

  /** Windows that end by then are judged. */
  get judgedThrough(): EpochMs {
    return startOf(this.#lead?.desk.judgedThrough ?? this.#followed);
  }

  /** Event time that all partitions have passed, as of the last look. */
  get watermark(): EpochMs | undefined {
    return this.#watermark;
  }

  /** From now on decisions go to `lead`. A judge that is ahead of what is durable (a reign ended in between) is replaced by `renewed`. */
  async lead(lead: Lead, renewed: () => Promise<Judge>): Promise<void> {
    return this.#inTurn(async () => {
      if ((this.#judge.stats().closedThrough ?? 0) > lead.desk.judgedThrough) this.#judge = await renewed();
      this.#lead = lead;
      this.#fault = undefined;
    });
  }

  /** Decides nothing any more. */
  follow(): void {
    this.#lead = undefined;
  }

  /** The process that leads has judged windows before `judgedThrough`: they are closed here too, silently. */
  async followTo(judgedThrough: Minute): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#lead !== undefined || judgedThrough <= this.#followed) return;
      this.#followed = judgedThrough;
      this.#judge.advance(startOf(judgedThrough), NOBODY);
      this.#judge.takeChanged();
    });
  }

  async publish(batch: PartialBatch): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#fault !== undefined) throw this.#fault.error;
      if (batch.newest > 0) this.#delays.add(this.#deps.clock.now() - batch.newest);
      await this.#observe(batch);
      // A backlog closes hours at once: its windows must not pile up until the next tick.
      if (batch.isSealed) await this.#advance();
    });
  }

  /** Observed at once, and nothing else: the batch that brings the rows for good says how far the partition is. */
  hint(batch: PartialBatch): void {
    this.#inTurn(() => this.#observe(batch)).catch((error: unknown) => (this.#fault ??= { error }));
  }

  /** In one process the pumps are asked (`deps.progress`) when it is needed. */
  async progress(): Promise<void> {
    // Nothing to tell.
  }

  /** Closes what the watermark has passed. Call it about every second. */
  async advance(): Promise<void> {
    return this.#inTurn(() => this.#advance());
  }

  async #observe(batch: PartialBatch): Promise<void> {
    const { directory, clock } = this.#deps;
    if (batch.aliases.length > 0 && directory.learn(batch.aliases)) this.#judge.learn(directory);
    await this.#decide(this.#judge.observe(batch, clock.now()));
  }

  async #advance(): Promise<void> {
    const { clock, progress, lateness, idleAfter } = this.#deps;
    const desk = this.#lead?.desk;
    if (desk === undefined) return;
    const followLateness = lateness ?? this.#delays.lateness();
    const watermark = watermarkOf(progress(), clock.now(), { followLateness, idleAfter, ...(lateness === undefined ? {} : { lateness }) });
    this.#watermark = watermark;
    if (watermark === undefined) return;
    const { evaluations, closedThrough } = this.#judge.advance(watermark, desk.watched());
    if (evaluations.length === 0 && closedThrough <= desk.judgedThrough) return;
    await this.#decide(evaluations, closedThrough);
  }

  async #decide(evaluations: readonly Evaluation[], judgedThrough?: Minute): Promise<void> {
    const lead = this.#lead;
    if (lead === undefined || (evaluations.length === 0 && judgedThrough === undefined)) return;
    await lead.desk.observe(evaluations, judgedThrough === undefined ? {} : { judgedThrough });
    lead.note?.(evaluations);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
