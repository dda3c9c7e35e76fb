import type { Offset } from '../../core/types.ts';
import { type FileCursor, type Identity, encodeCursor, identityOf, inodeKey } from './file-identity.ts';
import type { FollowedContent } from './followed-content.ts';
import { EDGE_BYTES } from './last-bytes.ts';
import type { LineBlocks } from './line-blocks.ts';
import type { Place } from './place.ts';

/**
 * - lost: known, but no file of it is open: not found yet, or not readable · reading: its file is open
 * - orphan: its file was truncated under it; a copy may turn up that goes on where it stopped
 * - done: read to its end and announced as finished; it comes back when its file grows after all
 */
export type PartitionState = 'lost' | 'reading' | 'orphan' | 'done';

/** What an open file is at the moment. Times are monotonic. */
export type OpenFile = {
  readonly key: string;
  readonly path: string;
  readonly content: FollowedContent;
  /** For a packed file: its size and change time. */
  readonly stamp: string;
  /** Opened under a name that logs get when they are put away. */
  readonly isRotated: boolean;
  /** More may be there. */
  isReady: boolean;
  /** Everything was read at the last look. */
  isAtEnd: boolean;
  /** Its end has come if nothing turns up at one more look. */
  isEnding: boolean;
  /** The position that was announced last as the present end. */
  caughtUpAt: Offset | undefined;
  grewAt: number;
  /** Since when no name that it was opened by leads to it. */
  movedAt: number | undefined;
  /** No directory watcher reports its changes. */
  isPolled: boolean;
};

/** One partition over its life: the files it is read from may change, its name and positions do not. */
export class FollowedPartition {
  readonly name: string;
  state: PartitionState;
  /** `assigned` was said and `finished` was not. */
  isAnnounced = false;
  file: OpenFile | undefined;
  lines: LineBlocks | undefined;
  place: Place | undefined;
  #head: Uint8Array | undefined;
  /** Not before this one was read to its end once: older content first. */
  after: FollowedPartition | undefined;
  orphanedAt = 0;
  /** Its file had not been read to the end when it was truncated. */
  isCut = false;
  /** How it was stored, or how it ended: known where no place is. */
  #cursor: FileCursor | undefined;

  constructor(name: string, cursor: FileCursor | undefined) {
    this.name = name;
    this.#cursor = cursor;
    this.state = cursor?.isDone === true ? 'done' : 'lost';
  }

  /** The file that it was last read from, as a hint. */
  get lastKey(): string {
    return this.file?.key ?? (this.#cursor === undefined ? '' : inodeKey(this.#cursor.device, this.#cursor.inode));
  }

  get path(): string {
    return this.file?.path ?? this.#cursor?.path ?? '';
  }

  get next(): Offset {
    return this.place?.next ?? this.#cursor?.next ?? 0;
  }

  /** What is known of the beginning of its content, at most 4096 bytes. */
  get head(): Uint8Array | undefined {
    return this.place?.head ?? this.#head;
  }

  learnHead(head: Uint8Array): void {
    if (this.#head === undefined || this.#head.length < head.length) this.#head = head.slice(0, EDGE_BYTES);
  }

  /** Size and change time of a packed file that was read to its end. */
  get stamp(): string | undefined {
    return this.#cursor?.stamp;
  }

  identity(): Identity | undefined {
    return this.place === undefined ? this.#cursor : identityOf(this.place.next, this.place.edgesAt(this.place.next));
  }

  cursor(next: Offset): string {
    if (this.place !== undefined) return encodeCursor(this.#cursorAt(this.place, next));
    if (this.#cursor?.next === next) return encodeCursor(this.#cursor);
    throw new RangeError(`BUG: no place is known at ${next} in the partition ${this.name}`);
  }

  /** The file is about to be let go: what is known of it stays. */
  remember(): void {
    if (this.place !== undefined) this.#cursor = this.#cursorAt(this.place, this.place.next);
  }

  /** Frees the memory of a partition that is done. */
  forgetPlace(): void {
    this.remember();
    if (this.place !== undefined) this.learnHead(this.place.head);
    this.place = undefined;
    this.lines = undefined;
  }

  #cursorAt(place: Place, next: Offset): FileCursor {
    const [device = '', inode = ''] = this.lastKey.split(':');
    const isDone = this.state === 'done' && next === place.next;
    const compression = this.file?.content.compression ?? this.#cursor?.compression ?? 'none';
    const stamp = isDone && compression !== 'none' ? (this.file?.stamp ?? this.#cursor?.stamp) : undefined;
    return { ...identityOf(next, place.edgesAt(next)), device, inode, path: this.path, compression, isDone, stamp };
  }
}
