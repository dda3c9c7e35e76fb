import { expect, test } from 'vitest';
import { loadConfig } from '../../../app/config/load.ts';
import { ConfiguredDirectory } from '../../../app/pipeline/configured-directory.ts';
import { type Lead, Judging } from '../../../app/pipeline/judging.ts';
import { AlertDesk } from '../../../alerts/desk.ts';
import type { PartitionProgress } from '../../../core/ports.ts';
import type { EpochMs } from '../../../core/types.ts';
import { startOf } from '../../../core/window.ts';
import { createJudge } from '../../../detectors/judge.ts';
import { memoryJournal } from '../../../storage/memory/journal.ts';
import { T0, batch, key, row } from '../../detectors/support.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const NOW = startOf(T0 + 10);
const LATENESS_MIN_MS = 5000;

/** How far a judge that leads is behind the clock, after batches that were put on the bus `delayMs` after their events and taken `lagMs` later. */
async function lateness(delayMs: number, lagMs: number, progress: Pick<PartitionProgress, 'isAtEnd' | 'completeAt'>): Promise<number> {
  const clock = new VirtualClock(NOW);
  const directory = new ConfiguredDirectory(loadConfig({ env: {} }).config);
  const judging = new Judging({
    judge: createJudge({ directory }),
    directory,
    clock,
    progress: () => [{ source: 1, partition: 0, newest: NOW, heardAt: NOW, ...progress }],
  });
  for (let i = 0; i < 50; i++) {
    const at: EpochMs = clock.now() - lagMs;
    await judging.publish(batch([row(T0 + 9, key('a'), { requests: 1 })], { next: i + 1, newest: at - delayMs }), at);
  }
  const desk = await AlertDesk.open({ journal: memoryJournal(), channels: [], rules: [], directory, clock, random: () => 0 });
  await judging.lead({ desk } satisfies Lead, () => Promise.reject(new Error('BUG: nothing is ahead')));
  // What reads is still there and complete.
  await judging.advance();
  return clock.now() - (judging.watermark ?? 0);
}

test('that the judge was busy does not make events late', async () => {
  expect(await lateness(1000, 140_000, { isAtEnd: true })).toBe(LATENESS_MIN_MS);
});

test('events that come late are waited for', async () => {
  const waited = await lateness(40_000, 0, { isAtEnd: true });
  expect(waited).toBeGreaterThan(38_000);
  expect(waited).toBeLessThan(42_000);
});

test('a busy partition is followed by when it was last complete; a backlog says nothing about how late events come', async () => {
  expect(await lateness(40_000, 0, { isAtEnd: false, completeAt: NOW - 1000 })).toBeGreaterThan(39_000);
  expect(await lateness(800_000, 0, { isAtEnd: false, completeAt: NOW - 70_000 })).toBe(60_000);
});
