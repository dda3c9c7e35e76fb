import { safeText } from '../../../core/text.ts';

/** Text that is HTML already. Only `html` and `raw` make it, so that nothing unescaped can slip in between. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = string | number | Markup | readonly Markup[] | undefined;

/** Longer texts from traffic are cut: they say nothing more, and a page of them would hide the rest. */
const TEXT_CHARS_MAX = 500;

/**
 * A template whose values are made safe: strings lose control and bidi characters and are escaped, in text and in
 * quoted attributes alike. The formatter lays templates out over many lines; the page keeps only the line ends.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Markup {
  const parts = withoutIndents(strings);
  let text = parts[0] ?? '';
  values.forEach((value, index) => {
    text += partText(value) + (parts[index + 1] ?? '');
  });
  return new Markup(text);
}

const unindented = new WeakMap<TemplateStringsArray, readonly string[]>();

function withoutIndents(strings: TemplateStringsArray): readonly string[] {
  const known = unindented.get(strings);
  if (known !== undefined) return known;
  const parts = strings.map((part) => part.replace(/\n\s*/g, '\n'));
  unindented.set(strings, parts);
  return parts;
}

function partText(value: Part): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string')
    return (value.startsWith(' ') ? ' ' : '') + escapeHtml(safeText(value, TEXT_CHARS_MAX)) + (value.length > 1 && value.endsWith(' ') ? ' ' : '');
  return value.map((markup) => markup.text).join('');
}

/** Trusted text of our own: style, script, path data. */
export function raw(text: string): Markup {
  return new Markup(text);
}

/** For text whose line ends and columns must stay, inside `<pre>`. Every word is made safe on its own. */
export function preformatted(text: string): Markup {
  const lines = text.split('\n').map((line) =>
    line
      .split(/( +)/)
      .map((word) => (word.startsWith(' ') ? word : escapeHtml(safeText(word, TEXT_CHARS_MAX))))
      .join(''),
  );
  return new Markup(lines.join('\n'));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (found) => ENTITIES[found] ?? '');
}
