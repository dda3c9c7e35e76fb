import type { Paint, Style } from '../cli/style.ts';
import { clip, displayWidth, printable } from '../cli/text.ts';

/** Letters, blocks and lines that take one column each: nearly all of the screen, and not worth a walk over graphemes. */
const NARROW = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u25fc\u2713\u2717]*$/;

/** As `displayWidth`, for text without colours. */
export function columnsOf(text: string): number {
  return NARROW.test(text) ? text.length : displayWidth(text);
}

/** As `clip`. */
export function cut(text: string, width: number): string {
  if (!NARROW.test(text)) return clip(text, width);
  if (text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
}

/** A piece of a line with its colour. */
export type Segment = string | readonly [text: string, style: Style | undefined];

/** One line of at most `width` columns: what does not fit is cut, and colours end where they must. */
export function line(segments: readonly Segment[], width: number, paint: Paint): string {
  let left = width;
  let text = '';
  for (const segment of segments) {
    const [raw, style] = typeof segment === 'string' ? [segment, undefined] : segment;
    if (left <= 0) break;
    const shown = cut(raw, left);
    left -= columnsOf(shown);
    text += style === undefined || shown === '' ? shown : paint(style, shown);
  }
  return text;
}

/** Segments on the left and on the right of one line; the right ones are left out when both do not fit. */
export function spread(left: readonly Segment[], right: readonly Segment[], width: number, paint: Paint): string {
  const used = widthOf(left);
  const wanted = widthOf(right);
  if (used + wanted + 2 > width) return line(left, width, paint);
  return line([...left, ' '.repeat(width - used - wanted), ...right], width, paint);
}

/** Columns that they take together. */
export function widthOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + columnsOf(typeof segment === 'string' ? segment : segment[0]), 0);
}

/** Exactly `width` columns. */
export function cell(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const shown = cut(printable(text), width);
  const fill = ' '.repeat(Math.max(0, width - columnsOf(shown)));
  return align === 'left' ? shown + fill : fill + shown;
}
