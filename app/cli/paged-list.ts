import { InvalidArgumentError } from 'commander';
import type { PageMark } from '../../core/ports.ts';
import { type Cursor, cursorText, parseCursor } from '../operate/cursor.ts';

/** `--after`. */
export function parseAfter(text: string): Cursor {
  const cursor = parseCursor(text);
  if (cursor === undefined) throw new InvalidArgumentError('expected what the end of the list before printed; leave it out to begin at the newest');
  return cursor;
}

/** What one call prints of a list, and where the next goes on; undefined at the end. */
export type Listed<T> = { readonly items: readonly T[]; readonly next: string | undefined };

/** Reads the parts of a list one after the other, all of it or `limit` items behind `after`. */
export async function listed<T extends { readonly startedAt: number; readonly id: string }>(
  parts: readonly ((after: PageMark | undefined) => AsyncIterable<T>)[],
  { limit = Number.POSITIVE_INFINITY, after }: { readonly limit?: number | undefined; readonly after?: Cursor | undefined },
): Promise<Listed<T>> {
  const items: T[] = [];
  let mark: Cursor | undefined;
  for (const [part, read] of parts.entries()) {
    const begin = after?.part ?? 0;
    if (part < begin) continue;
    for await (const item of read(part === begin ? after : undefined)) {
      if (items.length === limit) return { items, next: mark === undefined ? undefined : cursorText(mark) };
      items.push(item);
      mark = { at: item.startedAt, id: item.id, part };
    }
  }
  return { items, next: undefined };
}
