import { type ContentView, HeadHashes } from './content-view.ts';
import type { Identity } from './file-identity.ts';
import { PlainContent } from './followed-content.ts';
import type { FollowedPartition } from './followed-partition.ts';
import { EDGE_BYTES } from './last-bytes.ts';

/** What a file that was found turned out to be. */
export type Verdict =
  /** Content that no partition has read. */
  | { readonly kind: 'new' }
  /** The partition goes on in this file. */
  | { readonly kind: 'continues'; readonly partition: FollowedPartition }
  /** Nothing in it that the partition has not read, or will not read from its own file. `isSure`: to its last byte. */
  | { readonly kind: 'copy'; readonly of: FollowedPartition; readonly isSure: boolean }
  /** It cannot be told yet: look again later. */
  | { readonly kind: 'wait' }
  /** It must be unpacked to tell. */
  | { readonly kind: 'unknown' };

export type IdentifyInput = {
  readonly view: ContentView;
  /** Device and inode: a hint. */
  readonly key: string;
  /** It has not changed for a while. */
  readonly isSettled: boolean;
  readonly partitions: readonly FollowedPartition[];
  /** Whether a plain file that a partition was read from, still there, holds all of `view`; undefined when there is none. */
  readonly isPrefixOf: (partition: FollowedPartition, view: ContentView) => Promise<boolean | undefined>;
};

type Candidate = { readonly partition: FollowedPartition; readonly identity: Identity };

const WAIT: Verdict = { kind: 'wait' };
const UNKNOWN: Verdict = { kind: 'unknown' };

/**
 * Recognises a file by its content, whatever its name, inode or packing: against files that are being read, by
 * comparing them; against partitions whose file is gone, by the edges that are remembered.
 */
export async function identify(input: IdentifyInput): Promise<Verdict> {
  const { holders, longer, isUnknown } = await compareWithRemembered(input);
  if (isUnknown) return UNKNOWN;
  const related = await compareWithRead(input);
  if (related !== undefined) return related;
  const best = holders.reduce<Candidate | undefined>((best, one) => (best === undefined || one.identity.next > best.identity.next ? one : best), undefined);
  if (best !== undefined) return { kind: 'continues', partition: best.partition };
  return judgeShorter(input, longer);
}

type Comparison = {
  /** Partitions of which every byte up to `next` is in the file. */
  readonly holders: readonly Candidate[];
  /** Partitions that begin alike and have read more than the file holds. */
  readonly longer: readonly Candidate[];
  readonly isUnknown: boolean;
};

async function compareWithRemembered({ view, partitions }: IdentifyInput): Promise<Comparison> {
  const heads = new HeadHashes(view.head);
  const holders: Candidate[] = [];
  const longer: Candidate[] = [];
  let isUnknown = false;
  for (const partition of partitions) {
    const identity = partition.state === 'reading' ? undefined : partition.identity();
    if (identity === undefined || identity.next === 0) continue;
    const candidate = { partition, identity };
    if (!heads.agree(identity)) {
      if (heads.mayBePart(identity)) longer.push(candidate);
      continue;
    }
    if (view.sizeBytes < identity.next) {
      longer.push(candidate);
      continue;
    }
    const isHeld = await view.holds(partition, identity);
    if (isHeld === true) holders.push(candidate);
    isUnknown ||= isHeld === undefined;
  }
  return { holders, longer, isUnknown };
}

/** Undefined when the file has nothing to do with any file that is being read. */
async function compareWithRead({ view, partitions }: IdentifyInput): Promise<Verdict | undefined> {
  let mustWait = false;
  for (const partition of partitions) {
    const { file } = partition;
    if (partition.state !== 'reading' || file === undefined || !isSameBeginning(partition.head, view.head)) continue;
    const verdict = file.content instanceof PlainContent ? await compareWithFile(partition, file.content, view) : WAIT;
    if (verdict === WAIT) mustWait = true;
    else if (verdict !== undefined) return verdict;
  }
  return mustWait ? WAIT : undefined;
}

/** Of two files one may be the beginning of the other: the longer one is where the log goes on. */
async function compareWithFile(partition: FollowedPartition, content: PlainContent, view: ContentView): Promise<Verdict | undefined> {
  const size = await content.sizeBytes();
  const { place, next } = partition;
  const isIntact = place !== undefined && size > 0 && size >= next && (await content.endsWith(next, place.edgesAt(next).tail));
  // Truncated just now: reading will find out, and then this file may be the copy that was made before.
  if (!isIntact) return WAIT;
  if (view.sizeBytes <= size) {
    return (await content.endsWith(view.sizeBytes, await view.tail())) ? { kind: 'copy', of: partition, isSure: true } : undefined;
  }
  const length = Math.min(EDGE_BYTES, size);
  const before = await view.bytesBefore(size, length);
  if (before !== undefined) return (await content.endsWith(size, before)) ? { kind: 'continues', partition } : undefined;
  const identity = partition.identity();
  if (identity === undefined || identity.next === 0) return WAIT;
  const isHeld = await view.holds(partition, identity);
  if (isHeld === undefined) return UNKNOWN;
  if (!isHeld) return undefined;
  return partition.file?.isAtEnd === true ? { kind: 'continues', partition } : { kind: 'copy', of: partition, isSure: false };
}

function isSameBeginning(head: Uint8Array | undefined, other: Uint8Array): boolean {
  if (head === undefined) return false;
  const length = Math.min(head.length, other.length);
  return length > 0 && Buffer.compare(head.subarray(0, length), other.subarray(0, length)) === 0;
}

async function judgeShorter({ view, key, isSettled, isPrefixOf }: IdentifyInput, longer: readonly Candidate[]): Promise<Verdict> {
  let mustWait = false;
  for (const { partition } of longer) {
    // It was seen to be truncated: what it holds now was written anew. Of a file that is gone the inode may have been given to another.
    if (partition.state === 'orphan' && partition.lastKey === key) continue;
    const isPrefix = await isPrefixOf(partition, view);
    if (isPrefix === true) return { kind: 'copy', of: partition, isSure: true };
    if (isPrefix === undefined) mustWait = true;
  }
  return mustWait && !isSettled ? WAIT : { kind: 'new' };
}
