import { type ContentView, HeadHashes } from './content-view.ts';
import type { Identity } from './file-identity.ts';
import type { FollowedPartition } from './followed-partition.ts';
import { PlainContent } from './followed-content.ts';

/** What a file that was found turned out to be. */
export type Verdict =
  /** Content that no partition has read. */
  | { readonly kind: 'new' }
  /** The partition goes on in this file. */
  | { readonly kind: 'continues'; readonly partition: FollowedPartition }
  /** Nothing in it that the partition has not read, or will not read from its own file. `isSure`: to its last byte. */
  | { readonly kind: 'copy'; readonly of: FollowedPartition; readonly isSure: boolean }
  /** It may be a copy that is still being written: look again later. */
  | { readonly kind: 'wait' }
  /** It must be unpacked to tell. */
  | { readonly kind: 'unknown' };

export type IdentifyInput = {
  readonly view: ContentView;
  /** Device and inode: a hint. */
  readonly key: string;
  /** It has not changed for a while. */
  readonly isSettled: boolean;
  readonly partitions: Iterable<FollowedPartition>;
  /** Whether the plain file that a partition was last read from holds the end of `view`; undefined when it is gone. */
  readonly isPrefixOf: (partition: FollowedPartition, view: ContentView) => Promise<boolean | undefined>;
};

type Candidate = { readonly partition: FollowedPartition; readonly identity: Identity };

/** Recognises a file by the edges of its content, whatever its name, inode or packing. */
export async function identify(input: IdentifyInput): Promise<Verdict> {
  const { holders, longer, isUnknown } = await compare(input);
  if (isUnknown) return { kind: 'unknown' };
  const own = holders.find(({ partition }) => partition.state !== 'reading' && partition.lastKey === input.key);
  if (own !== undefined) return { kind: 'continues', partition: own.partition };
  for (const { partition, identity } of holders) {
    if (partition.state !== 'reading') continue;
    if (await isAhead(partition, input.view)) return { kind: 'continues', partition };
    return { kind: 'copy', of: partition, isSure: input.view.sizeBytes <= identity.next };
  }
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

async function compare({ view, partitions }: IdentifyInput): Promise<Comparison> {
  const heads = new HeadHashes(view.head);
  const holders: Candidate[] = [];
  const longer: Candidate[] = [];
  let isUnknown = false;
  for (const partition of partitions) {
    const identity = partition.identity();
    if (identity === undefined || identity.next === 0) continue;
    const candidate = { partition, identity };
    if (!heads.agree(identity)) {
      if (view.sizeBytes < identity.headLength && beginsWith(partition, view.head)) longer.push(candidate);
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

/** For content shorter than what was hashed; unknown of a partition that only the store knows. */
function beginsWith(partition: FollowedPartition, content: Uint8Array): boolean {
  return partition.place !== undefined && Buffer.compare(partition.place.head.subarray(0, content.length), content) === 0;
}

/** A file with content that the partition's own file lacks is where its log goes on: the own one is a dead copy, or was truncated just now. */
async function isAhead(partition: FollowedPartition, view: ContentView): Promise<boolean> {
  const content = partition.file?.content;
  return !view.isPacked && content instanceof PlainContent && (await content.sizeBytes()) < view.sizeBytes;
}

async function judgeShorter({ view, key, isSettled, isPrefixOf }: IdentifyInput, longer: readonly Candidate[]): Promise<Verdict> {
  let mustWait = false;
  for (const { partition } of longer) {
    // The same inode with less in it was truncated and written anew.
    if (partition.lastKey === key) continue;
    const isPrefix = await isPrefixOf(partition, view);
    if (isPrefix === true) return { kind: 'copy', of: partition, isSure: true };
    if (isPrefix === undefined) mustWait = true;
  }
  return mustWait && !isSettled ? { kind: 'wait' } : { kind: 'new' };
}
