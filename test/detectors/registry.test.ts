import { expect, test } from 'vitest';
import { RULES, ruleIds } from '../../detectors/registry.ts';

test('the shipped limits are those of the design', () => {
  expect(Object.fromEntries(RULES.map(({ id, defaults, action }) => [id, { ...defaults, action }]))).toEqual({
    request_rate: { warning: 500, critical: 1000, action: 'apply rate limiting' },
    error_rate: { warning: 0.05, critical: 0.1, action: 'investigate' },
    data_transfer: { warning: 500 * 1024 ** 2, critical: 1024 ** 3, action: 'review usage' },
    failed_auth: { warning: 10, critical: 50, action: 'security audit' },
    guessing: { warning: 10, critical: 50, action: 'block the network' },
    entity_limit: { warning: 0, action: 'raise limits.entities or block the source' },
  });
});

test('every rule can be documented: an id of its own, a sentence, a formula, and whom it judges', () => {
  expect(new Set(ruleIds).size).toBe(RULES.length);
  for (const { id, description, formula, subjects, minutes } of RULES) {
    expect(id).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(description).toMatch(/^[A-Z].*\.$/);
    expect(formula).toMatch(/>=? limit/);
    expect(subjects.length).toBeGreaterThan(0);
    expect([1, 5, 60]).toContain(minutes);
  }
});
