import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';
import { codeFiles } from '../../scripts/tree.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PRODUCT = ['core', 'ingest', 'keys', 'detectors', 'alerts', 'storage', 'app'];
/** Where a word of Kafka may stand: its client, what puts it together with the rest, its settings, and the commands that people ask about it. */
const HOMES = ['ingest/kafka/', 'app/wire/', 'app/config/', 'app/doctor/', 'app/commands/'];
/** The commands that count events: they start whatever the configuration names, and know none of it. */
const COUNTING = ['app/commands/analyze.ts', 'app/commands/demo.ts', 'app/commands/run.ts'];

type Mention = { readonly text: string; readonly line: number; readonly kind: 'name' | 'import' | 'literal' };

/** Every name, text and import of a program that says Kafka; comments say what they like. */
function mentions(path: string, source: string): readonly Mention[] {
  if (!/kafka/i.test(source)) return [];
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const found: Mention[] = [];
  const visit = (value: unknown, isImport: boolean): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, isImport);
    if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string' || !('start' in value)) return;
    const { type } = value;
    const text = wordOf(value);
    if (text !== undefined && /kafka/i.test(text)) {
      const line = source.slice(0, Number(value.start)).split('\n').length;
      found.push({ text, line, kind: type.endsWith('Identifier') ? 'name' : isImport ? 'import' : 'literal' });
    }
    for (const [field, child] of Object.entries(value)) visit(child, field === 'source' && /Import|Export/.test(type));
  };
  visit(program, false);
  return found;
}

function wordOf(node: object): string | undefined {
  if ('name' in node && typeof node.name === 'string') return node.name;
  if (!('value' in node)) return undefined;
  if (typeof node.value === 'string') return node.value;
  return typeof node.value === 'object' && node.value !== null && 'raw' in node.value ? String(node.value.raw) : undefined;
}

/** What one file says that it should not, as `line text`. */
function faults(path: string, source: string): readonly string[] {
  const isHome = HOMES.some((home) => path.startsWith(home));
  if (isHome && !COUNTING.includes(path)) return [];
  return (
    mentions(path, source)
      // A sentence for people, and the file that hides it, are no decision.
      .filter(({ kind, text }) => !COUNTING.includes(path) || kind === 'name' || (kind === 'literal' && !/\s/.test(text)))
      .map(({ line, text }) => `${line} ${text}`)
  );
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('analyze, run with files and run with topics are one pipeline', () => {
  test('nothing outside the wiring and the client knows of Kafka', () => {
    const files = codeFiles(ROOT).filter((path) => PRODUCT.includes(path.split('/')[0] ?? ''));
    expect(files.flatMap((path) => faults(path, read(path)).map((fault) => `${path}:${fault}`))).toEqual([]);
    // It looked at something: the client is full of the word.
    expect(files.filter((path) => path.startsWith('ingest/kafka/') && mentions(path, read(path)).length > 0).length).toBeGreaterThan(10);
  });

  test('what counts is made in one place for all that runs, and analyze counts with the same ingest', () => {
    const makers = (what: RegExp): readonly string[] => codeFiles(join(ROOT, 'app')).filter((path) => what.test(read(`app/${path}`)));
    expect(makers(/\bnew Pump\(/)).toEqual(['pipeline/open-pump.ts']);
    expect(makers(/\bPipeline\.open\(/)).toEqual(['commands/run.ts', 'wire/demo.ts']);
    expect(makers(/\bnew PartitionIngest\(/)).toEqual(['analyze/task.ts']);
  });

  test.each([
    ['a condition', 'app/pipeline/a.ts', `if (source.kind === 'kafka') go();`, ['1 kafka']],
    ['a name', 'ingest/a.ts', `\nexport const isKafka = true;`, ['2 isKafka']],
    ['a property', 'alerts/a.ts', `export const a = config.kafka?.topics;`, ['1 kafka']],
    ['a member in quotes', 'core/a.ts', `export const a = config['kafka'];`, ['1 kafka']],
    ['a part of a template', 'storage/a.ts', `export const a = \`kafka \${b}\`;`, ['1 kafka ']],
    ['an import', 'detectors/a.ts', `import { a } from '../ingest/kafka/a.ts';`, ['1 ../ingest/kafka/a.ts']],
    ['a type', 'keys/a.ts', `export type A = KafkaConfig;`, ['1 KafkaConfig']],
    ['a condition in a command that counts', 'app/commands/run.ts', `const a = kafkaOf(config) ?? (kind === 'kafka' ? 1 : 2);`, ['1 kafkaOf', '1 kafka']],
  ])('%s is found', (_what, path, source, want) => {
    expect(faults(path, source)).toEqual(want);
  });

  test.each([
    ['comments', 'core/a.ts', `/** Of Kafka. */ export const a = 1; // kafka`],
    ['its home', 'ingest/kafka/a.ts', `if (kafka) go();`],
    ['the wiring', 'app/wire/a.ts', `if (source.kind === 'kafka') go();`],
    ['a sentence of a command that counts', 'app/commands/run.ts', `throw usageError('that needs a source kafka');`],
    ['what a command that counts is given', 'app/commands/run.ts', `import { sharedBusOf } from '../wire/kafka.ts';`],
  ])('%s may say it', (_what, path, source) => {
    expect(faults(path, source)).toEqual([]);
  });
});
