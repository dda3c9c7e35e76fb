/** A pump over a source that gives what the test says, when it says it, and a store and a bus that answer when told. */
import type { PartialBatch } from '../../core/partial.ts';
import type { DeadLetter, EventSource, MetricStore, PartialBus, PartitionProgress, SourceEvent } from '../../core/ports.ts';
import { OK, type Outcome } from '../../core/types.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { Pump, type PumpOptions } from '../../ingest/pump.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { testNormaliser } from '../support/ingest.ts';
import { recordBlock } from '../support/record-block.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

export const T = Date.UTC(2026, 0, 5, 10, 0, 30);

export function eventLine(key = 'a-key-of-mine', more: object = {}): string {
  return JSON.stringify({ ts: T, key, status: 200, ip: '198.18.0.1', ...more });
}

export type Harness = {
  readonly store: MetricStore;
  readonly pump: Pump;
  readonly clock: VirtualClock;
  /** What happened, in order: `put p0 5`, `sealed p0 5`, `told p0 5`, `letters p0 2`, `commit p0 5`, `pause p0`, `resume p0`. */
  readonly log: string[];
  readonly problems: string[];
  readonly told: PartialBatch[];
  readonly hints: PartialBatch[];
  readonly progress: (readonly PartitionProgress[])[];
  readonly letters: DeadLetter[];
  /** What the store, the bus and the dead letters answer from now on, by partition. */
  onPut: (batch: PartialBatch) => Promise<Outcome> | Outcome;
  onPublish: (batch: PartialBatch) => Promise<void> | void;
  onLetters: () => Promise<Outcome> | Outcome;
  readonly stop: AbortController;
  /** Resolves when the pump has taken it and waits for more. */
  feed(...events: readonly SourceEvent[]): Promise<void>;
  /** Hands it over without waiting for the pump. */
  give(event: SourceEvent): void;
  end(): Promise<void>;
  readonly running: Promise<void>;
};

export function harness(options: Partial<PumpOptions> = {}, store: MetricStore = memoryMetricStore()): Harness {
  const clock = new VirtualClock(T);
  const events: SourceEvent[] = [];
  let wake: (() => void) | undefined;
  let isOver = false;
  let asked = Promise.withResolvers<void>();
  const made = {
    store,
    clock,
    log: [] as string[],
    problems: [] as string[],
    told: [] as PartialBatch[],
    hints: [] as PartialBatch[],
    progress: [] as (readonly PartitionProgress[])[],
    letters: [] as DeadLetter[],
    onPut: (): Promise<Outcome> | Outcome => OK,
    onPublish: (): Promise<void> | void => undefined,
    onLetters: (): Promise<Outcome> | Outcome => OK,
    stop: new AbortController(),
  };
  const say = (what: string, { segment, next }: PartialBatch): void => void made.log.push(`${what} p${segment.partition} ${next}`);
  const watched: MetricStore = new Proxy(store, {
    get: (target, name) => {
      if (name !== 'put') {
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (batch: PartialBatch): Promise<Outcome> => {
        const outcome = await harnessed.onPut(batch);
        if (!outcome.ok) return outcome;
        if (batch.records > 0) say(batch.isSealed ? 'sealed' : 'put', batch);
        return target.put(batch);
      };
    },
  });
  const bus: PartialBus = {
    publish: async (batch) => {
      await harnessed.onPublish(batch);
      say('told', batch);
      made.told.push(batch);
    },
    hint: (batch) => void made.hints.push(batch),
    progress: async (partitions) => void made.progress.push(partitions),
  };
  async function* given(signal: AbortSignal): AsyncGenerator<SourceEvent> {
    signal.addEventListener('abort', () => wake?.(), { once: true });
    for (;;) {
      asked.resolve();
      while (events.length === 0) {
        if (isOver || signal.aborted) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const event = events.shift();
      if (event !== undefined) yield event;
    }
  }
  const source: EventSource = {
    name: 'test',
    events: given,
    cursor: () => '',
    stored: async (name, place) => void made.log.push(`commit ${name} ${place.next}${place.isSealed ? ' sealed' : ''}`),
    pause: (name) => void made.log.push(`pause ${name}`),
    resume: (name) => void made.log.push(`resume ${name}`),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const pump = new Pump(
    {
      segmentBytes: 1 << 20,
      detect: { format: 'json', envelope: 'none', map: { fields: { time: 'ts', secret: 'key', status: 'status', address: 'ip' } } },
      limits: DEFAULT_LIMITS,
      flushMs: 5000,
      unackedBatches: 4,
      normaliser: () => testNormaliser(),
      ...options,
    },
    {
      source,
      store: watched,
      bus,
      clock,
      onProblem: (message) => made.problems.push(message),
      origin: 'test',
      deadLetters: {
        put: async (letters) => {
          const outcome = await harnessed.onLetters();
          if (!outcome.ok) return outcome;
          made.log.push(`letters p${letters[0]?.partition} ${letters.length}`);
          made.letters.push(...letters);
          return OK;
        },
      },
    },
  );
  const running = pump.run(made.stop.signal);
  running.catch(() => undefined);
  const feed = async (...list: readonly SourceEvent[]): Promise<void> => {
    for (const event of list) {
      await asked.promise;
      asked = Promise.withResolvers();
      events.push(event);
      wake?.();
      await Promise.race([asked.promise, running]);
      await clock.settle();
    }
  };
  const harnessed: Harness = Object.assign(made, {
    pump,
    running,
    feed,
    give: (event: SourceEvent) => {
      events.push(event);
      wake?.();
    },
    end: async () => {
      isOver = true;
      wake?.();
      await running;
    },
  });
  return harnessed;
}

export function assigned(number: number, more: Partial<Extract<SourceEvent, { kind: 'assigned' }>> = {}): SourceEvent {
  return {
    kind: 'assigned',
    partition: `p${number}`,
    label: `topic/${number}`,
    from: 0,
    head: new Uint8Array(0),
    source: 'topic',
    number,
    segments: 'chain',
    resume: 'fresh',
    ...more,
  };
}

/** One event per record, or what `values` says; a minute later each time `at` says so. */
export function records(number: number, from: number, values: readonly string[] | number, at = T): SourceEvent {
  const list = typeof values === 'number' ? Array.from({ length: values }, () => eventLine()) : values;
  return recordBlock(
    `p${number}`,
    list.map((value, i) => ({ offset: from + i, at, value })),
  );
}
