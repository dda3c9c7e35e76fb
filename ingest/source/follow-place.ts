import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { assertNever } from '../../core/types.ts';
import { type Compression, detectCompression } from './compression.ts';
import { type ContentView, PlainView } from './content-view.ts';
import { inodeKey } from './file-identity.ts';
import type { FileRecord } from './file-table.ts';
import { type FollowState, closeQuietly, releaseFile, tellFine, tellTrouble } from './follow-state.ts';
import { PackedContent, PlainContent } from './followed-content.ts';
import { FollowedPartition } from './followed-partition.ts';
import { errorCode, fsReason, problem } from './fs-problem.ts';
import { type Verdict, identify } from './identify.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';
import { LineBlocks } from './line-blocks.ts';
import { PackedCheck } from './packed-check.ts';
import { readAt, unpack } from './packed-file.ts';
import { Place } from './place.ts';
import { SAMPLE_BYTES, whyNotText } from './sample.ts';

const NOTHING = new Uint8Array(0);
const LINE_FEED = 10;

/** What became of the handle: kept by whoever reads on, not needed, or needed anew because it was used up. */
type HandleUse = 'kept' | 'unused' | 'usedUp';

/** Looks at a file that was found and decides what becomes of it. Asks for nothing that could hang on a pipe. */
export async function lookAtFile(state: FollowState, record: FileRecord): Promise<void> {
  while ((await lookOnce(state, record)) === 'usedUp');
}

async function lookOnce(state: FollowState, record: FileRecord): Promise<HandleUse> {
  const { path } = record.input;
  let handle: FileHandle | undefined;
  let use: HandleUse = 'unused';
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat({ bigint: true });
    record.role = 'new';
    tellFine(state, path);
    // Otherwise another file took the name since the scan, and the next scan sees it.
    if (inodeKey(stats.dev, stats.ino) === record.key && stats.isFile()) use = await lookInside(state, record, handle, Number(stats.size));
  } catch (error) {
    const reason = fsReason(error);
    if (errorCode(error) !== 'ENOENT') {
      record.role = 'unreadable';
      tellTrouble(state, path, reason);
    }
  } finally {
    if (use === 'unused') await closeQuietly(handle);
  }
  return use;
}

async function lookInside(state: FollowState, record: FileRecord, handle: FileHandle, size: number): Promise<HandleUse> {
  const head = await readAt(handle, 0, Math.min(size, EDGE_BYTES));
  if (head.length === 0) return 'unused';
  const compression = detectCompression(head);
  if (compression !== 'none') return lookInsidePacked(state, record, handle, compression);
  const view = new PlainView(handle, head.length < EDGE_BYTES ? head.length : size, head);
  return carryOut(state, record, await identifyRecord(state, record, view), { handle, view, compression, sample: undefined });
}

async function lookInsidePacked(state: FollowState, record: FileRecord, handle: FileHandle, compression: Exclude<Compression, 'none'>): Promise<HandleUse> {
  if (!isSettled(state, record)) return 'unused';
  const { stamp } = record.input;
  for (const partition of state.partitions.values()) {
    if (partition.state !== 'done' || partition.lastKey !== record.key || partition.stamp !== stamp) continue;
    settle(record, partition);
    return 'unused';
  }
  const { check } = record;
  if (check === undefined || !check.isFinished || record.decidedStamp !== stamp) return startCheck(state, record, handle, compression);
  if (check.sizeBytes === 0) {
    ignore(state, record, check.problemText ?? 'is empty once unpacked: nothing to read');
    return 'unused';
  }
  const verdict = await identifyRecord(state, record, check);
  if (verdict.kind === 'unknown') return startCheck(state, record, handle, compression);
  return carryOut(state, record, verdict, { handle, view: check, compression, sample: check.sample });
}

/** An archive that begins like nothing known is told by its first chunk, in its turn; others are unpacked beside the reading. */
async function startCheck(state: FollowState, record: FileRecord, handle: FileHandle, compression: Exclude<Compression, 'none'>): Promise<HandleUse> {
  await closeQuietly(record.check);
  const check = new PackedCheck(handle, compression, [...state.partitions.values()]);
  record.check = check;
  record.decidedStamp = record.input.stamp;
  await check.step();
  if (check.isFinished) return 'usedUp';
  record.role = 'checking';
  state.checks.push(record);
  return 'kept';
}

