/** One process of the record law: a real pump, fed block by block, over a store that answers as its fate says. */
import type { Clock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import { OK, type Outcome, failed } from '../../core/types.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { Pump } from '../../ingest/pump.ts';
import { type Write, halfStore } from '../support/half-store.ts';
import { testNormaliser } from '../support/ingest.ts';
import { BASE_MINUTE } from './law-lines.ts';
import { blockOf } from './record-log.ts';
import type { World } from './record-law.ts';

const NEVER = new Promise<never>(() => undefined);
const FLUSH_MS = 5000;
const REFUSALS_MAX = 6;

export class Worker {
  readonly #world: World;
  readonly #isFaultless: boolean;
  readonly #isQueued: boolean;
  readonly #pump: Pump;
  readonly #running: Promise<void>;
  readonly #events: SourceEvent[] = [];
  readonly #positions = new Map<number, number>();
  readonly #paused = new Set<string>();
  readonly #died = Promise.withResolvers<void>();
  #slow: { readonly writes: readonly Write[]; readonly resolve: (outcome: Outcome) => void }[] = [];
  #sleepers: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #isAsked = Promise.withResolvers<void>();
  #isOver = false;
  #refusals = 0;
  #now = BASE_MINUTE * 60_000;
  isDead = false;

  constructor(world: World, options: { readonly isQueued: boolean; readonly isFaultless: boolean }) {
    this.#world = world;
    this.#isFaultless = options.isFaultless;
    this.#isQueued = options.isQueued;
    const detect = { format: 'json', envelope: 'none', map: { fields: MAP, latencyUnit: 'ms' as const } };
    this.#pump = new Pump(
      { segmentBytes: 1, detect, limits: DEFAULT_LIMITS, flushMs: FLUSH_MS, normaliser: () => testNormaliser(), unackedBatches: options.isQueued ? 3 : 0 },
      {
        source: this.#source(),
        store: halfStore(world.store, (batch) => this.#put(batch)),
        bus: { publish: (batch) => this.#publish(batch), hint: () => undefined, progress: async () => undefined },
        clock: this.#clock(),
        onProblem: () => undefined,
        origin: 'test',
      },
    );
    this.#running = this.#pump.run(new AbortController().signal);
    this.#running.catch(() => undefined);
  }

  /** As a source decides: the chain says where counting goes on, and the log whether that can be read. */
  async take(partition: number, wanted: 'segment' | 'rows'): Promise<void> {
    const { store, logStart, generation } = this.#world;
    const start = logStart[partition] ?? 0;
    const head = store.heads().find(({ segment }) => segment.partition === partition);
    const place =
      head === undefined
        ? { resume: 'fresh' as const, from: start }
        : head.isSealed || head.segment.generation < generation
          ? { resume: 'fresh' as const, from: head.next }
          : wanted === 'segment' && head.segment.start >= start
            ? { resume: 'segment' as const, from: head.segment.start }
            : { resume: 'rows' as const, from: head.next };
    this.#positions.set(partition, place.from);
    this.#paused.delete(nameOf(partition));
    const label = `topic/${partition}`;
    await this.#feed({
      kind: 'assigned',
      partition: nameOf(partition),
      label,
      head: new Uint8Array(0),
      source: 'topic',
      number: partition,
      segments: 'chain',
      generation,
      ...place,
    });
  }

  async lose(partition: number): Promise<void> {
    if (!this.#positions.delete(partition) || this.isDead) return;
    await this.#feed({ kind: 'revoked', partition: nameOf(partition) });
  }

  /** Some blocks, the first of them perhaps delivered before; the last one perhaps at a time when a flush is due. */
  async read(partition: number, options: { readonly blocks: number; readonly isFlushed: boolean; readonly again: number }): Promise<void> {
    const log = this.#world.logs[partition];
    for (let n = 0; n < options.blocks && !this.isDead; n++) {
      const position = this.#positions.get(partition);
      if (log === undefined || position === undefined || this.#paused.has(nameOf(partition))) return;
      const index = log.batches.findIndex((batch) => (batch.at(-1)?.offset ?? -1) >= position);
      if (index < 0) return;
      const from = Math.max(0, index - (n === 0 ? options.again : 0));
      const batch = (log.batches[from] ?? []).filter(({ offset }) => offset >= (this.#world.logStart[partition] ?? 0) || from === index);
      if (options.isFlushed && n === options.blocks - 1) this.#now += FLUSH_MS;
      if (batch.length > 0) await this.#feed(blockOf(log, batch, nameOf(partition)));
      this.#positions.set(partition, Math.max(position, (log.batches[from]?.at(-1)?.offset ?? 0) + 1));
    }
  }

  /** The store answers what it was slow to answer, and whoever sleeps looks again. */
  async acknowledge(count: number): Promise<void> {
    for (const { writes, resolve } of this.#slow.splice(0, count)) {
      for (const write of writes) write();
      resolve(OK);
    }
    for (const wake of this.#sleepers.splice(0)) wake();
    await settle();
  }

  /** As by kill -9: what it had sent may arrive or not. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const { writes } of this.#slow) this.#world.stray.push([...writes]);
    this.#died.resolve();
  }

  /** Reads everything that is there, and stops as it should. */
  async finish(): Promise<void> {
    for (const partition of this.#positions.keys()) await this.read(partition, { blocks: Number.MAX_SAFE_INTEGER, isFlushed: false, again: 0 });
    this.#isOver = true;
    this.#wake?.();
    await this.#running;
  }

  async #feed(event: SourceEvent): Promise<void> {
    if (this.isDead) return;
    await this.#turn(this.#isAsked.promise);
    if (this.isDead) return;
    this.#isAsked = Promise.withResolvers();
    this.#events.push(event);
    this.#wake?.();
    await this.#turn(this.#isAsked.promise);
    await settle();
  }

  /** Until the pump wants more; one that waits for a slow store is given its answer, one that sleeps is woken. */
  async #turn(asked: Promise<void>): Promise<void> {
    let isAsked = false;
    void asked.then(() => (isAsked = true));
    for (let turns = 0; ; turns++) {
      await Promise.race([asked, this.#died.promise, settle(), this.#running]);
      if (isAsked || this.isDead) return;
      if (turns > 20) await this.acknowledge(1);
      if (turns > 10_000) throw new Error('the pump does not go on');
    }
  }

  async *#fed(): AsyncGenerator<SourceEvent> {
    for (;;) {
      this.#isAsked.resolve();
      while (this.#events.length === 0) {
        if (this.#isOver) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      const event = this.#events.shift();
      if (event !== undefined) yield event;
    }
  }

  #source(): EventSource {
    return {
      name: 'test',
      events: () => this.#fed(),
      cursor: () => '',
      stored: (name, place) => {
        if (this.isDead) return NEVER;
        this.#world.commit(Number(name.slice(name.indexOf('/') + 1)), place);
        if (this.#isFaultless || this.#world.nextFate() < 96) return Promise.resolve();
        this.kill();
        return NEVER;
      },
      pause: (name) => void this.#paused.add(name),
      resume: (name) => void this.#paused.delete(name),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  #clock(): Clock {
    return {
      now: () => this.#now,
      monotonic: () => this.#now,
      sleep: (_ms, signal) =>
        signal.aborted
          ? Promise.resolve()
          : new Promise((resolve) => {
              this.#sleepers.push(resolve);
              signal.addEventListener('abort', () => resolve(), { once: true });
            }),
    };
  }

  async #put(batch: PartialBatch): Promise<Outcome> {
    if (this.isDead) return NEVER;
    const fate = this.#isFaultless ? 0 : this.#world.nextFate();
    const writes = this.#world.store.writesOf(batch).flatMap((step) => this.#shuffled(step));
    if (fate < 60) return this.#done(writes);
    // Not for ever.
    if (fate < 75 && this.#refusals++ < REFUSALS_MAX) return failed('too busy, or a mapping', fate < 70);
    if (fate < 75) return this.#done(writes);
    if (fate < 85 && this.#isQueued) return new Promise((resolve) => this.#slow.push({ writes, resolve }));
    // It dies in the middle, or before it hears of it; what was on its way may arrive much later.
    const cut = fate < 97 ? this.#world.nextFate() % (writes.length + 1) : writes.length;
    for (const write of writes.slice(0, cut)) write();
    this.kill();
    if (fate % 2 === 0) this.#world.stray.push(writes.slice(cut));
    return NEVER;
  }

  #done(writes: readonly Write[]): Outcome {
    for (const write of writes) write();
    return OK;
  }

  #shuffled(writes: readonly Write[]): readonly Write[] {
    if (this.#isFaultless || writes.length < 2) return writes;
    return writes
      .map((write, index) => ({ write, rank: (this.#world.nextFate() * 31 + index * 17) % 101 }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ write }) => write);
  }

  async #publish(batch: PartialBatch): Promise<void> {
    if (this.isDead) return NEVER;
    const fate = this.#isFaultless ? 0 : this.#world.nextFate();
    if (fate < 94 || fate >= 97) this.#world.tell(batch);
    if (fate < 94) return;
    this.kill();
    return NEVER;
  }
}

const MAP = { time: 'ts', address: 'ip', target: 'path', method: 'm', status: 'status', bytesOut: 'out', latency: 'ms', agent: 'ua', secret: 'key' };

function nameOf(partition: number): string {
  return `topic/${partition}`;
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
