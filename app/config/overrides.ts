import { parseDocument } from 'yaml';
import { suggest } from '../cli/suggest.ts';
import type { Diagnostic, Path, Place } from './diagnostic.ts';
import type { Override } from './layers.ts';
import { type Shape, childShape, isListShape, isSecretShape, isTextShape, namesOf, rootShape } from './shape.ts';

export type Overrides = { readonly overrides: readonly Override[]; readonly faults: readonly Diagnostic[] };

const PREFIX = 'KEYWATCH_';
/** Variables with a meaning of their own. */
const OWN_VARIABLES = new Set(['KEYWATCH_CONFIG', 'KEYWATCH_DATA_DIR', 'KEYWATCH_DEBUG', 'KEYWATCH_HANDED_OVER']);
/** Read by our own tests, benches and soaks. */
const FOR_DEVELOPERS = /^KEYWATCH_(?:TEST|FUZZ|BENCH|SOAK)_/;
/** What Kubernetes sets in every pod for a service called keywatch or keywatch-something. */
const SERVICE_LINK = /^KEYWATCH_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** `KEYWATCH_STORE__RETENTION__MINUTES=35d`: two underscores between levels, one between words or none. */
export function environmentOverrides(env: Readonly<Record<string, string | undefined>>): Overrides {
  const overrides: Override[] = [];
  const faults: Diagnostic[] = [];
  const dataDir = env['KEYWATCH_DATA_DIR'];
  if (dataDir !== undefined && dataDir !== '')
    overrides.push({ path: ['store', 'directory'], value: dataDir, place: { kind: 'environment', name: 'KEYWATCH_DATA_DIR' } });
  for (const name of Object.keys(env).sort()) {
    const value = env[name];
    if (!name.startsWith(PREFIX) || OWN_VARIABLES.has(name) || FOR_DEVELOPERS.test(name) || SERVICE_LINK.test(name) || value === undefined) continue;
    const place: Place = { kind: 'environment', name };
    const resolved = resolve(name.slice(PREFIX.length).split('__'));
    if (resolved.ok) add({ path: resolved.path, shape: resolved.shape, text: value, place }, overrides, faults);
    else
      faults.push({
        place,
        path: [],
        message: `there is no such setting${resolved.meant === undefined ? '' : ` (did you mean ${PREFIX}${resolved.meant.map(envWord).join('__')}?)`}`,
      });
  }
  return { overrides, faults };
}

/** `--set store.retention.minutes=35d`. */
export function flagOverrides(sets: readonly string[]): Overrides {
  const overrides: Override[] = [];
  const faults: Diagnostic[] = [];
  for (const set of sets) {
    const at = set.indexOf('=');
    if (at < 1) {
      faults.push({ place: { kind: 'flag', flag: '--set' }, path: [], message: 'expected path=value, for instance store.retention.minutes=14d' });
      continue;
    }
    const parts = set.slice(0, at).trim().split('.');
    const place: Place = { kind: 'flag', flag: '--set' };
    const resolved = resolve(parts);
    if (resolved.ok) add({ path: resolved.path, shape: resolved.shape, text: set.slice(at + 1), place }, overrides, faults);
    else
      faults.push({
        place,
        path: parts,
        message: `there is no such setting${resolved.meant === undefined ? '' : ` (did you mean '${resolved.meant.join('.')}'?)`}`,
      });
  }
  return { overrides, faults };
}

function envWord(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
}

type Resolved =
  | { readonly ok: true; readonly path: Path; readonly shape: Shape }
  /** `meant` is the path that may have been meant. */
  | { readonly ok: false; readonly meant: readonly string[] | undefined };

/** Follows names through the schema, whatever their case and underscores. */
function resolve(parts: readonly string[]): Resolved {
  const path: (string | number)[] = [];
  let shape = rootShape();
  for (const [index, part] of parts.entries()) {
    const names = namesOf(shape);
    const exact = names.find((name) => name === part) ?? names.find((name) => plain(name) === plain(part));
    const name: string | number = exact ?? (isListShape(shape) && /^\d+$/.test(part) ? Number(part) : isUpper(part) ? part.toLowerCase() : part);
    const next = childShape(shape, name);
    if (next === undefined || part === '') {
      const similar = suggest(part, names);
      if (similar === undefined) return { ok: false, meant: undefined };
      const repaired = resolve([...path.map(String), similar, ...parts.slice(index + 1)]);
      return { ok: false, meant: repaired.ok ? repaired.path.map(String) : (repaired.meant ?? [...path.map(String), similar]) };
    }
    path.push(name);
    shape = next;
  }
  return { ok: true, path, shape };
}

function isUpper(text: string): boolean {
  return text === text.toUpperCase();
}

function plain(name: string): string {
  return name.replace(/_/g, '').toLowerCase();
}

function add(
  given: { readonly path: Path; readonly shape: Shape; readonly text: string; readonly place: Place },
  overrides: Override[],
  faults: Diagnostic[],
): void {
  const { path, shape, text, place } = given;
  if (isTextShape(shape)) {
    overrides.push({ path, value: text, place });
    return;
  }
  const document = parseDocument(text, { prettyErrors: false });
  const isBroken = document.errors.length > 0 || document.warnings.length > 0 || /^[*&!@`]/.test(text.trim());
  const value: unknown = isBroken ? text : document.toJS();
  // A secret that is no YAML is still a secret in the wrong place: the schema says so without repeating it.
  if (isBroken && !isSecretShape(shape) && shape.anyOf === undefined) {
    faults.push({ place, path, message: 'this is not a value that YAML can read; put lists in [ ] and text in quotes' });
    return;
  }
  const isPlainList = isListShape(shape) && !Array.isArray(value);
  overrides.push({ path, value: isPlainList ? text.split(',').map((item) => item.trim()) : value, place });
}
