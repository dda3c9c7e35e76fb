import type { Matcher } from '../core/operator.ts';
import { SEVERITIES } from '../core/types.ts';

/** What routes and silences look at. A label that is not there is ''. */
export type Labels = Readonly<Record<string, string>>;

const VALUE_CHARS_MAX = 500;
const MATCHERS_MAX = 20;

/** A matcher ready to be asked many times. Expressions match the whole value. */
export type Condition = (labels: Labels) => boolean;

/** Conditions of all matchers together. Throws for an expression that is none: check with `matcherFault` first. */
export function conditionOf(matchers: readonly Matcher[]): Condition {
  const tests = matchers.map(({ label, op, value }): Condition => {
    if (op === '=') return (labels) => valueOf(labels, label) === value;
    if (op === '!=') return (labels) => valueOf(labels, label) !== value;
    const pattern = new RegExp(`^(?:${value})$`, 'u');
    return (labels) => pattern.test(valueOf(labels, label)) === (op === '=~');
  });
  return (labels) => tests.every((test) => test(labels));
}

function valueOf(labels: Labels, label: string): string {
  return Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
}

/** What is wrong with matchers, in one sentence; undefined when they can be used. */
export function matcherFault(matchers: readonly Matcher[]): string | undefined {
  if (matchers.length > MATCHERS_MAX) return `at most ${MATCHERS_MAX} matchers`;
  for (const { label, op, value } of matchers) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(label)) return 'a label is letters, digits, _, . and -, and begins with a letter';
    if (value.length > VALUE_CHARS_MAX) return `the value of ${label} is longer than ${VALUE_CHARS_MAX} characters`;
    if (op === '=' || op === '!=') continue;
    // A repeated group with a repetition in it can take for ever on a value that an attacker chose.
    if (/\([^)]*[+*{][^)]*\)[+*{]/.test(value)) return `the expression of ${label} repeats a repetition; write it without one`;
    try {
      void new RegExp(`^(?:${value})$`, 'u');
    } catch {
      return `the expression of ${label} is not a regular expression`;
    }
  }
  return undefined;
}

/** Values that have nothing in common, and none. */
const ANYTHING = ['', 'a', 'Zq', '7', 'x-1_y.z', 'key:kf1_0f', '203.0.113.9 curl/8.5.0', 'ünï çødé', '~!@#', 'q'.repeat(70)];
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  severity: SEVERITIES,
  kind: ['key', 'user', 'client', 'network', 'refused', 'fleet'],
  rule: ANYTHING.filter((value) => value !== ''),
  entity: ANYTHING.filter((value) => value !== ''),
  key: ANYTHING.filter((value) => value !== ''),
};

/** Whether no alert could escape. Labels that every alert has are tried with the values they can have, others with anything. */
export function matchesEverything(matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => {
    const condition = conditionOf([matcher]);
    const values = Object.hasOwn(KNOWN, matcher.label) ? (KNOWN[matcher.label] ?? ANYTHING) : ANYTHING;
    return values.every((value) => condition({ [matcher.label]: value }));
  });
}

/** `rule="failed_auth" team=~"pay.*"`. */
export function matchersText(matchers: readonly Matcher[]): string {
  return matchers.length === 0 ? 'everything' : matchers.map(({ label, op, value }) => `${label}${op}"${value}"`).join(' ');
}
