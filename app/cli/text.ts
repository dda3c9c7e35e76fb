import { stripVTControlCharacters } from 'node:util';
import { safeText } from '../../core/text.ts';

/** Longer texts say nothing more on a terminal. */
const PRINTABLE_CHARS_MAX = 1000;

/**
 * `text` on one line and harmless to a terminal. Much of what we print came from traffic (agents, routes, user
 * names), so it may hold escape sequences that move the cursor, or bidirectional marks that reorder a line.
 */
export function printable(text: string): string {
  return safeText(text, PRINTABLE_CHARS_MAX);
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}])/u;
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const ASCII = /^[\u0020-\u007e]*$/;

/** Columns that `text` takes on a terminal, colours not counted. */
export function displayWidth(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (ASCII.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter.segment(bare)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** Cuts to at most `width` columns; what is cut ends in an ellipsis. Expects text without colours. */
export function clip(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const next = graphemeWidth(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
  }
  return `${kept}…`;
}

/** Cuts the middle out, for what differs at both ends: paths, ids. */
export function clipMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 5) return clip(text, width);
  const graphemes = [...segmenter.segment(text)].map((part) => part.segment);
  const headMax = Math.ceil((width - 1) / 2);
  const tailMax = width - 1 - headMax;
  let head = '';
  let used = 0;
  for (const grapheme of graphemes) {
    const next = graphemeWidth(grapheme);
    if (used + next > headMax) break;
    head += grapheme;
    used += next;
  }
  let tail = '';
  used = 0;
  for (const grapheme of graphemes.toReversed()) {
    const next = graphemeWidth(grapheme);
    if (used + next > tailMax) break;
    tail = grapheme + tail;
    used += next;
  }
  return `${head}…${tail}`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** Breaks at spaces into lines of at most `width` columns; a longer word stands alone and is not cut. */
export function wrap(text: string, width: number): readonly string[] {
  if (!Number.isFinite(width)) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
