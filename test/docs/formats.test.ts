import { expect, test } from 'vitest';
import { blindFor, visibilityOf } from '../../app/report/coverage.ts';
import { caddyFormat } from '../../ingest/parse/caddy.ts';
import { combinedFormat } from '../../ingest/parse/combined.ts';
import type { Format } from '../../ingest/parse/format.ts';
import { guessJsonMap } from '../../ingest/parse/json-map.ts';
import { KEY_NAMES, KeyNames } from '../../ingest/parse/key-names.ts';
import { kongFormat } from '../../ingest/parse/kong.ts';
import { FORMAT_NAMES } from '../../ingest/parse/detect.ts';
import { ROLES } from '../../ingest/parse/tokens.ts';
import { marked, page, rowsOf } from './pages.ts';

const MANUAL = page('docs/manual/formats.md');
const GUESSES = rowsOf({ text: marked(MANUAL, 'guesses') }).slice(1);

test.each(GUESSES)('the names given for %s are recognised', (role = '', names = '') => {
  const listed = names.replace(/, and the key names above$/, '').split(', ');
  const guessed = listed.map((name) => guessJsonMap([{ [name]: 'x' }], new KeyNames(KEY_NAMES)).fields);
  expect(guessed).toEqual(listed.map((name) => ({ [role.replaceAll('`', '')]: name })));
});

test('every role has its names, every format its row, and every key name is listed', () => {
  expect(GUESSES.map(([role = '']) => role.replaceAll('`', '')).sort()).toEqual([...ROLES].sort());
  expect(FORMAT_NAMES.filter((name) => !MANUAL.text.includes(`| \`${name}\` |`))).toEqual([]);
  expect(KEY_NAMES.filter((name) => !MANUAL.text.includes(`\`${name}\``))).toEqual([]);
});

/** As `analyze` finds it for a log in which no key was met. */
function blindOf(format: Format): readonly string[] {
  const found = [...format.visible, `time.${format.timeIs}`, ...(format.bytesKind === 'body' ? ['bytes.body'] : [])];
  return blindFor(visibilityOf(format.name, found));
}

test('the blind spots of each format are those that a report prints', () => {
  const listed = marked(MANUAL, 'blind');
  const formats = [combinedFormat('combined'), combinedFormat('common'), kongFormat(), caddyFormat()];
  const sentences = formats.flatMap(blindOf);
  expect(sentences.filter((sentence) => !listed.includes(`- ${sentence}\n`))).toEqual([]);
  const written = [...listed.matchAll(/^- (.+)$/gm)].map(([, sentence]) => sentence ?? '');
  expect(written.filter((sentence) => !sentences.includes(sentence))).toEqual([]);
  expect(blindOf(kongFormat())).toEqual([]);
});
