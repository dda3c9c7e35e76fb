import type { JsonMap } from './json.ts';
import { GUESSES, plain } from './json-names.ts';
import type { KeyNames } from './key-names.ts';
import { TimeReader, epochMs, isInRange } from './time.ts';
import { ROLES, type Role } from './tokens.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Guesses which field plays which role, from the first records of a log; `overrides` win. Fields of nested objects
 * are known by their names with dots. Where the top shows no status, the nested object that shows most of a request
 * counts (`json`, `log_processed` and the like, where shippers put what they decoded), with the top for what it lacks.
 */
export function guessJsonMap(records: readonly JsonObject[], keyNames: KeyNames, overrides: JsonMap = { fields: {} }): JsonMap {
  const columns = columnsOf(records);
  let fields = guessRoles(columns, '', keyNames, overrides.fields);
  if (fields.status === undefined) {
    for (const container of containersOf(columns)) {
      const inside = guessRoles(columns, container, keyNames, overrides.fields);
      const showsRequest = inside.status !== undefined && (inside.request ?? inside.method ?? inside.target ?? inside.route) !== undefined;
      if (showsRequest && (fields.status === undefined || Object.keys(inside).length > Object.keys(fields).length)) fields = inside;
    }
    if (fields.time === undefined) fields = { ...guessRoles(columns, '', keyNames, fields, ['time']), ...fields };
  }
  const latency = fields.latency;
  const unit = overrides.latencyUnit ?? (latency === undefined ? undefined : guessUnit(latency, columns.get(latency) ?? []));
  return unit === undefined ? { fields } : { fields, latencyUnit: unit };
}

/** The values of every field by its name, those at the top first. */
type Columns = ReadonlyMap<string, readonly unknown[]>;

const DEPTH_MAX = 4;

function columnsOf(records: readonly JsonObject[]): Columns {
  const columns = new Map<string, unknown[]>();
  let level = records.map((record) => ({ prefix: '', record }));
  for (let depth = 0; depth < DEPTH_MAX && level.length > 0; depth++) {
    const below: typeof level = [];
    for (const { prefix, record } of level) {
      for (const [name, value] of Object.entries(record)) {
        // A dot in a name below the top could not be told from a level.
        if (depth > 0 && name.includes('.')) continue;
        const path = prefix + name;
        const column = columns.get(path);
        if (column === undefined) columns.set(path, [value]);
        else column.push(value);
        if (typeof value === 'object' && value !== null && !Array.isArray(value) && !name.includes('.')) {
          below.push({ prefix: `${path}.`, record: value as JsonObject });
        }
      }
    }
    level = below;
  }
  return columns;
}

/** Names of nested objects, each with the dot behind it. */
function containersOf(columns: Columns): ReadonlySet<string> {
  return new Set([...columns.keys()].flatMap((name) => (name.includes('.') ? [name.slice(0, name.lastIndexOf('.') + 1)] : [])));
}

function guessRoles(
  columns: Columns,
  container: string,
  keyNames: KeyNames,
  said: Partial<Record<Role, string>>,
  roles: readonly Role[] = ROLES,
): Partial<Record<Role, string>> {
  const names = [...columns].filter(([name, values]) => name.startsWith(container) && values.some(isUsable)).map(([name]) => name);
  // Of names that are one when compared the first counts, but one that starts with a letter before `@timestamp`.
  const ranked = names.toReversed().sort((a, b) => Number(b.includes('@')) - Number(a.includes('@')));
  const byPlain = new Map(ranked.map((name) => [plain(name.slice(container.length)), name]));
  const taken = new Set(Object.values(said));
  const fields: Partial<Record<Role, string>> = { ...said };
  for (const role of roles) {
    if (fields[role] !== undefined) continue;
    const guesses = role === 'secret' ? [...GUESSES.secret, ...keyNames.names, ...keyNames.names.map((name) => `request_headers_${name}`)] : GUESSES[role];
    const candidates = guesses.map((guess) => byPlain.get(plain(guess))).filter((name): name is string => name !== undefined && !taken.has(name));
    const found = role === 'time' ? eventTime(candidates, columns) : candidates[0];
    if (found === undefined) continue;
    fields[role] = found;
    taken.add(found);
  }
  return said.request === undefined ? withPathNamedRequest(fields, columns) : fields;
}

/**
 * Shippers add a time of their own, that of their reading: it counts only where the line shows no other. `@timestamp`
 * is that in most pipelines, and `timestamp` in Vector's records.
 */
function eventTime(candidates: readonly string[], columns: Columns): string | undefined {
  const isReceipt = (name: string): boolean => /(?:^|\.)@timestamp$/.test(name) || (name === 'timestamp' && columns.has('source_type'));
  const first = candidates[0];
  if (!candidates.some(isReceipt)) return first;
  return candidates.find((name) => !isReceipt(name) && columns.get(name)?.some(isTime) === true) ?? first;
}

function isTime(value: unknown): boolean {
  if (typeof value === 'number') return isInRange(epochMs(value));
  if (typeof value !== 'string' || value === '') return false;
  const bytes = Buffer.from(value);
  return isInRange(new TimeReader().read(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length));
}

/** Logstash's patterns call the path `request`: without blanks it is no request line. */
function withPathNamedRequest(fields: Partial<Record<Role, string>>, columns: Columns): Partial<Record<Role, string>> {
  const { request, ...others } = fields;
  const values = request === undefined ? [] : (columns.get(request) ?? []).filter((value) => typeof value === 'string');
  if (request === undefined || values.some((value) => value.includes(' ')) || !values.some((value) => value.startsWith('/'))) return fields;
  return others.target === undefined ? { ...others, target: request } : others;
}

function isUsable(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

/** By the name's ending; else NGINX's request_time and its like are seconds; else by size: fractions below 60 are seconds. */
function guessUnit(name: string, column: readonly unknown[]): 'ns' | 'us' | 'ms' | 's' {
  const bare = plain(name);
  if (/ms$|millis/.test(bare)) return 'ms';
  if (/us$|micros/.test(bare)) return 'us';
  // ECS says so of its event.duration.
  if (/ns$|nanos|eventduration$/.test(bare)) return 'ns';
  if (bare === 'requesttime' || bare === 'rt' || /sec(onds)?$/.test(bare)) return 's';
  const values = column.map(Number).filter((value) => Number.isFinite(value) && value > 0);
  const areFractions = values.some((value) => !Number.isInteger(value));
  return values.length > 0 && areFractions && values.every((value) => value < 60) ? 's' : 'ms';
}
