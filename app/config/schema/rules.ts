import { z } from 'zod';
import { RULES } from '../../../detectors/registry.ts';
import type { RuleInfo } from '../../../detectors/rule.ts';
import { printRatio, printSize } from '../units.ts';
import { count, orOff, ratio, size } from './fields.ts';

type Level = z.ZodType<number | null, string | number | false>;

/** In the unit in which the rule counts: 500, 5%, 500MB. */
function level(rule: RuleInfo): Level {
  switch (rule.unit) {
    case 'ratio':
      return orOff(ratio());
    case 'bytes':
      return orOff(size());
    default:
      return orOff(count());
  }
}

/** How people write a limit of this rule. */
export function printLevel(rule: RuleInfo, limit: number | null | undefined): string | number {
  if (limit === null || limit === undefined) return 'off';
  if (rule.unit === 'ratio') return printRatio(limit);
  return rule.unit === 'bytes' ? printSize(limit) : limit;
}

type Levels = { readonly warning?: number | null | undefined; readonly critical?: number | null | undefined };

function inOrder(rule: RuleInfo, context: { readonly value: Levels; readonly issues: z.core.$ZodRawIssue[] }): void {
  const fault = disorder(rule, context.value);
  if (fault !== undefined) context.issues.push({ code: 'custom', input: context.value, path: ['warning'], message: fault });
}

/** What is wrong with two levels of one rule, if anything. */
export function disorder(rule: RuleInfo, { warning, critical }: Levels): string | undefined {
  if (typeof warning !== 'number' || typeof critical !== 'number' || warning < critical) return undefined;
  return `the warning (${printLevel(rule, warning)}) must be below the critical limit (${printLevel(rule, critical)}), or one of them off`;
}

function ruleSchema(rule: RuleInfo) {
  return z
    .strictObject({
      enabled: z.boolean().prefault(true),
      warning: level(rule).describe('Limit of the warning, or off.').prefault(printLevel(rule, rule.defaults.warning)),
      critical: level(rule).describe('Limit of the critical alert, or off.').prefault(printLevel(rule, rule.defaults.critical)),
    })
    .check((context) => inOrder(rule, context))
    .describe(`${rule.description} ${rule.formula}`)
    .prefault({});
}

function overrideSchema(rule: RuleInfo) {
  return z
    .strictObject({ enabled: z.boolean().optional(), warning: level(rule).optional(), critical: level(rule).optional() })
    .check((context) => inOrder(rule, context))
    .describe(rule.description)
    .optional();
}

function perRule<T>(make: (rule: RuleInfo) => T): Record<string, T> {
  return Object.fromEntries(RULES.map((rule) => [rule.id, make(rule)]));
}

export const rulesSchema = z.strictObject(perRule(ruleSchema)).describe('Limits for everybody; plans and keys may have their own.').prefault({});

/** What a plan or a key changes; everything else falls through. */
export const overridesSchema = z
  .strictObject(perRule(overrideSchema))
  .describe('Limits of its own; what is absent falls through to the plan, then to rules.')
  .prefault({});

export const plansSchema = z
  .record(z.string().min(1), z.strictObject({ rules: overridesSchema }).describe('A plan that customers buy, and its limits.'))
  .describe('Plans by name; keys refer to them.')
  .prefault({});
