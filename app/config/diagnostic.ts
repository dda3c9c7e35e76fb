import { assertNever } from '../../core/types.ts';
import { CliError, EXIT_USAGE } from '../cli/errors.ts';
import { clip, displayWidth, printable } from '../cli/text.ts';
import { looksLikeSecret } from './looks-secret.ts';

/** Where a setting was written. */
export type Place =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number; readonly length: number }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'default' };

export type Path = readonly (string | number)[];

/** One thing that is wrong with the configuration. */
export type Diagnostic = {
  readonly place: Place;
  readonly path: Path;
  readonly message: string;
  /** The value may be a secret, so the excerpt ends before it. */
  readonly hidesValue?: boolean;
};

/** Everything that is wrong, together. */
export class ConfigError extends CliError {
  readonly diagnostics: readonly Diagnostic[];
  readonly file: string | undefined;

  constructor(diagnostics: readonly Diagnostic[], ...files: readonly ({ readonly name: string; readonly text: string } | undefined)[]) {
    const sources = new Map(files.flatMap((file) => (file === undefined ? [] : [[file.name, file.text] as const])));
    const [file] = files;
    const count = diagnostics.length === 1 ? '1 problem' : `${diagnostics.length} problems`;
    super(`${renderDiagnostics(diagnostics, sources)}\n${count} in the configuration`, EXIT_USAGE);
    this.name = 'ConfigError';
    this.diagnostics = inOrder(diagnostics);
    this.file = file?.name;
  }
}

export function printPath(path: Path): string {
  return path.map((part) => (looksLikeSecret(String(part)) ? '<hidden>' : printable(String(part)))).join('.');
}

export function printPlace(place: Place): string {
  switch (place.kind) {
    case 'file':
      return `${place.file}:${place.line}:${place.column}`;
    case 'environment':
      return place.name;
    case 'flag':
      return place.flag;
    case 'default':
      return 'default';
    default:
      return assertNever(place);
  }
}

/**
 * `file:line:column path: message`, then the source line with a caret below the place. `sources` holds the text of
 * each file by name.
 */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): string {
  const blocks = inOrder(diagnostics).map((diagnostic) => {
    const { place, path, message } = diagnostic;
    const head = `${printPlace(place)}${path.length === 0 ? '' : ` ${printPath(path)}`}: ${message}`;
    const source = place.kind === 'file' ? sources.get(place.file) : undefined;
    return place.kind === 'file' && source !== undefined ? `${head}\n${excerpt(source, place, diagnostic.hidesValue === true)}` : head;
  });
  return blocks.join('\n');
}

function inOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted((a, b) => lineOf(a.place) - lineOf(b.place));
}

/** File positions in order; environment and flags after them. */
function lineOf(place: Place): number {
  return place.kind === 'file' ? place.line * 10_000 + Math.min(9999, place.column) : Number.MAX_SAFE_INTEGER;
}

const EXCERPT_COLUMNS = 120;
const HIDDEN = '<hidden>';

type Range = { readonly start: number; readonly end: number };

function excerpt(source: string, place: { readonly line: number; readonly column: number; readonly length: number }, hidesValue: boolean): string {
  const line = (source.split(/\r?\n/)[place.line - 1] ?? '').replaceAll('\t', ' ');
  const at: Range = { start: place.column - 1, end: Math.min(line.length, place.column - 1 + place.length) };
  const before = secretRanges(line).filter((range) => range.start < at.start);
  const hidden = hidesValue
    ? [...before.map((range) => ({ start: range.start, end: Math.min(range.end, at.start) })), { start: at.start, end: line.length }]
    : secretRanges(line);
  let shown = '';
  let from = 0;
  let caretStart = -1;
  let caretEnd = -1;
  for (const range of [...hidden, { start: line.length, end: line.length }]) {
    if (caretStart < 0 && at.start <= range.start) caretStart = displayWidth(shown + line.slice(from, at.start));
    if (caretEnd < 0 && at.end <= range.start) caretEnd = displayWidth(shown + line.slice(from, at.end));
    shown += line.slice(from, range.start);
    if (caretStart < 0 && at.start < range.end) caretStart = displayWidth(shown);
    if (range.end > range.start) shown += HIDDEN;
    if (caretEnd < 0 && at.end <= range.end) caretEnd = displayWidth(shown);
    from = range.end;
  }
  const gutter = `${String(place.line).padStart(5)} | `;
  const carets = '^'.repeat(Math.max(1, Math.min(caretEnd, EXCERPT_COLUMNS) - caretStart));
  return `${gutter}${clip(shown, EXCERPT_COLUMNS)}\n${' '.repeat(gutter.length - 2)}| ${' '.repeat(Math.max(0, caretStart))}${carets}`;
}

/** Names whose values are secrets; a reference such as {file: x} is shown. */
const SECRET_VALUE = /(?:^|[\s{,"'-])["']?[\w-]*(?:url|pass|secret|token|pepper|hook|auth|credential)[\w-]*["']?\s*:\s*(?!\s*\{|\s*$)([^\s,}][^,}]*)/gi;
const TOKEN = /[^\s"',{}[\]]+/g;

/** What stands on a line and must not be shown, whatever the fault is that the line is shown for. In order, without overlaps. */
function secretRanges(line: string): Range[] {
  const found: Range[] = [];
  for (const match of line.matchAll(SECRET_VALUE)) {
    const end = match.index + match[0].length;
    found.push({ start: end - (match[1] ?? '').length, end });
  }
  for (const match of line.matchAll(TOKEN)) {
    const range = { start: match.index, end: match.index + match[0].length };
    if (looksLikeSecret(match[0]) && found.every((other) => range.end <= other.start || range.start >= other.end)) found.push(range);
  }
  return found.sort((a, b) => a.start - b.start);
}
