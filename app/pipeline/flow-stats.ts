import type { Clock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus, PartitionProgress } from '../../core/ports.ts';
import { HistogramCells } from '../http/histogram.ts';

type Flow = { received: number; dropped: number; rejects: Map<string, number> };
type Last = { readonly segment: string; readonly records: number; readonly dropped: number; readonly rejects: ReadonlyMap<string, number> };

/** What passed through this process since its start, by source: taken from the batches on their way to the judge. */
export class FlowStats implements PartialBus {
  readonly delays = new HistogramCells();
  readonly #next: PartialBus;
  readonly #clock: Clock;
  readonly #flows = new Map<number, Flow>();
  /** Absolute values of the newest segment of each partition: what comes again counts once. */
  readonly #last = new Map<string, Last>();

  constructor(next: PartialBus, clock: Clock) {
    this.#next = next;
    this.#clock = clock;
  }

  /** By the store's number of the source. */
  get flows(): ReadonlyMap<number, Readonly<Flow>> {
    return this.#flows;
  }

  async publish(batch: PartialBatch): Promise<void> {
    this.#count(batch);
    await this.#next.publish(batch);
  }

  hint(batch: PartialBatch): void {
    this.#next.hint(batch);
  }

  async progress(partitions: readonly PartitionProgress[]): Promise<void> {
    await this.#next.progress(partitions);
  }

  #count(batch: PartialBatch): void {
    const { source, partition, generation, start } = batch.segment;
    const name = `${source}/${partition}`;
    const segment = `${generation}/${start}`;
    const last = this.#last.get(name);
    const before = last?.segment === segment ? last : undefined;
    const flow = this.#flows.get(source) ?? { received: 0, dropped: 0, rejects: new Map<string, number>() };
    this.#flows.set(source, flow);
    const rejects = new Map(Object.entries(batch.rejects).map(([reason, { count }]) => [reason, count]));
    const events = Math.max(0, batch.records - (before?.records ?? 0));
    flow.received += events;
    flow.dropped += Math.max(0, batch.dropped - (before?.dropped ?? 0));
    for (const [reason, count] of rejects) flow.rejects.set(reason, (flow.rejects.get(reason) ?? 0) + Math.max(0, count - (before?.rejects.get(reason) ?? 0)));
    this.#last.set(name, { segment, records: batch.records, dropped: batch.dropped, rejects });
    if (events > 0 && batch.newest > 0) this.delays.add(Math.max(0, this.#clock.now() - batch.newest) / 1000, events);
  }
}
