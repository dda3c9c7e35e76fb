import type { ConfigFile } from './yaml-file.ts';
import type { Diagnostic, Path, Place } from './diagnostic.ts';

/** A setting from the environment or the command line. Later ones win. */
export type Override = { readonly path: Path; readonly value: unknown; readonly place: Place };

/** The file with the overrides on top, and where each value came from. */
export class Layers {
  readonly file: ConfigFile | undefined;
  readonly overrides: readonly Override[];
  readonly tree: Readonly<Record<string, unknown>>;
  readonly faults: readonly Diagnostic[];

  constructor(file: ConfigFile | undefined, overrides: readonly Override[]) {
    const faults: Diagnostic[] = [...(file?.faults ?? [])];
    let tree: Record<string, unknown> = {};
    const base = withoutNulls(file?.tree);
    if (isRecord(base)) tree = base;
    else if (base !== undefined)
      faults.push({
        place: file?.place([], 'value') ?? { kind: 'default' },
        path: [],
        message: 'expected settings, one "name: value" per line',
        hidesValue: true,
      });
    for (const override of overrides) {
      const fault = setPath(tree, override.path, withoutNulls(override.value));
      if (fault !== undefined) faults.push({ place: override.place, path: override.path, message: fault });
    }
    this.file = file;
    this.overrides = overrides;
    this.tree = tree;
    this.faults = faults;
  }

  /** Where the value at `path` came from. */
  origin(path: Path): Place {
    const override = this.overrides.findLast((candidate) => isPrefix(candidate.path, path));
    if (override !== undefined) return override.place;
    return this.file !== undefined && hasPath(withoutNulls(this.file.tree), path) ? this.file.place(path, 'value') : { kind: 'default' };
  }

  /** Where a fault at `path` is best shown, which need not hold a value: the nearest thing that was written. */
  place(path: Path, what: 'key' | 'value'): Place {
    const over = this.overrides.findLast((candidate) => isPrefix(candidate.path, path));
    if (over !== undefined) return over.place;
    if (this.file !== undefined && hasPath(this.file.tree, path)) return this.file.place(path, what);
    const below = this.overrides.findLast((candidate) => isPrefix(path, candidate.path) || isPrefix(path.slice(0, -1), candidate.path));
    if (below !== undefined && !(this.file !== undefined && hasPath(this.file.tree, path.slice(0, -1)))) return below.place;
    return this.file?.place(path, what) ?? { kind: 'default' };
  }

  /** The directory that relative paths written at `path` start from. */
  baseDirectory(path: Path, directories: { readonly file: string; readonly cwd: string }): string {
    return this.origin(path).kind === 'file' ? directories.file : directories.cwd;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `store:` with nothing after it is as good as absent. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((item: unknown) => (item === null ? null : withoutNulls(item)));
  if (!isRecord(value)) return value;
  const kept: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) {
    const clean = withoutNulls(item);
    if (clean !== undefined) kept[name] = clean;
  }
  return kept;
}

function isPrefix(prefix: Path, path: Path): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => String(part) === String(path[index]));
}

export function valueAt(tree: unknown, path: Path): unknown {
  let at = tree;
  for (const part of path) {
    if (Array.isArray(at)) at = (at as unknown[])[Number(part)];
    else if (isRecord(at) && Object.hasOwn(at, part)) at = at[part];
    else return undefined;
  }
  return at;
}

function hasPath(tree: unknown, path: Path): boolean {
  return path.length === 0 || valueAt(tree, path) !== undefined;
}

/** Sets a value deep in `tree`, making sections and lists on the way. Answers what is wrong. */
function setPath(tree: Record<string, unknown>, path: Path, value: unknown): string | undefined {
  let at: unknown = tree;
  for (const [index, part] of path.entries()) {
    const isLast = index === path.length - 1;
    const next: unknown = isLast ? value : (valueAt(at, [part]) ?? (/^\d+$/.test(String(path[index + 1])) ? [] : Object.create(null)));
    if (Array.isArray(at)) {
      const list = at as unknown[];
      const place = Number(part);
      if (!Number.isInteger(place) || place > list.length) return `there are only ${list.length} entries here; the next one is number ${list.length}`;
      list[place] = next;
    } else if (isRecord(at)) {
      if (part === '__proto__') return 'no such setting';
      if (next === undefined) delete at[part];
      else at[part] = next;
    } else return 'the setting above this one is a value, not a section';
    at = next;
  }
  return undefined;
}
