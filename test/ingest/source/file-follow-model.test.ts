import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FollowHarness } from './follow-harness.ts';
import { RotatingLog } from './rotating-log.ts';

/** Short times, so that a history of a few seconds sees every one of them run out. */
const TIMES = { pollMs: 200, scanMs: 400, settleMs: 600, orphanMs: 2000, movedMs: 1000, idleMs: 3000 } as const;

const RUNS = Number(process.env['KEYWATCH_RUNS'] ?? 150);

/** Which of two logs it happens to, for what happens to a log. */
type Step = { readonly log: 0 | 1 } & StepKind;
type StepKind =
  | { readonly kind: 'append'; readonly lines: number }
  | { readonly kind: 'partial' | 'rename' | 'copy' | 'flush' | 'kill' | 'delete' | 'backUp' }
  | { readonly kind: 'slowCopy' | 'pass'; readonly ms: number }
  | { readonly kind: 'crash'; readonly after: number }
  | { readonly kind: 'pack'; readonly index: number; readonly suffix: '.gz' | '.zst'; readonly ms: number };

const pause = fc.constantFrom(100, 300, 700, 1500, 4000);
const stepKind: fc.Arbitrary<StepKind> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), lines: fc.constantFrom(1, 2, 7, 40) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: pause }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('slowCopy' as const), ms: pause }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), after: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pack' as const),
      index: fc.integer({ min: 1, max: 3 }),
      suffix: fc.constantFrom('.gz' as const, '.zst' as const),
      ms: pause,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom('partial' as const, 'rename' as const, 'copy' as const, 'flush' as const, 'kill' as const, 'delete' as const, 'backUp' as const),
    }),
  },
);

/** Most histories are about one log. */
const step: fc.Arbitrary<Step> = fc
  .tuple(stepKind, fc.oneof({ weight: 3, arbitrary: fc.constant(0 as const) }, { weight: 1, arbitrary: fc.constant(1 as const) }))
  .map(([kind, log]) => ({ log, ...kind }));

const steps = fc.array(step, { minLength: 3, maxLength: 24 });
const flushEvery = fc.constantFrom(0, 0, 1, 3);

async function play(
  steps: readonly Step[],
  options: { readonly header?: string | undefined; readonly lengthMax: number; readonly segmentBytes: number; readonly flushEvery: number },
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch-follow-'));
  const harness = new FollowHarness({ patterns: [join(directory, '*.log*')], segmentBytes: options.segmentBytes, ...TIMES });
  const logs = ['access.log', 'other.log'].map((name) => new RotatingLog({ directory, name, now: () => harness.clock.now(), header: options.header }));
  harness.flushEvery = options.flushEvery;
  // While it is down, time and the log go on.
  let isUp = true;
  harness.start();
  const pass = (ms: number): Promise<void> => (isUp ? harness.pass(ms) : harness.clock.advance(ms));
  const flush = (): void => {
    if (isUp) harness.flush();
  };
  try {
    for (const step of steps) {
      const log = logs[step.log];
      if (log === undefined) throw new Error('there is no such log');
      switch (step.kind) {
        case 'append':
          log.append(step.lines, options.lengthMax);
          break;
        case 'partial':
          log.appendPartial(options.lengthMax);
          break;
        case 'rename':
          log.rotateByRename();
          break;
        case 'copy':
          await log.rotateByCopy(() => Promise.resolve());
          break;
        case 'slowCopy':
          await log.rotateByCopy(() => pass(step.ms));
          break;
        case 'backUp':
          log.backUp();
          break;
        case 'pack':
          await log.pack(step.index, step.suffix, () => pass(step.ms));
          break;
        case 'pass':
          await pass(step.ms);
          break;
        case 'flush':
          flush();
          break;
        case 'kill':
          if (isUp) await harness.kill();
          else harness.start();
          isUp = !isUp;
          break;
        case 'crash':
          if (!isUp) break;
          harness.dieAfter = step.after;
          await harness.pass(700);
          harness.dieAfter = 0;
          await harness.kill();
          isUp = false;
          break;
        case 'delete':
          // What is deleted unread is lost to everyone; logrotate deletes what is weeks old.
          if (!isUp) break;
          await pass(5000);
          flush();
          log.deleteOldest();
          break;
      }
    }
    for (const log of logs) log.finish();
    if (!isUp) harness.start();
    await harness.pass(8000);
    harness.flush();
    await harness.kill();
    expect(harness.storedLines().sort()).toEqual(logs.flatMap(({ written }) => written).sort());
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('following a log through any history', () => {
  test('every line is delivered exactly once, whatever is appended, rotated, packed, deleted and killed', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(40, 400), fc.constantFrom(512, 8192, 2 ** 25), flushEvery, (steps, lengthMax, segmentBytes, flushEvery) =>
        play(steps, { lengthMax, segmentBytes, flushEvery }),
      ),
      { numRuns: RUNS },
    );
  }, 600_000);

  test('the same holds when every file begins with the same lines', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom('#Version: 1.0', '#'.repeat(5000)), flushEvery, (steps, header, flushEvery) =>
        play(steps, { lengthMax: 400, segmentBytes: 2 ** 25, header, flushEvery }),
      ),
      { numRuns: RUNS },
    );
  }, 600_000);
});
