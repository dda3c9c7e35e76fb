import { SAFE_TEXT_MAX, safeText } from '../core/text.ts';

/**
 * A text from traffic, fit for a message: cleaned and cut by `safeText`, and written so that no mail program or
 * chat turns it into a link or a mention: `http[:]//evil[.]example`, `@ here`. People can still read what it said.
 * Escaping for HTML or Slack is still up to the writer of that format.
 */
export function shown(text: string, charsMax: number = SAFE_TEXT_MAX): string {
  // Defanging only makes it longer, by a bounded factor: the cut comes first, so that the cost is bounded as well.
  const clean = safeText(text, charsMax)
    .replace(/:\/\/([^\s/?#]*)/g, (_all, host: string) => `[:]//${host.replaceAll('.', '[.]')}`)
    .replace(/\b(mailto|javascript|data|tel):(?=\S)/gi, '$1[:]')
    .replace(/\bwww\./gi, 'www[.]')
    .replace(/(?<![/\w.-])((?:[\p{L}\p{N}-]+\.)+)(\p{L}{2,})(?![\p{L}\p{N}])/gu, (_all, names: string, top: string) => `${names.slice(0, -1)}[.]${top}`)
    .replace(/@(?=here|channel|everyone)/gi, '@ ')
    .replace(/@(?=[\w-]+(?:\.|\[))/g, '[@]');
  return clean === '' ? '(empty)' : clean;
}

/** A text from traffic as a code span of prose (`prose.ts`). */
export function code(text: string, charsMax?: number): string {
  return `\`${shown(text, charsMax).replaceAll('`', "'")}\``;
}
