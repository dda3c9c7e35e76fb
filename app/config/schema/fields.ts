import { z } from 'zod';
import { looksLikeSecret } from '../looks-secret.ts';
import { type Parsed, parseCountOf, parseDuration, parseRatio, parseSize, printDuration } from '../units.ts';

/** Marks a value that may be a secret, so that no message and no excerpt shows it. */
export const HIDES_VALUE = { hidesValue: true };

function unit<T>(parse: (text: string) => Parsed<T>, expected: string): z.ZodType<T, string | number> {
  return z.union([z.string(), z.number()], { error: expected }).transform((input, context) => {
    const parsed = parse(String(input));
    if (parsed.ok) return parsed.value;
    context.issues.push({ code: 'custom', input, message: parsed.message });
    return z.NEVER;
  });
}

/** Milliseconds. */
export function duration(bounds: { readonly min?: number; readonly max?: number } = {}): z.ZodType<number, string | number> {
  return unit((text) => {
    const parsed = parseDuration(text);
    if (!parsed.ok) return parsed;
    if (parsed.value < (bounds.min ?? 0)) return { ok: false, message: `must be at least ${printDuration(bounds.min ?? 0)}` };
    if (parsed.value > (bounds.max ?? Number.MAX_SAFE_INTEGER)) return { ok: false, message: `must be at most ${printDuration(bounds.max ?? 0)}` };
    return parsed;
  }, 'expected a duration such as 30s, 15m, 24h, 35d or 7y');
}

/** Bytes. */
export function size(): z.ZodType<number, string | number> {
  return unit(parseSize, 'expected a size such as 64KB, 512MB or 20GB');
}

/** 0..1. */
export function ratio(): z.ZodType<number, string | number> {
  return unit(parseRatio, 'expected a share such as 5% or 0.05');
}

export function count(bounds: { readonly min?: number; readonly max?: number } = {}): z.ZodType<number, string | number> {
  return unit((text) => {
    const parsed = parseCountOf(text);
    if (!parsed.ok) return parsed;
    if (parsed.value < (bounds.min ?? 0)) return { ok: false, message: `must be at least ${bounds.min}` };
    if (parsed.value > (bounds.max ?? Number.MAX_SAFE_INTEGER)) return { ok: false, message: `must be at most ${bounds.max}` };
    return parsed;
  }, 'expected a whole number');
}

/** `off` as well as a value: null when it is off. YAML reads a bare `off` as text, `false` as a boolean. */
export function orOff<T>(field: z.ZodType<T, string | number>): z.ZodType<T | null, string | number | false> {
  return z.union([z.string(), z.number(), z.literal(false)], { error: 'expected a value, or off' }).transform((input, context) => {
    if (input === false || (typeof input === 'string' && /^(?:off|none|never)$/i.test(input.trim()))) return null;
    const parsed = field.safeParse(input);
    if (parsed.success) return parsed.data;
    context.issues.push({ code: 'custom', input, message: `${parsed.error.issues[0]?.message ?? 'expected a value'}, or off` });
    return z.NEVER;
  });
}

/** Text that is not empty. */
export function text(): z.ZodString {
  return z.string().min(1);
}

/** Text that people see or that names a key. A secret pasted here would be shown everywhere. */
export function openText(): z.ZodType<string, string> {
  return z.string().check((context) => {
    if (context.value.trim() === '') context.issues.push({ code: 'custom', input: context.value, message: 'must not be empty' });
    else if (looksLikeSecret(context.value))
      context.issues.push({ code: 'custom', input: context.value, message: 'this looks like a secret; secrets never stand in this file', params: HIDES_VALUE });
  });
}

/** An address of the web without a password in it: people see it, and messages begin links with it. */
export function webAddress(example: string): z.ZodType<string, string> {
  return z.url({ protocol: /^https?$/, error: `expected an address such as ${example}` }).check((context) => {
    if (/^https?:\/\/[^/]*@/i.test(context.value))
      context.issues.push({ code: 'custom', input: context.value, message: 'a password must not stand in an address that people see', params: HIDES_VALUE });
  });
}

/** One text or a list of texts. `example` is a whole line, for whoever left out what must be there. */
export function texts(expected: string, example?: string): z.ZodType<readonly string[], string | string[]> {
  const missing = example === undefined ? expected : `is missing; ${expected}; for instance ${example}`;
  return z.union([z.string(), z.array(z.string())], { error: (issue) => (issue.input === undefined ? missing : expected) }).transform((input, context) => {
    const list = typeof input === 'string' ? [input] : input;
    if (list.length === 0 || list.some((item) => item.trim() === '')) context.issues.push({ code: 'custom', input, message: expected });
    return list;
  });
}

/** Tells secrets from sections in the JSON Schema. */
export const SECRET_MARK = 'x-secret';

/** Where a secret is kept. It is read only after the whole file was found right. */
export class SecretRef {
  readonly kind: 'file' | 'env';
  readonly name: string;

  constructor(kind: 'file' | 'env', name: string) {
    this.kind = kind;
    this.name = name;
  }
}

const REFER = 'keep it elsewhere and refer to it: {file: /path/of/a/file} or {env: NAME}';

/** A reference to a secret. Plain text is refused and not repeated. */
export function secretRef(what: string): z.ZodType<SecretRef, { file?: string | undefined; env?: string | undefined }> {
  return z
    .strictObject(
      {
        file: z.string().min(1).describe('Path of a file that holds the secret and nothing else.').optional(),
        env: z.string().min(1).describe('Name of an environment variable.').optional(),
      },
      {
        error: (issue) =>
          issue.code === 'invalid_type' ? `${issue.input === undefined ? 'is missing' : 'a secret must not stand in the configuration'}; ${REFER}` : undefined,
      },
    )
    .meta({ description: `${what} Only by reference: {file: path} or {env: NAME}.`, [SECRET_MARK]: true })
    .transform((input, context) => {
      if (input.file !== undefined && input.env === undefined) return new SecretRef('file', input.file);
      if (input.env !== undefined && input.file === undefined) {
        if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(input.env)) return new SecretRef('env', input.env);
        context.issues.push({ code: 'custom', input, message: 'env is the name of a variable, not its value', params: HIDES_VALUE });
        return z.NEVER;
      }
      context.issues.push({ code: 'custom', input, message: 'a secret needs exactly one of file and env' });
      return z.NEVER;
    });
}

/** Where a text lies that the program wants whole, such as a certificate. */
export class TextRef {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** The path of a file whose text is taken. */
export function textRef(what: string): z.ZodType<TextRef, string> {
  return z
    .string()
    .min(1)
    .describe(what)
    .transform((path) => new TextRef(path));
}