function isSettled(state: FollowState, record: FileRecord): boolean {
  const { settleMs } = state.times;
  return state.clock.monotonic() - record.changedAt >= settleMs || state.clock.now() - record.input.modifiedAt >= settleMs;
}

/** Another file that is being unpacked, or is not quiet yet, may turn out to hold what this one has to be compared with. */
function isOtherUndecided(state: FollowState, record: FileRecord): boolean {
  if (state.clock.monotonic() - record.foundAt > state.times.orphanMs) return false;
  return [...state.table.all()].some((other) => other !== record && (other.role === 'checking' || (other.role === 'new' && other.input.sizeBytes > 0)));
}

function identifyRecord(state: FollowState, record: FileRecord, view: ContentView): Promise<Verdict> {
  return identify({
    view,
    key: record.key,
    isSettled: isSettled(state, record) && !isOtherUndecided(state, record),
    partitions: [...state.partitions.values()],
    isPrefixOf: (partition, content) => isPrefixOf(state, partition, content),
  });
}

/** Looks into a file that the partition was read from, or a copy of all it read, where one is still there. */
async function isPrefixOf(state: FollowState, partition: FollowedPartition, view: ContentView): Promise<boolean | undefined> {
  for (const record of state.table.all()) {
    if (record.partition !== partition || (record.role !== 'settled' && !(record.role === 'copy' && record.isSure))) continue;
    const isPrefix = await endsInFile(record, view);
    if (isPrefix !== undefined) return isPrefix;
  }
  return undefined;
}

