import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, anchorsOf, linksOf, page, pages, resolveLink, spansOf } from './pages.ts';

const ALL = pages();
const FOLDERS = 'core|ingest|keys|detectors|alerts|storage|app|bin|scripts|test|docs';

test('there are pages to look at', () => {
  expect(ALL.map(({ path }) => path)).toEqual(expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/manual/rules.md']));
});

test.each(ALL)('every relative link of $path leads to a file, and to a heading of it', (subject) => {
  const broken = linksOf(subject).filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const { path, anchor } = resolveLink(subject.path, target);
    if (!existsSync(join(ROOT, path))) return true;
    return anchor !== undefined && !anchorsOf(page(path)).has(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(ALL)('every file that $path names exists', (subject) => {
  const named = spansOf(subject).filter((span) => new RegExp(`^(?:${FOLDERS})/[\\w./-]+\\.(?:ts|mjs|md|yml|json)$`).test(span));
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('every decision is in the list of decisions, and the numbers have no gap', () => {
  const decisions = ALL.map(({ path }) => path.slice('docs/decisions/'.length)).filter((name) => /^\d{4}-/.test(name));
  const listed = linksOf(page('docs/decisions/README.md'));
  expect(decisions.filter((name) => !listed.includes(name))).toEqual([]);
  expect(decisions.map((name) => Number(name.slice(0, 4)))).toEqual(decisions.map((_, index) => index + 1));
});
