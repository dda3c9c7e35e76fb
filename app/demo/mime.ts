/** What a mail client shows first of a message: the subject and the plain text. */
export type Mail = { readonly subject: string; readonly text: string; readonly hasHtml: boolean };

/**
 * Reads a message as it came over SMTP: folded headers, encoded words, nested multipart, quoted-printable and base64. Made for
 * showing what Keywatch itself sent; it takes no care of what others might send.
 */
export function readMail(raw: Buffer): Mail {
  const parts: Leaf[] = [];
  const headers = collect(raw.toString('latin1'), parts);
  const plain = parts.find((part) => part.type === 'text/plain');
  return { subject: decodeWords(headers.get('subject') ?? ''), text: (plain?.text ?? '').trim(), hasHtml: parts.some((part) => part.type === 'text/html') };
}

type Leaf = { readonly type: string; readonly text: string };

/** Walks one part; leaves go into `leaves`, the headers are the answer. */
function collect(part: string, leaves: Leaf[]): ReadonlyMap<string, string> {
  const normal = part.replaceAll('\r\n', '\n');
  const split = normal.indexOf('\n\n');
  const headers = readHeaders(split < 0 ? normal : normal.slice(0, split));
  const body = split < 0 ? '' : normal.slice(split + 2);
  const contentType = headers.get('content-type') ?? 'text/plain';
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (type.startsWith('multipart/') && boundary !== undefined) {
    // Before the first boundary stands a preamble; the last one ends in two dashes.
    for (const inner of `\n${body}`.split(`\n--${boundary}`).slice(1)) if (!inner.startsWith('--')) collect(inner.replace(/^\n/, ''), leaves);
  } else leaves.push({ type, text: decodeBody(body, (headers.get('content-transfer-encoding') ?? '').trim().toLowerCase()) });
  return headers;
}

function readHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding === 'quoted-printable') return decodeQuoted(body.replace(/=\n/g, '')).toString('utf8');
  return Buffer.from(body, 'latin1').toString('utf8');
}

function decodeQuoted(text: string): Buffer {
  return Buffer.from(
    text.replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

/** RFC 2047. Blanks between two encoded words do not count. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      (kind.toLowerCase() === 'b' ? Buffer.from(word, 'base64') : decodeQuoted(word.replaceAll('_', ' '))).toString('utf8'),
    );
}
