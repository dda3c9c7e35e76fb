import { utimesSync, writeFileSync } from 'node:fs';
import type { SourceEvent } from '../../../core/ports.ts';
import { assertNever } from '../../../core/types.ts';
import type { FollowConfig } from '../../../ingest/source/follow-state.ts';
import { FollowHarness } from './follow-harness.ts';
import { problemsOf, type tempDirectory } from './support.ts';

export type Directory = ReturnType<typeof tempDirectory>;

/** A following source over patterns in a directory, started. */
export function follow(directory: Directory, patterns: readonly string[] = ['access.log*'], config: Partial<FollowConfig> = {}): FollowHarness {
  const harness = new FollowHarness({ patterns: patterns.map(directory.path), ...config });
  harness.start();
  return harness;
}

/** `line from` to `line to - 1`. */
export function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');
}

/** A short word for each event: what a reader of the test has to see. */
export function story(events: readonly SourceEvent[], directory: Directory): string[] {
  return events.map((event): string => {
    const partition = 'partition' in event ? Number.parseInt(event.partition ?? '', 16) : 0;
    switch (event.kind) {
      case 'assigned':
        return `${partition} assigned ${event.label.slice(directory.root.length + 1)} from ${event.from}`;
      case 'block':
        return `${partition} ${Buffer.from(event.bytes).toString().trimEnd().replaceAll('\n', ', ')}`;
      case 'records':
      case 'revoked':
        throw new Error(`BUG: a file gave ${event.kind}`);
      case 'oversized':
        return `${partition} oversized ${event.length}`;
      case 'caught_up':
        return `${partition} caught up at ${event.position}`;
      case 'finished':
        return `${partition} finished at ${event.position}`;
      case 'problem':
        return problemsOf([event], directory.root).join('');
      default:
        return assertNever(event);
    }
  });
}

const LONG_AGO = Math.floor(Date.now() / 1000) - 40 * 86_400;

/** Content that was last changed long ago. */
export function old(directory: Directory, name: string, content: string | Uint8Array): void {
  writeFileSync(directory.path(name), content);
  utimesSync(directory.path(name), LONG_AGO, LONG_AGO);
}

/** Runs a harness to its end and gives what is stored. */
export async function end(harness: FollowHarness): Promise<string[]> {
  harness.flush();
  await harness.kill();
  return harness.storedLines();
}
