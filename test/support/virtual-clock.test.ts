import { describe, expect, test } from 'vitest';
import { VirtualClock } from './virtual-clock.ts';

const forever = new AbortController().signal;

describe('virtual clock', () => {
  test('sleepers wake in the order of their times, each at its own time', async () => {
    const clock = new VirtualClock(1000);
    const woken: [string, number][] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms, forever);
      woken.push([name, clock.now()]);
    };
    void sleeper('late', 300);
    void sleeper('early', 100);
    void sleeper('never', 5000);
    await clock.advance(400);
    expect(woken).toEqual([
      ['early', 1100],
      ['late', 1300],
    ]);
    expect(clock.now()).toBe(1400);
    expect(clock.monotonic()).toBe(400);
  });

  test('a sleeper that sleeps again within the advance wakes again within it', async () => {
    const clock = new VirtualClock(0);
    const woken: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10, forever);
        woken.push(clock.now());
      }
    };
    void loop();
    await clock.advance(25);
    expect(woken).toEqual([10, 20]);
    await clock.advance(5);
    expect(woken).toEqual([10, 20, 30]);
  });

  test('an aborted sleep ends at once and leaves nothing behind', async () => {
    const clock = new VirtualClock(0);
    const stop = new AbortController();
    const slept = clock.sleep(1_000_000, stop.signal);
    expect(clock.sleepers).toBe(1);
    stop.abort();
    await slept;
    expect(clock.sleepers).toBe(0);
    expect(clock.now()).toBe(0);
  });
});
