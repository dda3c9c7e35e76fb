import { caddyFormat } from './caddy.ts';
import { combinedFormat } from './combined.ts';
import type { Format } from './format.ts';
import { type JsonMap, guessJsonMap, jsonFormat } from './json.ts';
import { KEY_NAMES, KeyNames } from './key-names.ts';
import { kongFormat } from './kong.ts';
import { FINE } from './normaliser.ts';
import { R, Tokens } from './tokens.ts';

export const FORMAT_NAMES = ['combined', 'common', 'json', 'kong', 'caddy'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export type DetectOptions = {
  /** Said by the operator; 'auto' or undefined looks at the sample. */
  readonly format?: string | undefined;
  readonly map?: JsonMap | undefined;
  readonly keyNames?: readonly string[] | undefined;
};

export type Detection = { readonly format: Format; readonly isGuess: boolean } | { readonly format: undefined; readonly why: string };

const SAMPLE_LINES = 200;

/** Tells the format of a log from its first lines; says in one line why it cannot. */
export function detectFormat(head: Uint8Array, options: DetectOptions = {}): Detection {
  const keyNames = options.keyNames ?? KEY_NAMES;
  const lines = sampleLines(head);
  const said = options.format === undefined || options.format === 'auto' ? undefined : options.format;
  const records = lines.map(parseObject).filter((record) => record !== undefined);
  const name = said ?? guessName(lines, records);
  switch (name) {
    case 'combined':
    case 'common':
      return { format: combinedFormat(name), isGuess: said === undefined };
    case 'kong':
      return { format: kongFormat(keyNames), isGuess: said === undefined };
    case 'caddy':
      return { format: caddyFormat(keyNames), isGuess: said === undefined };
    case 'json': {
      const map = guessJsonMap(records, new KeyNames(keyNames), options.map);
      const missing = (['time', 'status'] as const).filter((role) => map.fields[role] === undefined);
      if (missing.length > 0) {
        const fields = [...new Set(records.flatMap((record) => Object.keys(record)))].slice(0, 12).join(', ');
        return {
          format: undefined,
          why: `these JSON lines show no field for ${missing.join(' and ')} (fields: ${fields || 'none'}); name it: --map ${missing[0]}=FIELD, or map: under its source in the configuration`,
        };
      }
      return { format: jsonFormat(map), isGuess: said === undefined };
    }
    case undefined:
      return {
        format: undefined,
        why: `the first lines are in no format that Keywatch knows (${FORMAT_NAMES.join(', ')}); say which: --format, or format: under its source in the configuration`,
      };
    default:
      return { format: undefined, why: `there is no format "${name}"; there are ${FORMAT_NAMES.join(', ')}` };
  }
}

/** Builds the format that a stored descriptor names, so that a restart reads a log as it did before. */
export function formatOf(descriptor: string, keyNames: readonly string[] = KEY_NAMES): Format | undefined {
  if (descriptor.startsWith('json:')) return jsonFormat(JSON.parse(descriptor.slice(5)) as JsonMap);
  switch (descriptor) {
    case 'combined':
    case 'common':
      return combinedFormat(descriptor);
    case 'kong':
      return kongFormat(keyNames);
    case 'caddy':
      return caddyFormat(keyNames);
    default:
      return undefined;
  }
}

function guessName(lines: readonly Uint8Array[], records: readonly Readonly<Record<string, unknown>>[]): FormatName | undefined {
  if (records.length * 2 > lines.length) {
    const has = (field: string): boolean => records.some((record) => record[field] !== undefined);
    if (has('started_at') && has('latencies') && has('response')) return 'kong';
    if (records.some(({ logger }) => typeof logger === 'string' && logger.startsWith('http.log.access'))) return 'caddy';
    return 'json';
  }
  const format = combinedFormat('combined');
  const tokens = new Tokens();
  let fits = 0;
  let agents = 0;
  for (const line of lines) {
    if (format.scan(tokens, line, 0, line.length) < 0 && format.parse(tokens, line, 0, line.length) !== FINE) continue;
    fits++;
    if ((tokens.end[R.agent] as number) > (tokens.start[R.agent] as number)) agents++;
  }
  if (fits === 0 || fits * 4 < lines.length) return undefined;
  return agents * 2 >= fits ? 'combined' : 'common';
}

function sampleLines(head: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let from = 0;
  while (from < head.length && lines.length < SAMPLE_LINES) {
    let to = head.indexOf(10, from);
    if (to < 0) {
      // The sample cuts its last line, unless it is the only one.
      if (lines.length > 0) break;
      to = head.length;
    }
    if (to > from + 1) lines.push(head.subarray(from, to));
    from = to + 1;
  }
  return lines;
}

const decoder = new TextDecoder();

function parseObject(line: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(line));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
