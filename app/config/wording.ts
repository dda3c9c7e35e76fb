import type { z } from 'zod';
import { didYouMean } from '../cli/suggest.ts';
import { looksLikeSecret } from './looks-secret.ts';

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  object: 'a section with "name: value" lines',
  record: 'a section with "name: value" lines',
  array: 'a list',
  nonoptional: 'a value',
};

/** zod's complaint in our words. Values are not repeated. */
export function wordingOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = KINDS[issue.expected] ?? issue.expected;
      if (issue.input === undefined) return `is missing; expected ${expected}`;
      const quotes = issue.expected === 'string' && ['number', 'boolean'].includes(typeof issue.input) ? '; put it in quotes' : '';
      return `expected ${expected}, found ${kindOf(issue.input)}${quotes}`;
    }
    case 'invalid_value': {
      const values = issue.values.map(String);
      const hint = typeof issue.input === 'string' && !looksLikeSecret(issue.input) ? didYouMean(issue.input, values) : '';
      return values.length === 1 ? `expected ${values[0]}` : `expected one of ${values.join(', ')}${hint}`;
    }
    case 'too_small':
      return issue.origin === 'string'
        ? 'must not be empty'
        : issue.origin === 'array'
          ? `needs at least ${issue.minimum} ${Number(issue.minimum) === 1 ? 'entry' : 'entries'}`
          : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  switch (typeof input) {
    case 'string':
      return 'text';
    case 'object':
      return 'a section';
    case 'boolean':
      return `${input}`;
    default:
      return `a ${typeof input}`;
  }
}
