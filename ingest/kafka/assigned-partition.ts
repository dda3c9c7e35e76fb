import type { PartitionPosition } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import type { Landmark } from './boundary.ts';
import type { ConsumedMessage } from './message-block-consumed.ts';
import type { HaltReason } from './place.ts';

/** Messages that wait to be read: one fetch answer. */
export type Waiting = {
  readonly messages: readonly ConsumedMessage[];
  readonly from: Offset;
  readonly next: Offset;
  readonly bytes: number;
  /** The end of the log, as the broker saw it. */
  readonly isEnd: boolean;
};

/**
 * - settling: where it begins is being found out, or whether its log is still the one that was read
 * - reading: blocks come
 * - halted: a person has to decide; nothing is read
 */
export type Phase = 'settling' | 'reading' | 'halted';

/** What the source knows of one partition under one assignment. */
export class AssignedPartition {
  readonly topic: string;
  readonly number: number;
  /** `kafka:<cluster>/<topic>`: what the store allocates an integer for. */
  readonly source: string;
  readonly name: string;
  readonly label: string;
  phase: Phase = 'settling';
  /** Why it is halted. */
  haltedBy: HaltReason | 'corrupt' | undefined;
  /** The same in words. */
  halt: string | undefined;
  /** Of the current settling: a result for another one is dropped. */
  turn = 0;
  /** Told as `assigned`. */
  isAnnounced = false;
  generation = 0;
  /** The first offset that was not handed to the pump yet. Reading can begin anew there at any time. */
  delivered: Offset = 0;
  /** The first offset that was not fetched yet. */
  fetched: Offset = 0;
  landmark: Landmark | undefined;
  leaderEpoch = -1;
  /** The end of the log when a broker last answered; -1 before. */
  highWatermark: Offset = -1;
  /** The pump wants nothing of it for now. */
  isPaused = false;
  /** As the client was told. A join pauses all. */
  isClientPaused = true;
  /** When the end was told last, monotonic; -1 while there is more. */
  atEndSince = -1;
  readonly waiting: Waiting[] = [];
  waitingBytes = 0;

  constructor(cluster: string, topic: string, number: number) {
    this.topic = topic;
    this.number = number;
    this.source = `kafka:${cluster}/${topic}`;
    this.name = `${this.source}/${number}`;
    this.label = `${topic}/${number}`;
  }

  get position(): PartitionPosition {
    const { source, topic, number, phase, delivered, highWatermark, halt } = this;
    return { source, topic, partition: number, phase, position: delivered, end: highWatermark, halt: phase === 'halted' ? halt : undefined };
  }

  get isReadable(): boolean {
    return this.phase === 'reading' && !this.isPaused && this.waiting.length > 0;
  }

  push(waiting: Waiting): void {
    this.waiting.push(waiting);
    this.waitingBytes += waiting.bytes;
    this.fetched = waiting.next;
  }

  shift(): Waiting | undefined {
    const first = this.waiting.shift();
    if (first !== undefined) this.waitingBytes -= first.bytes;
    return first;
  }

  /** Back to the front: what of it is below `delivered` is passed over. */
  unshift(waiting: Waiting): void {
    this.waiting.unshift(waiting);
    this.waitingBytes += waiting.bytes;
  }

  /** What waits is dropped: it will be fetched again from `delivered`. Returns the turn that the settling has. */
  unsettle(): number {
    this.phase = 'settling';
    this.halt = undefined;
    this.waiting.length = 0;
    this.waitingBytes = 0;
    this.fetched = this.delivered;
    this.atEndSince = -1;
    return ++this.turn;
  }
}

/** The one after the last one that was read, so that none starves. */
export function nextReadable(partitions: Iterable<AssignedPartition>, lastName: string): AssignedPartition | undefined {
  let first: AssignedPartition | undefined;
  let isAfter = false;
  for (const partition of partitions) {
    if (partition.isReadable) {
      if (isAfter) return partition;
      first ??= partition;
    }
    isAfter ||= partition.name === lastName;
  }
  return first;
}
