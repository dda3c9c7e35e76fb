import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../app/config/load.ts';
import { type Shape, isSecretShape, rootShape } from '../../app/config/shape.ts';
import { settings } from '../../app/config/show.ts';
import { blocksOf, page, pages, rowsOf } from './pages.ts';

const MANUAL = page('docs/manual/configuration.md');

/** Settings of the manual, by path, with the cell of their default. */
function documented(): ReadonlyMap<string, string> {
  return new Map(rowsOf(MANUAL).flatMap(([name = '', preset = '']) => (/^`[\w.[\]<>]+`$/.test(name) ? [[name.slice(1, -1), preset.replaceAll('`', '')]] : [])));
}

/** Described as a whole: their parts are the same everywhere. */
const WHOLE = ['sources[].map', 'format.map', 'plans.<name>.rules', 'keys[].rules'];

/** Without them in the file none of their settings is in force. */
const OFF = ['api', 'http', 'store.elasticsearch'];

/** Every setting that the schema knows. */
function known(shape: Shape = rootShape(), path = ''): readonly string[] {
  if (WHOLE.includes(path) || (path !== '' && isSecretShape(shape))) return [path];
  if (shape.properties !== undefined) return Object.entries(shape.properties).flatMap(([name, child]) => known(child, path === '' ? name : `${path}.${name}`));
  if (typeof shape.additionalProperties === 'object') return known(shape.additionalProperties, `${path}.<name>`);
  if (shape.items?.properties !== undefined) return known(shape.items, `${path}[]`);
  // A list of sections, or the one that says where it lies.
  const ways = shape.anyOf ?? [];
  return ways.some(({ items }) => items?.properties !== undefined) ? ways.flatMap((way) => known(way, path)) : [path];
}

test('the manual lists every setting of the schema, and no other', () => {
  expect([...documented().keys()].sort()).toEqual([...known()].sort());
});

test('every default of the manual is the one in force', () => {
  const { layers } = loadConfig({ env: { HOME: '/home/kw' }, cwd: tmpdir() });
  const text = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value));
  const inForce = settings(layers)
    .filter(({ value }) => !(Array.isArray(value) && value.length === 0) && !(typeof value === 'object' && !Array.isArray(value)))
    .map(({ path, value }) => [path, text(value)]);
  expect(inForce.length).toBeGreaterThan(25);
  expect(inForce.filter(([path = '', value]) => documented().get(path) !== value)).toEqual([]);
});

test('defaults of channels and sources, and of sections that are off, are those of the schema', () => {
  const at = (path: string): Shape | undefined => {
    let shape: Shape | undefined = rootShape();
    for (const part of path.split('.')) {
      const inner: Shape | undefined = shape?.properties?.[part.replace('[]', '')];
      shape = part.endsWith('[]') ? inner?.items : inner;
    }
    return shape;
  };
  const wrong = [...documented()].flatMap(([path, preset]) => {
    const isListed = path.includes('[]') || OFF.some((section) => path.startsWith(`${section}.`));
    const value = isListed && !WHOLE.includes(path) ? at(path)?.default : undefined;
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return value === undefined || text === preset ? [] : [`${path}: ${text}, the manual says ${preset}`];
  });
  expect(wrong).toEqual([]);
});

const yaml = pages()
  .filter(({ path }) => path === 'README.md' || path.startsWith('docs/'))
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'yaml');

test.each(yaml)('the configuration in $page, line $line, loads', ({ text }) => {
  const folder = mkdtempSync(join(tmpdir(), 'keywatch docs '));
  try {
    writeFileSync(join(folder, 'keywatch.yml'), text);
    writeFileSync(join(folder, 'keys.csv'), 'id,label\n');
    expect(() => loadConfig({ env: { HOME: '/home/kw' }, cwd: folder, secrets: 'none' })).not.toThrow();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
