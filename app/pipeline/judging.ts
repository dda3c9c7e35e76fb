import type { AlertDesk } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus } from '../../core/ports.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import { Delays, type PartitionProgress, watermarkOf } from '../../detectors/watermark.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';

export type JudgingDeps = {
  readonly judge: Judge;
  readonly desk: AlertDesk;
  readonly directory: ConfiguredDirectory;
  readonly clock: Clock;
  readonly progress: () => Iterable<PartitionProgress>;
  /** Set by the operator; otherwise it follows the delays that were seen. */
  readonly lateness?: DurationMs | undefined;
};

/**
 * The judge's side of the in-process bus: one thing at a time, in the order in which the store acknowledged.
 * Live breaches reach the desk with the batch that shows them; everything else when the watermark passes.
 */
export class Judging implements PartialBus {
  readonly #deps: JudgingDeps;
  readonly #delays = new Delays();
  #tail: Promise<void> = Promise.resolve();

  constructor(deps: JudgingDeps) {
    this.#deps = deps;
  }

  /** Windows that end by then are judged. */
  get judgedThrough(): EpochMs {
    return startOf(this.#deps.desk.judgedThrough);
  }

  async publish(batch: PartialBatch): Promise<void> {
    return this.#inTurn(async () => {
      const { judge, desk, directory, clock } = this.#deps;
      const now = clock.now();
      if (batch.aliases.length > 0 && directory.learn(batch.aliases)) judge.learn(directory);
      if (batch.newest > 0) this.#delays.add(now - batch.newest);
      const evaluations = judge.observe(batch, now);
      if (evaluations.length > 0) await desk.observe(evaluations);
      // A backlog closes hours at once: its windows must not pile up until the next tick.
      if (batch.isSealed) await this.#advance();
    });
  }

  /** Closes what the watermark has passed. Call it about every second. */
  async advance(): Promise<void> {
    return this.#inTurn(() => this.#advance());
  }

  async #advance(): Promise<void> {
    const { judge, desk, clock, progress, lateness } = this.#deps;
    const followLateness = lateness ?? this.#delays.lateness();
    const watermark = watermarkOf(progress(), clock.now(), { followLateness, ...(lateness === undefined ? {} : { lateness }) });
    if (watermark === undefined) return;
    const { evaluations, closedThrough } = judge.advance(watermark, desk.watched());
    if (evaluations.length === 0 && closedThrough <= desk.judgedThrough) return;
    await desk.observe(evaluations, { judgedThrough: closedThrough });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
