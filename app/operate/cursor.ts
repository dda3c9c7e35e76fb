import type { PageMark } from '../../core/ports.ts';

/** A place in a list. `part`: of a list that is made of several, which one. */
export type Cursor = PageMark & { readonly part?: number };

/** Opaque to whoever hands it back. */
export function cursorText({ at, id, part }: Cursor): string {
  return Buffer.from(JSON.stringify(part === undefined ? [at, id] : [at, id, part])).toString('base64url');
}

/** Undefined when it is not one of ours. */
export function parseCursor(text: string): Cursor | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [at, id, part] = parsed as readonly unknown[];
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || typeof id !== 'string') return undefined;
  if (part === undefined) return { at, id };
  return typeof part === 'number' && Number.isSafeInteger(part) && part >= 0 ? { at, id, part } : undefined;
}

/** The rest of a whole list that is sorted as pages are: newest first, then by id. */
export function restAfter<T>(list: readonly T[], mark: (item: T) => PageMark, after: PageMark | undefined): readonly T[] {
  if (after === undefined) return list;
  return list.filter((item) => {
    const { at, id } = mark(item);
    return at < after.at || (at === after.at && id > after.id);
  });
}
