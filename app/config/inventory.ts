import { extname } from 'node:path';
import { z } from 'zod';
import { didYouMean } from '../cli/suggest.ts';
import { printable } from '../cli/text.ts';
import { type Cell, parseCsv } from './csv.ts';
import { keyFaults } from './cross-checks.ts';
import type { Diagnostic, Path, Place } from './diagnostic.ts';
import { looksLikeSecret } from './looks-secret.ts';
import { type ParsedKey, keySchema } from './schema/keys.ts';
import { wordingOf } from './wording.ts';
import { parseConfigFile, readText } from './yaml-file.ts';

/** What a file of keys holds, and all that is wrong with it. */
export type Inventory = {
  readonly keys: readonly ParsedKey[];
  readonly faults: readonly Diagnostic[];
  readonly source: { readonly name: string; readonly text: string };
};

/** Columns of a table of keys: all that a key can have but limits of its own. */
const COLUMNS = ['id', 'fingerprint', 'label', 'owner', 'contact', 'team', 'environment', 'plan', 'tier', 'protected', 'successor', 'match', 'publicId'];
const FLAGS = ['protected', 'publicId'];
/** A thousand faults of one kind help nobody. */
const FAULTS_MAX = 20;
/** Ten times a million keys would not be read by hand either. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

type Table = { readonly entries: unknown; readonly faults: readonly Diagnostic[]; place(path: Path, what: 'key' | 'value'): Place };

/** Reads keys from YAML, JSON (a list, or one under `keys`) or CSV with a line of names. `plans` are those of the configuration. */
export function readInventory(name: string, path: string, plans: readonly string[]): Inventory {
  const text = readText({ name, path, what: 'the inventory of keys', bytesMax: FILE_BYTES_MAX });
  return parseInventory(name, text, plans);
}

export function parseInventory(name: string, text: string, plans: readonly string[]): Inventory {
  const table = ['.csv', '.tsv', '.txt'].includes(extname(name).toLowerCase()) ? fromCsv(name, text) : fromTree(name, text);
  const faults: Diagnostic[] = [...table.faults];
  const source = { name, text };
  if (faults.length > 0) return { keys: [], faults: faults.slice(0, FAULTS_MAX), source };
  const parsed = z.array(keySchema).safeParse(table.entries, { error: wordingOf });
  const add = (fault: { readonly path: Path; readonly message: string; readonly hidesValue?: boolean }, what: 'key' | 'value' = 'value'): void =>
    void faults.push({ ...fault, place: table.place(fault.path, what) });
  for (const issue of parsed.error?.issues ?? []) {
    const at: Path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys)
        add(
          { path: [...at, key], message: `a key has no such field${looksLikeSecret(key) ? '' : didYouMean(key, [...COLUMNS, 'rules'])}`, hidesValue: true },
          'key',
        );
    else add({ path: at, message: issue.message, hidesValue: issue.code === 'custom' && issue.params?.['hidesValue'] === true });
  }
  for (const { path, message } of keyFaults(table.entries, plans)) add({ path, message });
  const left = faults.length - FAULTS_MAX;
  const [last] = left > 0 ? faults.slice(FAULTS_MAX) : [];
  return {
    keys: parsed.data ?? [],
    faults:
      last === undefined ? faults : [...faults.slice(0, FAULTS_MAX), { ...last, message: `${last.message}; and ${left - 1} more problems after this one` }],
    source,
  };
}

function fromTree(name: string, text: string): Table {
  const file = parseConfigFile(name, text);
  const { tree } = file;
  const isNested = typeof tree === 'object' && tree !== null && !Array.isArray(tree) && 'keys' in tree;
  const prefix: Path = isNested ? ['keys'] : [];
  const place = (path: Path, what: 'key' | 'value'): Place => file.place([...prefix, ...path], what);
  const entries: unknown = isNested ? tree.keys : (tree ?? []);
  const faults =
    file.faults.length > 0 || Array.isArray(entries)
      ? file.faults
      : [{ place: place([], 'value'), path: [], message: 'expected a list of keys, or one under keys:', hidesValue: true }];
  return { entries, faults, place };
}

function fromCsv(name: string, text: string): Table {
  const { rows, fault } = parseCsv(text);
  const lines = lineStarts(text);
  const placeOf = (start: number, end: number): Place => {
    const line = lines.findLastIndex((from) => from <= start);
    return { kind: 'file', file: name, line: line + 1, column: start - (lines[line] ?? 0) + 1, length: Math.max(1, end - start) };
  };
  const [head = [], ...body] = rows;
  const faults: Diagnostic[] = [];
  const complain = (cell: Pick<Cell, 'start' | 'end'>, message: string): void =>
    void faults.push({ place: placeOf(cell.start, cell.end), path: [], message, hidesValue: true });
  if (fault !== undefined) complain({ start: fault.at, end: fault.at + 1 }, fault.message);
  else if (head.length === 0) complain({ start: 0, end: 1 }, `nothing here; the first line names the columns: ${COLUMNS.join(', ')}`);
  const columns = head.map((cell, index) => {
    const column = COLUMNS.find((known) => known.toLowerCase() === cell.text.toLowerCase());
    if (column === undefined)
      complain(
        cell,
        `there is no column of this name${looksLikeSecret(cell.text) ? '' : didYouMean(printable(cell.text), COLUMNS)}; there are ${COLUMNS.join(', ')}`,
      );
    else if (head.findIndex((other) => other.text.toLowerCase() === cell.text.toLowerCase()) < index) complain(cell, 'two columns have this name');
    return column;
  });
  const entries = body.map((row) => {
    const extra = row[columns.length];
    if (extra !== undefined) complain(extra, `more cells than the first line has names (${columns.length}); put text with a comma in double quotes`);
    return Object.fromEntries(
      columns.flatMap((column, index): [string, unknown][] => {
        const cell = row[index];
        if (column === undefined || cell === undefined || cell.text === '') return [];
        return [[column, FLAGS.includes(column) ? flagOf(cell.text) : cell.text]];
      }),
    );
  });
  const place = (path: Path): Place => {
    const [row, column] = path;
    const cells = typeof row === 'number' ? body[row] : undefined;
    const cell = cells?.[columns.findIndex((known) => known === column)] ?? cells?.[0];
    return cell === undefined ? placeOf(0, 1) : placeOf(cell.start, cell.end);
  };
  return { entries, faults, place };
}

/** Anything else stays text, which the schema refuses. */
function flagOf(text: string): boolean | string {
  if (/^(?:true|yes|1|x)$/i.test(text)) return true;
  return /^(?:false|no|0)$/i.test(text) ? false : text;
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
