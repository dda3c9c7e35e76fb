/** The lines of a Slack message as a person reads them: blocks from top to bottom, else the plain text. */
export function slackLines(payload: unknown): { readonly subject: string; readonly lines: readonly string[] } {
  if (!isRecord(payload)) return { subject: '', lines: [] };
  const subject = plain(typeof payload['text'] === 'string' ? payload['text'] : '');
  const blocks = [
    ...arrayOf(payload['blocks']),
    ...arrayOf(payload['attachments']).flatMap((attachment) => (isRecord(attachment) ? arrayOf(attachment['blocks']) : [])),
  ];
  const lines = blocks.flatMap(blockLines);
  return { subject, lines: lines.length === 0 ? subject.split('\n') : lines };
}

function blockLines(block: unknown): readonly string[] {
  if (!isRecord(block)) return [];
  switch (block['type']) {
    case 'header':
      return textOf(block['text']).split('\n');
    case 'section':
      return [
        ...(block['text'] === undefined ? [] : textOf(block['text']).split('\n')),
        ...arrayOf(block['fields']).map((field) => textOf(field).replaceAll('\n', ' ')),
      ];
    case 'context':
      return [
        arrayOf(block['elements'])
          .map(textOf)
          .filter((text) => text !== '')
          .join(' '),
      ];
    case 'actions':
      return [
        arrayOf(block['elements'])
          .map((element) => (isRecord(element) ? `[${textOf(element['text'])}]` : ''))
          .join(' '),
      ];
    case 'rich_text':
      return richText(block['elements']).split('\n');
    default:
      return [];
  }
}

function richText(elements: unknown): string {
  return arrayOf(elements)
    .map((element) => {
      if (!isRecord(element)) return '';
      return typeof element['text'] === 'string' ? element['text'] : richText(element['elements']);
    })
    .join('');
}

function textOf(value: unknown): string {
  if (!isRecord(value)) return '';
  const text = value['text'];
  return typeof text === 'string' ? plain(text) : '';
}

/** Slack's markup without its marks, and its three entities. */
function plain(text: string): string {
  return text
    .replaceAll('```', '')
    .replace(/<([^|>]*)\|([^>]*)>/g, '$2')
    .replace(/(^|[\s(])[*_`]([^*_`\n]+)[*_`](?=$|[\s).,:;])/gm, '$1$2')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
