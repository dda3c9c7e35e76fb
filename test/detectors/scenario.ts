import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

/**
 * A rule test as data: series per minute in, findings at a minute out, and nothing else may come out.
 *
 * A series is a text of values, one a minute: `500` a value, `7x3` three of them, `_` no row at all. Minute 0 is
 * 2026-01-05 10:00 UTC. `attempted` holds the credentials that failed from a network: `a,b`, `k1..k9`, `_`.
 */
const series = z.union([z.string(), z.number().transform(String)]);
const entitySeries = z.strictObject({
  requests: series.optional(),
  /** 404 answers, and what else has a counter of its own. */
  s4xx: series.optional(),
  s5xx: series.optional(),
  s401: series.optional(),
  s403: series.optional(),
  s429: series.optional(),
  aborted: series.optional(),
  failedAuth: series.optional(),
  bytesIn: series.optional(),
  bytesOut: series.optional(),
  attempted: series.optional(),
});
export type EntitySeries = z.infer<typeof entitySeries>;

const limits = z.strictObject({ warning: z.number().optional(), critical: z.number().optional() });
const finding = z.strictObject({
  /** Last minute of the window. */
  at: z.number(),
  entity: z.string(),
  severity: z.enum(['medium', 'high', 'critical']),
  observed: z.number(),
  expected: z.number().optional(),
  score: z.number().optional(),
  why: z.string().optional(),
});
const testCase = z.strictObject({
  name: z.string(),
  series: z.record(z.string(), entitySeries),
  /** Held rows of the entity `refused:`: what overflowed the limit on entities. */
  overflow: series.optional(),
  /** By entity; all others have the rule's defaults. */
  limits: z.record(z.string(), limits).optional(),
  known: z.record(z.string(), z.string()).optional(),
  /** Minutes to run; default the longest series. */
  minutes: z.number().optional(),
  /** Rows of another segment that come after minute `after` was closed. */
  late: z.array(z.strictObject({ after: z.number(), at: z.number(), entity: z.string(), values: entitySeries })).optional(),
  /** Findings of closed windows, all of them. A run of windows with the same finding: `until`. */
  expect: z.array(finding.extend({ until: z.number().optional() })),
  /** Live findings, all of them, when given. */
  live: z.array(finding).optional(),
  /** An open alert on this entity: the verdicts of its evaluations, as `breach*2 hold clear*3`. */
  watched: z.strictObject({ entity: z.string(), verdicts: z.string() }).optional(),
});
const file = z.strictObject({ rule: z.string(), cases: z.array(testCase) });
export type RuleCase = z.infer<typeof testCase>;

export function readRuleTests(path: string): z.infer<typeof file> {
  return file.parse(parse(readFileSync(path, 'utf8')));
}

/** `7x3 _ 9` to [7, 7, 7, undefined, 9]. */
export function numbers(text: string): (number | undefined)[] {
  return repeated(text, 'x').map((token) => (token === '_' ? undefined : Number(token.replaceAll(',', ''))));
}

/** `breach*2 clear` to [breach, breach, clear]. */
export function verdicts(text: string): string[] {
  return repeated(text, '*');
}

/** `a,b k1..k3 _` to [[a, b], [k1, k2, k3], []]. */
export function credentials(text: string): string[][] {
  return text
    .trim()
    .split(/\s+/)
    .map((token) => (token === '_' ? [] : token.split(',').flatMap(range)));
}

function range(token: string): string[] {
  const [, stem, from, to] = /^([a-z]+)(\d+)\.\.[a-z]+(\d+)$/.exec(token) ?? [];
  if (stem === undefined) return [token];
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => `${stem}${Number(from) + index}`);
}

function repeated(text: string, times: string): string[] {
  return text
    .trim()
    .split(/\s+/)
    .flatMap((token) => {
      const [value, count = '1'] = token.split(times);
      return new Array<string>(Number(count)).fill(value ?? '');
    });
}
