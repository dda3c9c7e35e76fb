/**
 * The crash law of message logs: real pumps over a log with redeliveries, a store that is left half written, a bus, and
 * processes that die, are replaced, and go on writing although they were. Whatever happens, what is stored and what the
 * judge was told is what an independent count says.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { PartialBatch } from '../../core/partial.ts';
import { REFUSED } from '../../core/types.ts';
import { HalfStore, type Write } from '../support/half-store.ts';
import { type TestLog, boundariesOf, logArb, placed } from './record-log.ts';
import { compare, truthOf } from './law-lines.ts';
import { Worker } from './record-worker.ts';

export type RecordStep =
  | { readonly kind: 'read'; readonly worker: number; readonly partition: number; readonly blocks: number; readonly isFlushed: boolean; readonly again: number }
  | { readonly kind: 'take'; readonly worker: number; readonly partition: number; readonly isTold: boolean; readonly mode: 'segment' | 'rows' }
  | { readonly kind: 'kill'; readonly worker: number }
  | { readonly kind: 'acknowledge'; readonly worker: number; readonly count: number }
  | { readonly kind: 'late'; readonly share: number }
  | { readonly kind: 'retention'; readonly partition: number }
  | { readonly kind: 'commit'; readonly partition: number }
  | { readonly kind: 'generation' };

export type RecordHistory = {
  readonly logs: readonly TestLog[];
  readonly steps: readonly RecordStep[];
  /** What becomes of each put, publish and commit, in turn. */
  readonly fates: readonly number[];
  readonly isQueued: boolean;
};

const workerArb = fc.nat(2);
const partitionArb = fc.nat(1);
const stepArb: fc.Arbitrary<RecordStep> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      worker: workerArb,
      partition: partitionArb,
      blocks: fc.integer({ min: 1, max: 4 }),
      isFlushed: fc.boolean(),
      again: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      worker: workerArb,
      partition: partitionArb,
      isTold: fc.boolean(),
      mode: fc.constantFrom('segment' as const, 'rows' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), worker: workerArb }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), worker: workerArb, count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), share: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retention' as const), partition: partitionArb }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('commit' as const), partition: partitionArb }) },
);

export const recordHistoryArb: fc.Arbitrary<RecordHistory> = fc.record({
  logs: fc.array(logArb, { minLength: 1, maxLength: 2 }),
  steps: fc
    .tuple(fc.array(stepArb, { minLength: 1, maxLength: 40 }), fc.oneof({ weight: 5, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(20) }))
    .map(([steps, at]): readonly RecordStep[] => (at < 0 ? steps : [...steps.slice(0, at), { kind: 'generation' }, ...steps.slice(at)])),
  fates: fc.array(fc.nat(99), { minLength: 1, maxLength: 40 }),
  isQueued: fc.boolean(),
});

/** What outlives the processes, and who reads what. */
export class World {
  readonly store = new HalfStore();
  readonly logs: readonly TestLog[];
  readonly logStart: number[];
  readonly committed: (number | undefined)[];
  generation = 1;
  /** What the judge knows: the newest version of every row. */
  readonly told = new Map<string, { readonly next: number; readonly cells: string }>();
  /** Per partition, up to where everything is stored and told. */
  readonly published: number[];
  /** Writes of processes that died or were replaced, which may still arrive. */
  readonly stray: Write[][] = [];
  readonly #fates: readonly number[];
  #fate = 0;

  constructor(logs: readonly TestLog[], fates: readonly number[]) {
    this.logs = logs;
    this.logStart = logs.map((log) => log.records[0]?.offset ?? 0);
    this.committed = logs.map(() => undefined);
    this.published = logs.map(() => 0);
    this.#fates = fates;
  }

  nextFate(): number {
    return this.#fates[this.#fate++ % this.#fates.length] ?? 0;
  }

  /** What the dead had sent arrives in part, or not at all. */
  settleStray(): void {
    for (const writes of this.stray.splice(0)) for (const write of writes.slice(0, this.nextFate() % (writes.length + 1))) write();
  }

  tell(batch: PartialBatch): void {
    const { source, partition, generation, start } = batch.segment;
    const gone = batch.gone.filter((row) => !row.isHeld).map((row) => ({ ...row, cells: new Uint8Array(0) }));
    for (const { window, entity, cells } of [...gone, ...batch.rows]) {
      const place = `${source} ${partition} ${generation} ${start} ${window} ${entity}`;
      const before = this.told.get(place);
      if (before === undefined || batch.next >= before.next) this.told.set(place, { next: batch.next, cells: Buffer.from(cells).toString('hex') });
    }
    this.published[partition] = Math.max(this.published[partition] ?? 0, batch.next);
  }