async function endsInFile(record: FileRecord, view: ContentView): Promise<boolean | undefined> {
  try {
    await using handle = await open(record.input.path, 'r');
    const stats = await handle.stat({ bigint: true });
    if (inodeKey(stats.dev, stats.ino) !== record.key) return undefined;
    const tail = await view.tail();
    const compression = detectCompression(await readAt(handle, 0, EDGE_BYTES));
    const there = compression === 'none' ? await readAt(handle, view.sizeBytes - tail.length, tail.length) : await tailAt(handle, compression, view.sizeBytes);
    // Too short to tell, or cut meanwhile.
    return there.length < tail.length ? undefined : Buffer.compare(there, tail) === 0;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The unpacked bytes before `end`, as `tail` of a file of that size has them. */
async function tailAt(handle: FileHandle, compression: Exclude<Compression, 'none'>, end: number): Promise<Uint8Array> {
  const stream = unpack(handle, compression);
  const tail = new LastBytes();
  let at = 0;
  for (let chunk = await stream.read(); chunk.length > 0 && at < end; chunk = await stream.read()) {
    tail.push(chunk.subarray(0, end - at));
    at += chunk.length;
  }
  stream.close();
  return tail.view();
}

type Looked = { readonly handle: FileHandle; readonly view: ContentView; readonly compression: Compression; readonly sample: Uint8Array | undefined };

async function carryOut(state: FollowState, record: FileRecord, verdict: Verdict, looked: Looked): Promise<HandleUse> {
  switch (verdict.kind) {
    case 'wait':
    case 'unknown':
      return 'unused';
    case 'copy':
      settle(record, verdict.of, looked.view.head);
      if (verdict.of.state !== 'reading') return 'unused';
      record.role = 'copy';
      record.isSure = verdict.isSure;
      record.contentBytes = looked.view.sizeBytes;
      return 'unused';
    case 'continues': {
      const { partition } = verdict;
      if (partition.state === 'done' && partition.next === looked.view.sizeBytes) {
        settle(record, partition, looked.view.head);
        return 'unused';
      }
      if (partition.state === 'reading') await releaseFile(state, partition, 'new');
      await openPartition(state, record, partition, looked);
      return 'kept';
    }
    case 'new':
      return openNew(state, record, looked);
    default:
      return assertNever(verdict);
  }
}

async function openNew(state: FollowState, record: FileRecord, looked: Looked): Promise<HandleUse> {
  const sample = looked.sample ?? (await readAt(looked.handle, 0, SAMPLE_BYTES));
  const whyNot = whyNotText(sample);
  if (whyNot !== undefined) {
    ignore(state, record, `is ${whyNot}`);
    return 'unused';
  }
  // The first line is being written: its format cannot be told yet.
  if (looked.compression === 'none' && sample.length < SAMPLE_BYTES && !sample.includes(LINE_FEED)) return 'unused';
  const partition = new FollowedPartition(state.newId(), undefined);
  partition.place = new Place({ next: 0, head: sample, tail: NOTHING });
  state.partitions.set(partition.name, partition);
  await openPartition(state, record, partition, { ...looked, sample });
  return 'kept';
}

async function openPartition(state: FollowState, record: FileRecord, partition: FollowedPartition, looked: Looked): Promise<void> {
  const { handle, compression } = looked;
  const { path, stamp, modifiedAt } = record.input;
  const { next } = partition;
  const sample = looked.sample ?? (await readAt(handle, 0, SAMPLE_BYTES));
  const isRotated = partition.state === 'orphan' || (partition.path !== '' && !record.paths.has(partition.path));
  const now = state.clock.monotonic();
  let content: PlainContent | PackedContent;
  if (compression === 'none') {
    const tail = await readAt(handle, Math.max(0, next - EDGE_BYTES), Math.min(next, EDGE_BYTES));
    partition.place ??= new Place({ next, head: sample, tail });
    content = new PlainContent(handle, { position: next, tail, head: sample });
  } else content = new PackedContent(handle, compression, next === 0 ? undefined : partition.identity());
  partition.learnHead(sample);
  partition.after = olderContent(state, record, partition);
  partition.lines = new LineBlocks({ offset: next, lineBytesMax: state.lineBytesMax, segmentBytes: state.segmentBytes });
  partition.file = {
    key: record.key,
    path,
    content,
    stamp,
    isRotated,
    isReady: true,
    isAtEnd: false,
    isEnding: false,
    caughtUpAt: undefined,
    grewAt: now - Math.max(0, state.clock.now() - modifiedAt),
    movedAt: isRotated ? now : undefined,
    isPolled: !state.isWatched(path),
  };
  partition.state = 'reading';
  state.reading.add(partition);
  record.role = 'owned';
  record.partition = partition;
  record.check = undefined;
  if (partition.isAnnounced) return;
  partition.isAnnounced = true;
  const size = compression === 'none' ? { sizeBytes: looked.view.sizeBytes } : {};
  state.outbox.push({ kind: 'assigned', partition: partition.name, label: path, from: next, head: sample, ...size });
}

/** Whose content comes first: the older file of the pattern at the start, later the file that had this name before. */
function olderContent(state: FollowState, record: FileRecord, partition: FollowedPartition): FollowedPartition | undefined {
  const group = state.newestInGroup;
  if (group !== undefined) {
    const older = group.get(record.group);
    group.set(record.group, partition);
    return older !== undefined && waitsFor(older, partition) ? undefined : older;
  }
  for (const other of state.reading) {
    if (other.file?.path === record.input.path && !waitsFor(other, partition)) return other;
  }
  return undefined;
}

/** Whether `one` is to be read after `other`: a partition that moved to another file at the start is in the chain already. */
function waitsFor(one: FollowedPartition, other: FollowedPartition): boolean {
  for (let at: FollowedPartition | undefined = one; at !== undefined; at = at.after) if (at === other) return true;
  return false;
}

function settle(record: FileRecord, partition: FollowedPartition, head?: Uint8Array): void {
  if (head !== undefined) partition.learnHead(head);
  record.role = 'settled';
  record.partition = partition;
  record.decidedStamp = record.input.stamp;
}

function ignore(state: FollowState, record: FileRecord, why: string): void {
  record.role = 'ignored';
  record.decidedStamp = record.input.stamp;
  if (record.ignoredWhy !== why) state.outbox.push(problem(record.input.path, why));
  record.ignoredWhy = why;
}
