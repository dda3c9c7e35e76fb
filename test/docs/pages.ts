import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A page of the documentation; `path` is relative to the root, with forward slashes. */
export type Page = { readonly path: string; readonly text: string };
export type Block = { readonly page: string; readonly line: number; readonly language: string; readonly text: string };

/** Every page that people read, in order of path. */
export function pages(): readonly Page[] {
  const below = (folder: string): readonly string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      return entry.isDirectory() ? below(path) : path.endsWith('.md') ? [path] : [];
    });
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...below('docs')].sort().map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

export function page(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** The fenced blocks of a page. */
export function blocksOf({ path, text }: Page): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly line: number; readonly language: string; readonly lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: index + 2, language: fence[1] ?? '', lines: [] };
    else {
      blocks.push({ page: path, line: open.line, language: open.language, text: open.lines.join('\n') });
      open = undefined;
    }
  }
  return blocks;
}

/** The page without its fenced blocks; lines keep their numbers. */
export function proseOf({ text }: Page): string {
  let isFenced = false;
  return text
    .split('\n')
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) isFenced = !isFenced;
      return isFence || isFenced ? '' : line;
    })
    .join('\n');
}

/** Code spans of the prose. */
export function spansOf(subject: Page): readonly string[] {
  return [...proseOf(subject).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? '');
}

/** Targets of links and pictures. */
export function linksOf(subject: Page): readonly string[] {
  return [...proseOf(subject).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
}

/** What a link from `from` leads to: a path relative to the root, and the anchor in it. */
export function resolveLink(from: string, target: string): { readonly path: string; readonly anchor: string | undefined } {
  const [path = '', anchor] = target.split('#');
  return { path: path === '' ? from : posix.join(posix.dirname(from), path), anchor };
}

/** The anchors that headings of a page get on code hosts. */
export function anchorsOf(subject: Page): ReadonlySet<string> {
  return new Set(
    [...proseOf(subject).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}

/** The lines between `<!-- name:begin -->` and `<!-- name:end -->`. */
export function marked({ path, text }: Page, name: string): string {
  const [, after = ''] = text.split(`<!-- ${name}:begin -->\n`);
  const [inside, end] = after.split(`<!-- ${name}:end -->`);
  if (inside === undefined || end === undefined) throw new Error(`${path} has no part marked ${name}`);
  return inside;
}

/** The page with other lines between those marks. */
export function withMarked(subject: Page, name: string, lines: string): string {
  const begin = `<!-- ${name}:begin -->\n`;
  return subject.text.replace(begin + marked(subject, name), () => begin + lines);
}

/** The rows of every table of a page, cells without their blanks. */
export function rowsOf({ text }: { readonly text: string }): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s|:-]+$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}
