import type { EventSource, SourceEvent } from '../../../core/ports.ts';
import { type KnownPartition, fileFollow } from '../../../ingest/source/file-follow.ts';
import type { FollowConfig } from '../../../ingest/source/follow-state.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** What a store would hold of a partition: only what was flushed survives a crash. */
type Stored = { next: number; cursor: string; lines: string[] };
type Open = { next: number; lines: string[] };

const STEP_MS = 100;

/** Virtual time begins now, as the files of a test get the real time. */
const ORIGIN = Date.now();

/**
 * Stands for the pipeline and the store: takes events, flushes now and then, is killed and started again. Checks on
 * the way that each partition is delivered without gap or overlap.
 */
export class FollowHarness {
  readonly clock = new VirtualClock(ORIGIN);
  readonly events: SourceEvent[] = [];
  /** Called while an event is being handled: what happens in the middle of a read. */
  onEvent: (event: SourceEvent) => void = () => {};
  /** Store after this many events, in the middle of reading; 0: only when told. */
  flushEvery = 0;
  /** Die after this many more events, in the middle of reading; 0: only when told. */
  dieAfter = 0;
  readonly #config: FollowConfig;
  readonly #stored = new Map<string, Stored>();
  #open = new Map<string, Open>();
  #source: EventSource | undefined;
  #pump: Promise<void> = Promise.resolve();
  #stop = new AbortController();
  #ids = 0;
  #isRunning = false;
  #failure: Error | undefined;

  constructor(config: FollowConfig) {
    this.#config = { usesHints: false, ...config };
  }

  get known(): KnownPartition[] {
    return [...this.#stored].map(([name, { next, cursor }]) => ({ name, next, cursor }));
  }

  start(): void {
    const source = fileFollow(this.#config, {
      clock: this.clock,
      newId: () => (++this.#ids).toString(16).padStart(16, '0'),
      known: this.known,
    });
    this.#source = source;
    this.#stop = new AbortController();
    this.#open = new Map();
    this.#isRunning = true;
    this.#pump = this.#run(source, this.#stop.signal);
  }

  async #run(source: EventSource, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of source.events(signal)) {
        this.#take(event);
        if (this.flushEvery > 0 && this.events.length % this.flushEvery === 0) this.flush();
        if (this.dieAfter > 0 && --this.dieAfter === 0) break;
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error('the source threw something else', { cause: error });
    }
    this.#isRunning = false;
  }

  #take(event: SourceEvent): void {
    this.onEvent(event);
    this.events.push(event.kind === 'block' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
    switch (event.kind) {
      case 'assigned': {
        const stored = this.#stored.get(event.partition);
        if (event.from !== (stored?.next ?? 0)) throw new Error(`${event.partition} starts at ${event.from}, not at ${stored?.next}`);
        this.#open.set(event.partition, { next: event.from, lines: [] });
        return;
      }
      case 'block': {
        const open = this.#openOf(event.partition);
        if (event.offset !== open.next) throw new Error(`block at ${event.offset}, expected ${open.next}`);
        open.next += event.bytes.length;
        open.lines.push(...linesOf(event.bytes));
        return;
      }
      case 'oversized': {
        const open = this.#openOf(event.partition);
        if (event.offset !== open.next) throw new Error(`oversized at ${event.offset}, expected ${open.next}`);
        open.next += event.length;
        open.lines.push(`oversized ${event.length}`);
        return;
      }
      case 'caught_up':
        if (event.position !== this.#openOf(event.partition).next) throw new Error(`caught up at ${event.position}`);
        return;
      case 'finished':
        if (event.position !== this.#openOf(event.partition).next) throw new Error(`finished at ${event.position}`);
        this.#flushOne(event.partition);
        this.#open.delete(event.partition);
        break;
      case 'problem':
        break;
      case 'records':
      case 'revoked':
        throw new Error(`a file source told of ${event.kind}`);
    }
  }

  #openOf(partition: string): Open {
    const open = this.#open.get(partition);
    if (open === undefined) throw new Error(`${partition} was not assigned`);
    return open;
  }

  #flushOne(partition: string): void {
    const open = this.#openOf(partition);
    const stored = this.#stored.get(partition) ?? { next: 0, cursor: '', lines: [] };
    const cursor = this.#source?.cursor(partition, open.next) ?? '';
    this.#stored.set(partition, { next: open.next, cursor, lines: [...stored.lines, ...open.lines] });
    open.lines = [];
  }

  /** Stores what was delivered so far. */
  flush(): void {
    for (const partition of this.#open.keys()) this.#flushOne(partition);
  }

  /** Lets `ms` pass, and everything happen that happens in that time. */
  async pass(ms: number): Promise<void> {
    const target = this.clock.now() + ms;
    await this.#quiet();
    while (this.clock.now() < target) {
      await this.clock.advance(Math.min(STEP_MS, target - this.clock.now()));
      await this.#quiet();
    }
  }

  /** Until the source sleeps: it has done what it can do now. */
  async #quiet(): Promise<void> {
    while (this.#isRunning && this.clock.sleepers === 0) await new Promise((resolve) => setImmediate(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends at once: what was not flushed is lost with the process. */
  async kill(): Promise<void> {
    this.#stop.abort();
    await this.#pump;
    await this.#source?.[Symbol.asyncDispose]();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Every line stored, of all partitions. */
  storedLines(): string[] {
    return [...this.#stored.values()].flatMap(({ lines }) => lines);
  }

  problems(): string[] {
    return this.events.filter((event) => event.kind === 'problem').map((event) => `${event.subject}: ${event.message}`);
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

export function linesOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('latin1');
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}
