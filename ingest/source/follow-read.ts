import type { SourceEvent } from '../../core/ports.ts';
import { type FollowState, releaseFile, tellTrouble } from './follow-state.ts';
import { PackedContent, type ReadStep } from './followed-content.ts';
import type { FollowedPartition, OpenFile } from './followed-partition.ts';
import { fsReason, problem } from './fs-problem.ts';
import type { LineEvent } from './line-blocks.ts';
import { Place } from './place.ts';

const NOTHING = new Uint8Array(0);

/** Reads one chunk of a partition's file and hands out what is whole of it. */
export async function* readPartition(state: FollowState, partition: FollowedPartition, buffer: Uint8Array): AsyncGenerator<SourceEvent> {
  const { file, lines } = partition;
  if (file === undefined || lines === undefined) return;
  partition.after = undefined;
  const step = await readStep(state, partition, file, buffer);
  switch (step?.kind) {
    case undefined:
    case 'skipped':
      return;
    case 'changed':
      await orphan(state, partition, file);
      return;
    case 'end':
      file.isReady = false;
      file.isAtEnd = true;
      if (file.caughtUpAt !== lines.position) {
        file.caughtUpAt = lines.position;
        yield { kind: 'caught_up', partition: partition.name, position: lines.position };
      }
      if (file.isEnding || file.content instanceof PackedContent) yield* finishPartition(state, partition);
      return;
    case 'chunk':
      if (file.isAtEnd) file.grewAt = state.clock.monotonic();
      file.isAtEnd = false;
      file.isEnding = false;
      yield* handOut(partition, lines.push(step.bytes));
  }
}

/** Undefined after a read error: the file is then tried again at every scan. */
async function readStep(state: FollowState, partition: FollowedPartition, file: OpenFile, buffer: Uint8Array): Promise<ReadStep | undefined> {
  try {
    const step = file.content instanceof PackedContent ? await file.content.read() : await file.content.read(buffer);
    if (file.content instanceof PackedContent && file.content.seenTail !== undefined) {
      partition.place ??= new Place({ next: partition.next, head: partition.head ?? NOTHING, tail: file.content.seenTail });
    }
    return step;
  } catch (error) {
    tellTrouble(state, file.path, fsReason(error));
    partition.state = 'lost';
    await releaseFile(state, partition, 'unreadable');
    return undefined;
  }
}

/** Its file was truncated or rewritten. A copy that was made before may hold the rest; what the file holds now is another partition. */
async function orphan(state: FollowState, partition: FollowedPartition, file: OpenFile): Promise<void> {
  partition.state = 'orphan';
  partition.orphanedAt = state.clock.monotonic();
  partition.isCut = !file.isAtEnd;
  await releaseFile(state, partition, 'new');
  state.wantsScan = true;
}

/** Everything was read: a last line without a line feed is delivered, the file closed, the end announced. */
export async function* finishPartition(state: FollowState, partition: FollowedPartition): AsyncGenerator<SourceEvent> {
  const { file } = partition;
  if (file?.content instanceof PackedContent && file.content.problemText !== undefined) {
    yield problem(file.path, file.content.problemText, partition.name);
  }
  yield* handOut(partition, partition.lines?.end() ?? []);
  const isLost = partition.state === 'orphan' && partition.isCut;
  partition.state = 'done';
  await releaseFile(state, partition, 'settled');
  if (isLost)
    yield problem(
      partition.path,
      `was truncated before byte ${partition.next} and what followed was read, and no copy of it was found: lines may be lost`,
      partition.name,
    );
  partition.isAnnounced = false;
  yield { kind: 'finished', partition: partition.name, position: partition.next };
  partition.forgetPlace();
}

function* handOut(partition: FollowedPartition, events: readonly LineEvent[]): Generator<SourceEvent> {
  const { name, place } = partition;
  if (place === undefined) throw new Error(`BUG: the partition ${name} is read without a place`);
  for (const event of events) {
    if (event.kind === 'block') {
      place.advance(event.bytes);
      yield { kind: 'block', partition: name, offset: event.offset, bytes: event.bytes };
    } else {
      place.pass(event.length, event.tail);
      yield { kind: 'oversized', partition: name, offset: event.offset, length: event.length };
    }
  }
  place.settle();
}

/** While it is open whose a file is, an orphan waits longer; not for ever, since that file may never be finished. */
const UNDECIDED_FACTOR = 6;

/** Partitions whose end has come: put away long enough ago, quiet for long, or truncated without a copy. */
export function dueToFinish(state: FollowState): FollowedPartition[] {
  const now = state.clock.monotonic();
  const isUndecided = [...state.table.all()].some((record) => record.role === 'checking' || (record.role === 'new' && record.input.sizeBytes > 0));
  return [...state.partitions.values()].filter((partition) => {
    if (partition.state === 'orphan') return now - partition.orphanedAt >= state.times.orphanMs * (isUndecided ? UNDECIDED_FACTOR : 1);
    const { file } = partition;
    if (partition.state !== 'reading' || file === undefined || !file.isAtEnd || file.isReady) return false;
    if (file.movedAt !== undefined) return now - Math.max(file.movedAt, file.grewAt) >= state.times.movedMs;
    return now - file.grewAt >= state.times.idleMs && partition.lines?.pendingBytes === 0;
  });
}

/** Partitions that the store knows, that were not finished, and whose file nobody found. */
export function tellLost(state: FollowState): void {
  for (const partition of state.partitions.values()) {
    if (partition.state !== 'lost' || state.troubles.has(partition.path)) continue;
    const message = `what followed byte ${partition.next} cannot be found: the file was removed or rewritten while keywatch did not run`;
    state.outbox.push(problem(partition.path, message, partition.name));
  }
}
