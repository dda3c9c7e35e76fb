import { readFileSync, statSync } from 'node:fs';
import { type Document, LineCounter, type Node, type Pair, isAlias, isMap, isNode, isPair, isScalar, isSeq, parseDocument, visit } from 'yaml';
import { CliError, systemReason, usageError } from '../cli/errors.ts';
import { formatBytes } from '../cli/format.ts';
import type { Diagnostic, Path, Place } from './diagnostic.ts';

/** A configuration file, parsed. `tree` is plain data; `place` finds where a path was written. */
export type ConfigFile = {
  /** As it was named on the command line: what messages show. */
  readonly name: string;
  readonly text: string;
  readonly tree: unknown;
  readonly faults: readonly Diagnostic[];
  /** The value at `path`, or its key; the nearest thing above it where that does not exist. */
  place(path: Path, what: 'key' | 'value'): Place;
};

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** `name` is how messages call it, `path` where it is. */
export function readConfigFile(name: string, path: string): ConfigFile {
  return parseConfigFile(name, readText({ name, path, what: 'the configuration file', bytesMax: FILE_BYTES_MAX }));
}

type TextFile = { readonly name: string; readonly path: string; readonly what: string; readonly bytesMax: number };

/** The text of a file that a person wrote. Throws with what to do. */
export function readText(file: TextFile): string {
  const { name, what, bytesMax } = file;
  const bytes = readBytes(file);
  if (bytes.length > bytesMax)
    throw usageError(
      `${name}: this is too large for ${what.replace(/^the configuration/, 'a configuration')} (${formatBytes(bytes.length)}, at most ${formatBytes(bytesMax)})`,
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw usageError(`${name}: it is not UTF-8 text; save it as UTF-8`, { cause: error });
  }
}

function readBytes({ name, path, what }: TextFile): Buffer {
  const advice = what === 'the configuration file' ? 'give another with --config' : 'name another in the configuration';
  try {
    // A device or a fifo could deliver for ever.
    if (!statSync(path).isFile()) throw usageError(`${what.replace(' file', '')} ${name} is not a file; ${advice}`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usageError(`cannot read ${what} ${name}: ${systemReason(error)}; ${advice}`, { cause: error });
  }
}

export function parseConfigFile(name: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, strict: true, logLevel: 'error' });
  const placeAt = (start: number, end: number): Place => {
    const { line, col } = lines.linePos(start);
    const lineEnd = text.indexOf('\n', start);
    return {
      kind: 'file',
      file: name,
      line: Math.max(1, line),
      column: Math.max(1, col),
      length: Math.max(1, Math.min(end, lineEnd < 0 ? text.length : lineEnd) - start),
    };
  };
  const faults = [...document.errors, ...document.warnings].map((error): Diagnostic => ({
    place: placeAt(error.pos[0], error.pos[1]),
    path: [],
    message: wording(error.code),
  }));
  const complain = (node: unknown, message: string): void => {
    const [start, end] = spanOf(node) ?? [0, 1];
    faults.push({ place: placeAt(start, end), path: [], message, hidesValue: true });
  };
  visit(document, {
    // The name after the star is not repeated: a password that begins with one ends up here.
    Alias(_key, alias) {
      if (alias.resolve(document) === undefined) complain(alias, 'this refers to an anchor that does not exist; put text that begins with * in quotes');
    },
    Pair(_key, pair) {
      if (isMergeKey(pair.key)) {
        const sources = isSeq(pair.value) ? pair.value.items : [pair.value];
        if (!sources.every((source) => isMap(isAlias(source) ? source.resolve(document) : source)))
          complain(pair.key, '<< takes in a section by its anchor, as in <<: *name');
      } else if (!isScalar(pair.key)) complain(pair.key, 'a name must be plain text');
    },
  });
  const place = (path: Path, what: 'key' | 'value'): Place => {
    const [start, end] = rangeOf(document, path, what);
    return placeAt(start, end);
  };
  const tree = faults.length === 0 ? plainData(document) : undefined;
  if (tree === TOO_MANY_ALIASES) complain(undefined, 'this file repeats its anchors too often');
  return { name, text, tree, faults: oncePerLine(faults), place };
}