  /** Last of all, and never ahead of the store and the judge. */
  commit(partition: number, place: { readonly next: number; readonly isSealed: boolean }): void {
    expect(place.next).toBeLessThanOrEqual(this.published[partition] ?? 0);
    if (!place.isSealed) return;
    expect(this.store.segments().some(({ segment, next, isSealed }) => segment.partition === partition && next === place.next && isSealed)).toBe(true);
    this.committed[partition] = place.next;
  }
}

export async function checkRecordHistory(history: RecordHistory): Promise<void> {
  const { logs, fates } = history;
  const world = new World(logs, fates);
  const workers = await play(history, world);
  for (const worker of workers) worker.kill();
  world.settleStray();
  const last = new Worker(world, { isQueued: false, isFaultless: true });
  for (let partition = 0; partition < logs.length; partition++) await last.take(partition, world.nextFate() % 2 === 0 ? 'segment' : 'rows');
  await last.finish();
  await check(world, history);
}

async function play({ steps, isQueued, logs }: RecordHistory, world: World): Promise<Worker[]> {
  const workers = Array.from({ length: 3 }, () => new Worker(world, { isQueued, isFaultless: false }));
  const at = (index: number): Worker => {
    const worker = workers[index];
    if (worker !== undefined && !worker.isDead) return worker;
    return (workers[index] = new Worker(world, { isQueued, isFaultless: false }));
  };
  for (const step of steps) {
    const partition = 'partition' in step ? step.partition % logs.length : 0;
    switch (step.kind) {
      case 'read':
        await at(step.worker).read(partition, step);
        break;
      case 'take':
        // Whoever is not told goes on as if it were still its own.
        if (step.isTold) for (const worker of workers) if (worker !== workers[step.worker]) await worker.lose(partition);
        await at(step.worker).take(partition, step.mode);
        break;
      case 'kill':
        at(step.worker).kill();
        break;
      case 'acknowledge':
        await at(step.worker).acknowledge(step.count);
        break;
      case 'late': {
        const writes = world.stray.shift() ?? [];
        for (const write of writes.slice(0, Math.ceil((writes.length * step.share) / 9))) write();
        break;
      }
      case 'retention': {
        const head = world.store.heads().find(({ segment }) => segment.partition === partition);
        if (head !== undefined) world.logStart[partition] = Math.max(world.logStart[partition] ?? 0, head.next - (world.nextFate() % 3));
        break;
      }
      case 'commit':
        world.committed[partition] = world.nextFate() * 3;
        break;
      case 'generation':
        // Only of an empty group, and of one that has been empty for a moment.
        for (const worker of workers) worker.kill();
        world.settleStray();
        world.generation++;
        break;
    }
  }
  return workers;
}

async function check(world: World, { logs, steps }: RecordHistory): Promise<void> {
  const { store } = world;
  const isCutAnew = steps.some(({ kind }) => kind === 'generation');
  const chain = store.segments();
  const startsIn = (partition: number): readonly number[] => chain.filter(({ segment }) => segment.partition === partition).map(({ segment }) => segment.start);
  if (!isCutAnew) logs.forEach((log, partition) => expect(startsIn(partition)).toEqual(boundariesOf(log)));
  const { lines, placeOf, events } = placed(logs, isCutAnew ? (_log, partition) => startsIn(partition) : boundariesOf);
  await compare({ windows: (query) => asyncOf(store.windows(query)) }, truthOf(lines, placeOf));
  const counted = chain.reduce(
    (sum, { records, dropped, rejects }) => sum + records - dropped - Object.values(rejects).reduce((all, { count }) => all + count, 0),
    0,
  );
  expect(counted).toBe(events);
  // Every segment but the last of each chain is closed.
  for (const head of chain.filter(({ isSealed }) => !isSealed)) expect(head.segment.start).toBe(startsIn(head.segment.partition).at(-1));
  const dump = store.dump();
  const told = new Map(
    [...world.told].filter(([place, { cells }]) => cells !== '' && !place.endsWith(` ${REFUSED}`)).map(([place, { cells }]) => [place, cells]),
  );
  expect(Object.fromEntries([...told].sort(([a], [b]) => (a < b ? -1 : 1)))).toEqual(
    Object.fromEntries(Object.entries(dump).filter(([place]) => !place.endsWith(` ${REFUSED}`))),
  );
  if (!isCutAnew) expect(dump).toEqual(await uninterrupted(logs));
}

async function uninterrupted(logs: readonly TestLog[]): Promise<Record<string, string>> {
  const world = new World(logs, [0]);
  const worker = new Worker(world, { isQueued: false, isFaultless: true });
  for (let partition = 0; partition < logs.length; partition++) await worker.take(partition, 'segment');
  await worker.finish();
  return world.store.dump();
}

async function* asyncOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
