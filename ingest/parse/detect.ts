import { ENVELOPE_NAMES, envelopeFormat, splitDescriptor, unwrapLines } from '../envelope/envelope.ts';
import { guessEnvelopes } from '../envelope/guess.ts';
import { caddyFormat } from './caddy.ts';
import { combinedFormat } from './combined.ts';
import type { Format } from './format.ts';
import { guessJsonMap } from './json-map.ts';
import { type JsonMap, jsonFormat } from './json.ts';
import { KEY_NAMES, KeyNames } from './key-names.ts';
import { kongFormat } from './kong.ts';
import { DROP, FINE } from './normaliser.ts';
import { R, Tokens } from './tokens.ts';

export const FORMAT_NAMES = ['combined', 'common', 'json', 'kong', 'caddy'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export type DetectOptions = {
  /** Said by the operator; 'auto' or undefined looks at the sample. */
  readonly format?: string | undefined;
  readonly map?: JsonMap | undefined;
  readonly keyNames?: readonly string[] | undefined;
  /** What a shipper wrapped around each line: a name of ENVELOPE_NAMES, 'none', or 'auto' (default) to look at the sample. */
  readonly envelope?: string | undefined;
};

export type Detection = { readonly format: Format; readonly isGuess: boolean } | { readonly format: undefined; readonly why: string };

const SAMPLE_LINES = 200;

/** An agent can read what a runtime wrote that got what a system logger sent: more is a mistake. */
const ENVELOPES_MAX = 3;

/** Tells the format of a log from its first lines; says in one line why it cannot. */
export function detectFormat(head: Uint8Array, options: DetectOptions = {}): Detection {
  const lines = sampleLines(head);
  const said = options.envelope ?? 'auto';
  if (said === 'none') return detectBare(lines, options);
  if (said === 'auto') return detectWrapped(lines, options, ENVELOPES_MAX) ?? detectBare(lines, options);
  const name = ENVELOPE_NAMES.find((known) => known === said);
  if (name === undefined) return { format: undefined, why: `there is no envelope "${said}"; there are auto, none, ${ENVELOPE_NAMES.join(', ')}` };
  const inside = unwrapLines(name, lines);
  if (inside.length === 0 && lines.length > 0) {
    return { format: undefined, why: `the first lines are in no envelope of ${name}; say which: envelope: under its source in the configuration, or none` };
  }
  const found = detectWrapped(inside, options, ENVELOPES_MAX - 1) ?? detectBare(inside, options);
  return found.format === undefined ? found : { format: envelopeFormat(name, found.format), isGuess: found.isGuess };
}

/** The first envelope that the sample can be in and that holds lines which can be read; undefined without one. */
function detectWrapped(lines: readonly Uint8Array[], options: DetectOptions, depth: number): Detection | undefined {
  if (depth === 0) return undefined;
  for (const name of guessEnvelopes(lines)) {
    const inside = unwrapLines(name, lines);
    const found = detectWrapped(inside, options, depth - 1) ?? detectBare(inside, options);
    // What was said of the format is no proof that it is what lies inside.
    if (found.format !== undefined && fits(found.format, inside)) return { format: envelopeFormat(name, found.format), isGuess: found.isGuess };
  }
  return undefined;
}

function detectBare(lines: readonly Uint8Array[], options: DetectOptions): Detection {
  const keyNames = options.keyNames ?? KEY_NAMES;
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
  const wrapped = splitDescriptor(descriptor);
  if (wrapped !== undefined) {
    const inner = formatOf(wrapped.inner, keyNames);
    return inner && envelopeFormat(wrapped.name, inner);
  }
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

/** Whether a quarter of the lines can be read: the others may be of a service that shares the stream. */
function fits(format: Format, lines: readonly Uint8Array[]): boolean {
  const tokens = new Tokens();
  let count = 0;
  for (const line of lines) {
    if (format.scan(tokens, line, 0, line.length) >= 0) count++;
    else {
      const code = format.parse(tokens, line, 0, line.length);
      if (code === FINE || code === DROP) count++;
    }
  }
  return count > 0 && count * 4 >= lines.length;
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