const TOO_MANY_ALIASES = Symbol('too many aliases');
const ALIASES_MAX = 1000;

function plainData(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown;
  } catch (error) {
    // Sections that hold themselves, or that grow a thousandfold by aliases of aliases.
    if (error instanceof ReferenceError || error instanceof RangeError) return TOO_MANY_ALIASES;
    throw error;
  }
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.value === '<<' || typeof key.value === 'symbol');
}

/** One fault breeds others on its line. */
function oncePerLine(faults: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<number>();
  return faults.filter(({ place }) => {
    const line = place.kind === 'file' ? place.line : 0;
    if (seen.has(line)) return false;
    seen.add(line);
    return true;
  });
}

/** In our words: the library's may repeat what stands in the file. */
function wording(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this name stands twice in one section; keep one of them';
    case 'TAB_AS_INDENT':
      return 'a tab; YAML is indented with spaces only';
    case 'BAD_INDENT':
      return 'the indentation does not fit the lines above, or a bracket is not closed';
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return 'a second "name: value" where one is expected; put text with ": " in quotes, or check the indentation';
    case 'MISSING_CHAR':
      return 'something is missing here: a closing quote or bracket, or the colon after a name';
    case 'BAD_SCALAR_START':
      return 'text cannot begin with this character; put it in quotes';
    case 'BAD_DQ_ESCAPE':
      return 'an escape sequence that YAML does not know; use single quotes to keep the backslash';
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; a configuration file holds one';
    case 'TAG_RESOLVE_FAILED':
      return 'tags (!name) are not supported; put text that begins with ! in quotes';
    case 'RESOURCE_EXHAUSTION':
      return 'this is nested too deeply';
    default:
      return 'this is not valid YAML here';
  }
}

type Span = readonly [number, number];

/** Walks `path` as far as it goes, through aliases and merges. */
function rangeOf(document: Document.Parsed, path: Path, what: 'key' | 'value'): Span {
  let node: unknown = document.contents;
  let span: Span = spanOf(document.contents) ?? [0, 1];
  for (const [index, part] of path.entries()) {
    const target = isAlias(node) ? node.resolve(document) : node;
    const isLast = index === path.length - 1;
    if (isMap(target)) {
      const pair = pairOf(document, target.items, part);
      if (pair === undefined) return span;
      const key = spanOf(pair.key);
      const value = spanOf(pair.value);
      span = (isLast && what === 'key' ? key : isLast && isLeaf(pair.value) ? (value ?? key) : key) ?? span;
      node = pair.value;
    } else if (isSeq(target) && typeof part === 'number') {
      const item: unknown = target.items[part];
      if (item === undefined) return span;
      span = spanOf(item) ?? span;
      node = item;
    } else return span;
  }
  return span;
}

/** A section is marked by its name, not by its whole text. */
function isLeaf(value: unknown): boolean {
  return isScalar(value) || isAlias(value) || ((isSeq(value) || isMap(value)) && value.flow === true);
}

function pairOf(document: Document.Parsed, items: readonly unknown[], name: string | number): Pair | undefined {
  for (const item of items) {
    if (!isPair(item)) continue;
    const key: unknown = isScalar(item.key) ? item.key.value : item.key;
    if (String(key) === String(name)) return item;
  }
  for (const item of items) {
    if (!isPair(item) || !isMergeKey(item.key)) continue;
    const merged: unknown = isAlias(item.value) ? item.value.resolve(document) : item.value;
    const found = isMap(merged) ? pairOf(document, merged.items, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function spanOf(node: unknown): Span | undefined {
  if (!isNode(node)) return undefined;
  const { range } = node satisfies Node;
  return range === null || range === undefined ? undefined : [range[0], range[1]];
}
