import type { Clock } from '../../core/clock.ts';
import type { SourceEvent } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import type { FileRecord, FileTable } from './file-table.ts';
import { errorCode, problem } from './fs-problem.ts';
import type { FollowedPartition } from './followed-partition.ts';

/** How a following source behaves. All durations are of the injected clock. */
export type FollowConfig = {
  /** Files, globs and directories. What does not exist yet is waited for. */
  readonly patterns: readonly string[];
  readonly lineBytesMax?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** How often a file that grew lately is looked at. Default 200 ms. */
  readonly pollMs?: DurationMs | undefined;
  /** How often new names are looked for. Default 2 s. */
  readonly scanMs?: DurationMs | undefined;
  /** A packed file, or one that may be a copy in the making, must not have changed for this long. Default 2 s. */
  readonly settleMs?: DurationMs | undefined;
  /** How long a copy of a truncated file is waited for. Default 10 s. */
  readonly orphanMs?: DurationMs | undefined;
  /** A renamed or deleted file that did not grow for this long is finished. Default 1 min. */
  readonly movedMs?: DurationMs | undefined;
  /** A file that did not grow for this long is closed; it comes back when it grows. Default 1 h. */
  readonly idleMs?: DurationMs | undefined;
  /** Ask the kernel to tell of changes, beside polling. Default true. */
  readonly usesHints?: boolean | undefined;
};

export type FollowTimes = { readonly [K in 'pollMs' | 'scanMs' | 'settleMs' | 'orphanMs' | 'movedMs' | 'idleMs']: DurationMs };

/** What the parts of the following source share. Only its one loop changes it. */
export type FollowState = {
  readonly times: FollowTimes;
  readonly lineBytesMax: number | undefined;
  readonly segmentBytes: number | undefined;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly table: FileTable;
  readonly partitions: Map<string, FollowedPartition>;
  /** Those with an open file. */
  readonly reading: Set<FollowedPartition>;
  /** Files that are being unpacked to see whose they are. */
  readonly checks: FileRecord[];
  /** To be delivered before anything else is read. */
  readonly outbox: SourceEvent[];
  /** What is wrong at the moment, by subject: told when it starts and when it is over. */
  readonly troubles: Map<string, string>;
  /** The partition that was opened last in each pattern, while the files found at the start are opened. */
  newestInGroup: Map<number, FollowedPartition> | undefined;
  /** Whether changes of a file in this directory are reported by the kernel. */
  readonly isWatched: (path: string) => boolean;
  wantsScan: boolean;
};

export function tellTrouble(state: FollowState, subject: string, message: string): void {
  if (state.troubles.get(subject) === message) return;
  state.troubles.set(subject, message);
  state.outbox.push(problem(subject, message));
}

export function tellFine(state: FollowState, subject: string): void {
  if (state.troubles.delete(subject)) state.outbox.push(problem(subject, 'can be read again'));
}

/** A file that is let go: a failure to close it changes nothing for what was read. */
export async function closeQuietly(closable: { close(): Promise<void> } | undefined): Promise<void> {
  try {
    await closable?.close();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

/** The file of a partition is let go and looked at anew, by whoever it belongs to then. */
export async function releaseFile(state: FollowState, partition: FollowedPartition, role: 'new' | 'settled' | 'unreadable'): Promise<void> {
  const { file } = partition;
  if (file === undefined) return;
  partition.remember();
  partition.file = undefined;
  state.reading.delete(partition);
  const record = state.table.get(file.key);
  if (record?.partition === partition) {
    record.role = role;
    record.decidedStamp = record.input.stamp;
    if (role !== 'settled') record.partition = undefined;
  }
  await closeQuietly(file.content);
}
