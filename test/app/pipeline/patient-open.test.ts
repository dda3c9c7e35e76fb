import { expect, test } from 'vitest';
import { openPatiently } from '../../../app/pipeline/patient-open.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

class Away extends Error {}

function scene(outcomes: readonly (Error | 'hangs' | 'opens')[]) {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const seen = { attempts: [] as number[], waits: [] as string[], over: 0, closed: 0 };
  const late = Promise.withResolvers<AsyncDisposable>();
  const opened: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve(void seen.closed++) };
  const open = (): Promise<AsyncDisposable> => {
    const outcome = outcomes[Math.min(seen.attempts.length, outcomes.length - 1)];
    seen.attempts.push(clock.now());
    return outcome === 'opens' ? Promise.resolve(opened) : outcome instanceof Error ? Promise.reject(outcome) : late.promise;
  };
  const opening = openPatiently(open, {
    clock,
    signal: stop.signal,
    isAway: (error): error is Error => error instanceof Away,
    onWait: (reason) => void seen.waits.push(reason),
    onOver: () => void seen.over++,
  });
  return { clock, stop, seen, opening, opened, late };
}

test('what is away is tried again after 1, 2, 4, … at most 30 seconds, and each reason is told once', async () => {
  const gone = new Away('gone');
  const { clock, seen, opening, opened } = scene([gone, gone, gone, new Away('red'), gone, gone, gone, 'opens']);
  await clock.advance(200_000);
  expect(await opening).toBe(opened);
  expect(seen).toEqual({ attempts: [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000], waits: ['gone', 'red', 'gone'], over: 1, closed: 0 });
});

test('what only a person can change ends it at once', async () => {
  const { clock, seen, opening } = scene([new Away('gone'), new Error('401')]);
  const ended = opening.then(
    () => 'opened',
    (error: unknown) => String(error),
  );
  await clock.advance(10_000);
  expect(await ended).toBe('Error: 401');
  expect(seen.attempts).toEqual([0, 1000]);
});

test('told to stop between two attempts, it makes no other one', async () => {
  const { clock, stop, seen, opening } = scene([new Away('gone')]);
  await clock.advance(500);
  stop.abort();
  expect(await opening).toBeUndefined();
  expect(seen.attempts).toEqual([0]);
});

test('told to stop during an attempt that hangs, it waits two seconds for it and no longer', async () => {
  const { clock, stop, opening } = scene(['hangs']);
  await clock.settle();
  stop.abort();
  await clock.advance(2000);
  expect(await opening).toBeUndefined();
});

test('what is opened after it was told to stop is closed again', async () => {
  const { clock, stop, seen, opening, opened, late } = scene(['hangs']);
  await clock.settle();
  stop.abort();
  late.resolve(opened);
  expect(await opening).toBeUndefined();
  expect(seen.closed).toBe(1);
});
