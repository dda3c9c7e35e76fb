/**
 * The text of messages that are not about one alert (digest, summaries, faults of the pipeline), as each channel can
 * show it: lines; `# ` starts a heading, `- ` an item, and text between two backticks is shown as it is, in code style.
 * Whatever came from traffic stands in such a span (`code` of hostile.ts).
 */
export type ProseLine = { readonly kind: 'heading' | 'item' | 'text'; readonly spans: readonly ProseSpan[] };
export type ProseSpan = { readonly isCode: boolean; readonly text: string };

/** The non-empty lines of a text. */
export function parseProse(text: string): readonly ProseLine[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      if (line.startsWith('# ')) return { kind: 'heading', spans: parseSpans(line.slice(2)) };
      if (line.startsWith('- ')) return { kind: 'item', spans: parseSpans(line.slice(2)) };
      return { kind: 'text', spans: parseSpans(line) };
    });
}

/** A line without its markup. */
export function plainText(spans: readonly ProseSpan[]): string {
  return spans.map((span) => span.text).join('');
}

function parseSpans(line: string): readonly ProseSpan[] {
  return line
    .split('`')
    .map((text, index) => ({ isCode: index % 2 === 1, text }))
    .filter((span) => span.text !== '');
}
