import type { PartitionHead } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';

/**
 * What the batch at the stored segment's start looks like now: `same` checksum, an `other` one, `unreadable`
 * (removed by retention, damaged), or `unknown` because no checksum was stored.
 */
export type Boundary = 'same' | 'other' | 'unreadable' | 'unknown';

/** Where reading of a partition goes on, or why it must not. `resume` of an `assigned` event is `kind`. */
export type Place =
  | { readonly kind: 'segment' | 'rows' | 'fresh'; readonly from: Offset }
  | { readonly kind: 'halt'; readonly why: HaltReason; readonly message: string };

export type HaltReason = 'recreated' | 'truncated' | 'removed' | 'newer_generation';

/** What an operator does about each kind of halt. */
const WAY_ON = '`keywatch generation new` lets counting go on; what is stored stays as it is';

export type PlaceQuestion = {
  /** The newest segment that the store holds of this partition; none means that nothing of it was ever counted. */
  readonly head: PartitionHead | undefined;
  /** The current one, from the control document. */
  readonly generation: number;
  /** The oldest readable record, and the end of the log. */
  readonly logStart: Offset;
  readonly logEnd: Offset;
  readonly boundary: Boundary;
  /** Where the very first start began; undefined for a partition that was found later or is read from the earliest record. */
  readonly startAt: Offset | undefined;
};

/** The generation that a first start opens. */
const FIRST_GENERATION = 1;

/**
 * protocol.md 2: the chain in the store decides the position, never the committed offset. Pure, so that every
 * line of the protocol is a row of a table in the tests.
 */
export function planPlace(question: PlaceQuestion): Place {
  const { head, generation } = question;
  if (head === undefined) return firstPlace(question);
  if (head.segment.generation > generation) {
    return {
      kind: 'halt',
      why: 'newer_generation',
      message: `the store holds generation ${head.segment.generation} and the control document says ${generation}: restore the control document that belongs to this store`,
    };
  }
  return head.segment.generation === generation ? nextPlace(question, head) : newGeneration(question, head);
}

function firstPlace({ generation, logStart, logEnd, startAt }: PlaceQuestion): Place {
  // A log that ends before the claimed start is a newer one than the claim: nothing of it was counted.
  if (startAt === undefined || startAt > logEnd) return { kind: 'fresh', from: logStart };
  if (startAt >= logStart) return { kind: 'fresh', from: startAt };
  // Whoever opened a new generation accepted that these are lost.
  if (generation > FIRST_GENERATION) return { kind: 'fresh', from: logStart };
  return removed(startAt, logStart);
}

function nextPlace({ logStart, logEnd, boundary }: PlaceQuestion, head: PartitionHead): Place {
  const acked = head.next;
  const { start } = head.segment;
  if (boundary === 'other') {
    return {
      kind: 'halt',
      why: 'recreated',
      message: `the record at offset ${start} is not the one that was counted: the topic was deleted and made anew. ${WAY_ON}`,
    };
  }
  if (logEnd < acked) {
    return {
      kind: 'halt',
      why: 'truncated',
      message: `the log ends at offset ${logEnd}, but records up to ${acked} were counted: the topic was made anew, or its brokers lost records. ${WAY_ON}`,
    };
  }
  if (logStart > acked) return removed(acked, logStart);
  if (head.isSealed) return { kind: 'fresh', from: acked };
  // The rows are made anew from the segment's start; where that is gone, the stored rows are gone on with, each event gated by its row.
  const isReadable = logStart <= start && boundary !== 'unreadable';
  return isReadable ? { kind: 'segment', from: start } : { kind: 'rows', from: acked };
}

function newGeneration({ logStart, logEnd, boundary }: PlaceQuestion, head: PartitionHead): Place {
  const isNewLog = boundary === 'other' || logEnd < head.next;
  return { kind: 'fresh', from: isNewLog ? logStart : Math.max(head.next, logStart) };
}

function removed(acked: Offset, logStart: Offset): Place {
  return {
    kind: 'halt',
    why: 'removed',
    message: `records ${acked} to ${logStart - 1} were removed from the topic before they were counted (its retention is shorter than the time that this partition was not read). ${WAY_ON}`,
  };
}
