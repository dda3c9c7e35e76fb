/** How much of a text from traffic is shown anywhere. */
export const SAFE_TEXT_MAX = 80;

/** Control, bidi, zero-width, filler and tag characters, which change how the text around them is read, and lone surrogates. */
const HOSTILE = /[\p{Cc}\p{Cs}\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/gu;
/** More than two marks on one letter only cover the lines above and below. */
const STACKED_MARKS = /(\p{M}\p{M})\p{M}+/gu;

/**
 * A text that came from traffic (path, agent, user), fit to be shown: control and bidi characters are gone, runs of
 * blanks are one blank, and it is cut to `charsMax` characters, the last one then being an ellipsis. Escaping for a
 * format (HTML, Slack) is still up to the writer of that format.
 */
export function safeText(text: string, charsMax: number = SAFE_TEXT_MAX): string {
  // Cut first: a text of 1 MiB must not cost 1 MiB of matching.
  const readMax = charsMax * 8;
  const clean = text
    .slice(0, readMax)
    .replace(/[\t-\r]+/g, ' ')
    .replace(HOSTILE, '')
    .replace(/\s+/g, ' ')
    .replace(STACKED_MARKS, '$1')
    .trim();
  const chars = Array.from(clean);
  if (chars.length <= charsMax && text.length <= readMax) return clean;
  return `${chars.slice(0, charsMax - 1).join('')}…`;
}
