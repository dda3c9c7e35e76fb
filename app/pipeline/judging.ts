import type { AlertDesk } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import type { Evaluation } from '../../core/finding.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus, PartitionProgress } from '../../core/ports.ts';
import type { DurationMs, EntityId, EpochMs, Minute } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';
import { LATE_MINUTES } from '../../detectors/ledger/state.ts';
import { Delays, watermarkOf } from '../../detectors/watermark.ts';
import type { ConfiguredDirectory } from './configured-directory.ts';
import type { ChangedMinutes } from './window-writer.ts';

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

/** A standby that found more than this is no help any more: the store tells what is to be judged again. */
const UNTOLD_MAX = 50_000;
/** The one that leads writes changed windows within seconds; who follows it remembers what it may not have come to. */
const CHANGES_KEPT_MS: DurationMs = 120_000;

/** A partition that was complete so recently is followed, not caught up with. */
const FOLLOWED_MS: DurationMs = 60_000;

/** Where decisions go while this process is the one that decides. */
export type Lead = { readonly desk: AlertDesk; readonly note?: ((evaluations: readonly Evaluation[]) => void) | undefined };

const NOBODY: ReadonlyMap<EntityId, ReadonlySet<string>> = new Map();

/**
 * The judge's side of the bus: one thing at a time, in the order in which the store acknowledged. Live breaches reach
 * the desk with the batch that shows them; everything else when the watermark passes. A standby sees everything too,
 * says nothing, and remembers what it would have said: the one that leads may have closed a minute before the partials
 * that a standby had by then, and stop before it says so. The desk knows a window that is judged twice.
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
  /** Something that was decided did not become durable: the judge is ahead, and nothing more is decided by it. */
  #fault: { readonly error: unknown } | undefined;
  /** Breaches found while another process led, of the minutes that late partials may still change. */
  #untold: Evaluation[] = [];
  #hasForgotten = false;
  /** Closed minutes that changed while another process led. */
  #changes: { readonly at: EpochMs; readonly minutes: ChangedMinutes }[] = [];

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

  /** From now on decisions go to `lead`. A judge that is ahead of what is durable (a reign ended by a fault) is replaced by `renewed`. */
  async lead(lead: Lead, renewed: () => Promise<Judge>): Promise<void> {
    return this.#inTurn(async () => {
      const isAhead = this.#fault !== undefined || (this.#judge.stats().closedThrough ?? 0) > lead.desk.judgedThrough;
      if (isAhead || this.#hasForgotten) {
        const judge = await renewed();
        this.#keepChanges();
        this.#judge = judge;
        this.#untold = [];
      }
      this.#fault = undefined;
      this.#hasForgotten = false;
      this.#lead = lead;
      const untold = this.#untold;
      this.#untold = [];
      try {
        await this.#decide(untold);
      } catch (error) {
        this.#lead = undefined;
        throw error;
      }
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
      const { evaluations } = this.#judge.advance(startOf(judgedThrough), NOBODY);
      await this.#decide(evaluations);
      const from = startOf(judgedThrough - LATE_MINUTES);
      this.#untold = this.#untold.filter(({ window }) => window.end > from);
      this.#keepChanges();
    });
  }

  /** The directory has other keys or limits: every owner, limit and sum afresh. */
  async reload(): Promise<void> {
    return this.#inTurn(async () => this.#judge.reload(this.#deps.directory));
  }

  /** The next one who leads does so with a judge of its own making: other rules. */
  distrust(): void {
    this.#hasForgotten = true;
  }

  /** Closed minutes that changed since the last call, in this judge or in one before it. */
  takeChanged(): ChangedMinutes {
    this.#keepChanges();
    const all = new Map<Minute, Set<EntityId>>();
    for (const { minutes } of this.#changes) for (const [minute, owners] of minutes) all.set(minute, new Set([...(all.get(minute) ?? []), ...owners]));
    this.#changes = [];
    return all;
  }

  /** `at`: when it was put on the bus. That the judge takes it later, since it was busy, does not make its events late. */
  async publish(batch: PartialBatch, at = this.#deps.clock.now()): Promise<void> {
    return this.#inTurn(async () => {
      const now = this.#deps.clock.now();
      if (batch.newest > 0 && this.#isFollowed(batch, now)) this.#delays.add(at - batch.newest, now);
      await this.#observe(batch);
      // A backlog closes hours at once: its windows must not pile up until the next tick.
      if (batch.isSealed) await this.#advance();
    });
  }

  /** Observed at once, and nothing else: the batch that brings the rows for good says how far the partition is. */
  hint(batch: PartialBatch): void {
    // Nobody waits for it: a fault ends the next publish.
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

  /** What is read of a backlog says nothing about how late events arrive. */
  #isFollowed({ segment }: PartialBatch, now: EpochMs): boolean {
    for (const { source, partition, isAtEnd, completeAt = 0 } of this.#deps.progress())
      if (source === segment.source && partition === segment.partition) return isAtEnd || now - completeAt < FOLLOWED_MS;
    return false;
  }

  async #observe(batch: PartialBatch): Promise<void> {
    this.#mustBeSound();
    const { directory, clock } = this.#deps;
    if (batch.aliases.length > 0 && directory.learn(batch.aliases)) this.#judge.learn(directory);
    await this.#decide(this.#judge.observe(batch, clock.now()));
  }

  async #advance(): Promise<void> {
    const { clock, progress, lateness, idleAfter } = this.#deps;
    const desk = this.#lead?.desk;
    if (desk === undefined) return;
    this.#mustBeSound();
    const followLateness = lateness ?? this.#delays.lateness();
    const watermark = watermarkOf(progress(), clock.now(), { followLateness, idleAfter, ...(lateness === undefined ? {} : { lateness }) });
    this.#watermark = watermark;
    if (watermark === undefined) return;
    const { evaluations, closedThrough } = this.#judge.advance(watermark, desk.watched());
    if (evaluations.length === 0 && closedThrough <= desk.judgedThrough) return;
    await this.#decide(evaluations, closedThrough);
  }

  async #decide(evaluations: readonly Evaluation[], judgedThrough?: Minute): Promise<void> {
    if (evaluations.length === 0 && judgedThrough === undefined) return;
    const lead = this.#lead;
    if (lead === undefined) {
      this.#remember(evaluations);
      return;
    }
    try {
      await lead.desk.observe(evaluations, judgedThrough === undefined ? {} : { judgedThrough });
    } catch (error) {
      // What was found is told by nobody now, and the judge would not find it again.
      this.#fault ??= { error };
      throw error;
    }
    lead.note?.(evaluations);
  }

  #remember(evaluations: readonly Evaluation[]): void {
    for (const evaluation of evaluations) if (evaluation.verdict === 'breach') this.#untold.push(evaluation);
    if (this.#untold.length <= UNTOLD_MAX) return;
    this.#untold = [];
    this.#hasForgotten = true;
  }

  #keepChanges(): void {
    const at = this.#deps.clock.now();
    const minutes = this.#judge.takeChanged();
    if (minutes.size > 0) this.#changes.push({ at, minutes });
    if (this.#lead === undefined) this.#changes = this.#changes.filter((changes) => at - changes.at < CHANGES_KEPT_MS);
  }

  /** While one leads. Who follows decides nothing that could be lost. */
  #mustBeSound(): void {
    if (this.#lead !== undefined && this.#fault !== undefined) throw this.#fault.error;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
