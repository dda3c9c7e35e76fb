import type { Offset } from '../../core/types.ts';
import type { LogRange } from './log-reader.ts';

/** Where the very first start of all processes began: claimed once per topic, so that a crash before the first segment cannot pick another place. */
export type StartPosition = { readonly from: 'earliest' } | { readonly from: 'latest'; readonly at: ReadonlyMap<number, Offset> };

export function startPosition(from: 'earliest' | 'latest', ranges: ReadonlyMap<number, LogRange>): StartPosition {
  return from === 'earliest' ? { from } : { from, at: new Map([...ranges].map(([partition, { end }]) => [partition, end])) };
}

export function formatStart(start: StartPosition): string {
  return JSON.stringify(start.from === 'earliest' ? start : { from: start.from, at: Object.fromEntries(start.at) });
}

export function parseStart(text: string): StartPosition {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('from' in value)) throw new Error(`the stored start position is not one of ours: ${text}`);
  if (value.from === 'earliest') return { from: 'earliest' };
  if (value.from !== 'latest' || !('at' in value) || typeof value.at !== 'object' || value.at === null)
    throw new Error(`the stored start position is not one of ours: ${text}`);
  return { from: 'latest', at: new Map(Object.entries(value.at).map(([partition, offset]) => [Number(partition), Number(offset)])) };
}

/** Undefined: from the oldest record, as a partition that was added later. */
export function startAt(start: StartPosition, partition: number): Offset | undefined {
  return start.from === 'earliest' ? undefined : start.at.get(partition);
}
