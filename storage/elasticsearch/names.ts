import { createHash } from 'node:crypto';

import { dayName, monthName } from '../calendar.ts';
import { ElasticsearchFault } from './fault.ts';
import type { SegmentRef } from '../../core/partial.ts';
import { type EntityId, type Minute, entityKind } from '../../core/types.ts';

/** Ids may have 512 bytes; the rest of a row's id takes at most some 50. */
const TERM_BYTES_MAX = 400;

/** Index names by calendar, so that what is old goes as whole indices. */
export class IndexNames {
  readonly prefix: string;
  /** Values that all processes share, marks of changed hours, eras. */
  readonly control: string;
  /** The chain: one document per segment. */
  readonly segment: string;
  readonly alias: string;

  constructor(prefix: string) {
    if (!/^[a-z0-9][a-z0-9_-]{0,99}$/.test(prefix)) {
      throw new ElasticsearchFault(`elasticsearch: index prefix ${JSON.stringify(prefix)} is no name for an index: lower case letters, digits, - and _ only`, {
        isRetryable: false,
      });
    }
    this.prefix = prefix;
    this.control = `${prefix}-control`;
    this.segment = `${prefix}-segment`;
    this.alias = `${prefix}-alias`;
  }

  /** Rows of a UTC day. The era grows each time the day's rows are dropped: `keywatch-partial-2026.01.05`, then `…-1`. */
  partial(day: Minute, era: number): string {
    return `${this.prefix}-partial-${dotted(dayName(day))}${suffix(era)}`;
  }

  /** Held rows of a day; they go with the rows. */
  held(day: Minute, era: number): string {
    return `${this.prefix}-held-${dotted(dayName(day))}${suffix(era)}`;
  }

  /** Hours of a month. */
  hours(month: Minute, era: number): string {
    return `${this.prefix}-1h-${dotted(monthName(month))}${suffix(era)}`;
  }

  /** Days of the year that holds `day`. */
  days(day: Minute): string {
    return `${this.prefix}-1d-${dayName(day).slice(0, 4)}`;
  }

  /** The start and the era that a calendar name stands for; undefined for any other name. */
  parse(name: string): { readonly level: 'partial' | 'held' | '1h' | '1d'; readonly start: Minute; readonly era: number } | undefined {
    if (!name.startsWith(`${this.prefix}-`)) return undefined;
    const found = /^(partial|held|1h|1d)-(\d{4})(?:\.(\d\d))?(?:\.(\d\d))?(?:-(\d+))?$/.exec(name.slice(this.prefix.length + 1));
    if (found === null) return undefined;
    const [, level, year, month = '01', day = '01', era = '0'] = found;
    const start = Date.parse(`${year}-${month}-${day}T00:00:00Z`) / 60_000;
    return { level: level as 'partial' | 'held' | '1h' | '1d', start, era: Number(era) };
  }
}

function dotted(name: string): string {
  return name.replaceAll('-', '.');
}

function suffix(era: number): string {
  return era === 0 ? '' : `-${era}`;
}

/** How an entity stands in ids and in the indexed field: as it is, or hashed where it is too long for an id. Its kind stays in front. */
export function termOf(entity: EntityId): string {
  // A character has at most three bytes (a pair of surrogates has four).
  if (entity.length * 3 <= TERM_BYTES_MAX || Buffer.byteLength(entity) <= TERM_BYTES_MAX) return entity;
  return `${entityKind(entity)}:~${createHash('sha256').update(entity).digest('hex')}`;
}

/** Which share of all entities it is in, of `BUCKETS`: what is too much for one pass is read bucket by bucket. */
export const BUCKETS = 1024;
export function bucketOf(term: string): number {
  let hash = 0x811c9dc5 ^ term.length;
  // Sixteen characters or fewer, from all over it: shares need not be equal.
  const step = (term.length >>> 4) + 1;
  for (let i = term.length - 1; i >= 0; i -= step) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1);
}

export function base36(value: number): string {
  return value.toString(36);
}

/** `source.partition.start.generation` in base 36. */
export function segmentName({ source, partition, start, generation }: SegmentRef): string {
  return `${base36(source)}.${base36(partition)}.${base36(start)}.${base36(generation)}`;
}

export function parseSegment(name: string): SegmentRef {
  const [source = 0, partition = 0, start = 0, generation = 0] = name.split('.').map((part) => Number.parseInt(part, 36));
  return { source, partition, generation, start };
}

/** Below zero when `a` comes before `b` in their chain. */
export function compareSegments(a: SegmentRef, b: SegmentRef): number {
  return a.generation - b.generation || a.start - b.start;
}

export function chainName({ source, partition }: { readonly source: number; readonly partition: number }): string {
  return `${base36(source)}.${base36(partition)}`;
}
