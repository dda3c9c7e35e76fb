import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseMail } from '../../support/smtp-receiver.ts';

/** Half a key is a leak too: a length limit may cut it. */
const SECRET_CHARS = 16;

export type Output = { readonly name: string; readonly text: string };

/** Every file of a folder, as it lies on the disk: databases with their journals, packed files also unpacked. */
export function filesOf(folder: string, options: { readonly without?: readonly string[] } = {}): readonly Output[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && options.without?.includes(entry.name) !== true)
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      const plain = { name: path, text: bytes.toString('latin1') };
      return entry.name.endsWith('.gz') ? [plain, { name: `${path} unpacked`, text: gunzipSync(bytes).toString('latin1') }] : [plain];
    });
}

/** A mail as sent and as read. */
export function mailOutputs(raw: string, name: string): readonly Output[] {
  const { headers, parts } = parseMail(raw);
  return [
    { name, text: raw },
    { name: `${name} headers`, text: [...headers.values()].join('\n') },
    ...parts.map(({ type, body }) => ({ name: `${name} ${type}`, text: body })),
  ];
}

/** Texts are found by their first characters, so that hundreds of secrets cost one pass. */
const INDEX_CHARS = 8;

/** Which secret is in which output: as it is, in any case, in base64 at any of the three places where it can begin, or with percent signs. */
export function leaks(outputs: readonly Output[], secrets: readonly string[]): readonly string[] {
  const needles = new Map<string, { readonly spelling: string; readonly secret: string }[]>();
  for (const secret of secrets) {
    for (const spelling of spellings(secret.slice(0, SECRET_CHARS))) {
      const start = spelling.slice(0, INDEX_CHARS).toLowerCase();
      const others = needles.get(start);
      if (others === undefined) needles.set(start, [{ spelling: spelling.toLowerCase(), secret }]);
      else others.push({ spelling: spelling.toLowerCase(), secret });
    }
  }
  const found = new Set<string>();
  for (const { name, text } of outputs) {
    const lower = text.toLowerCase();
    for (let at = 0; at + INDEX_CHARS <= lower.length; at++) {
      for (const { spelling, secret } of needles.get(lower.slice(at, at + INDEX_CHARS)) ?? []) {
        if (lower.startsWith(spelling, at)) found.add(`${name}: ${secret} as ${spelling}`);
      }
    }
  }
  return [...found];
}

function spellings(start: string): readonly string[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.from(`${'x'.repeat(shift)}${start}`).toString('base64');
    // Without the characters that depend on what stands around.
    return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((start.length + shift) * 8) / 6));
  });
  const encoded = encodeURIComponent(start).replaceAll('-', '%2D').replaceAll('_', '%5F');
  return [start, ...base64, ...(encoded === start ? [] : [encoded])];
}
