import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dedupKey } from '../../alerts/dedup.ts';
import { type EntityId, entityId } from '../../core/types.ts';

const parts = { tenant: 'default', rule: 'requests', lineage: entityId('key', 'a'), dimension: '' };

/** The lineage is whatever an attacker may have chosen. */
function key(tenant: string, rule: string, lineage: string, dimension: string): string {
  return dedupKey({ tenant, rule, lineage: lineage as EntityId, dimension });
}

describe('dedup key', () => {
  test('every part tells alerts apart', () => {
    const keys = [
      parts,
      { ...parts, tenant: 'other' },
      { ...parts, rule: 'errors' },
      { ...parts, lineage: entityId('key', 'b') },
      { ...parts, dimension: 'route' },
    ].map(dedupKey);
    expect(new Set(keys).size).toBe(5);
    expect(dedupKey({ ...parts })).toBe(keys[0]);
    expect(keys[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  test('{a, bc} and {ab, c} differ, whatever separators the parts hold', () => {
    expect(key('a', 'bc', 'x', '')).not.toBe(key('ab', 'c', 'x', ''));
    expect(key('t', '1:a', 'b', '')).not.toBe(key('t', '1', ':ab', ''));
    expect(key('t', 'a\u0000b', 'c', '')).not.toBe(key('t', 'a', '\u0000bc', ''));
    const four = fc.tuple(fc.string(), fc.string(), fc.string(), fc.string());
    fc.assert(
      fc.property(four, four, (a, b) => {
        expect(key(...a) === key(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 300, seed: 1 },
    );
    // Every way to cut one text into four.
    const cuts = new Set<string>();
    for (let i = 0; i <= 6; i++)
      for (let j = i; j <= 6; j++)
        for (let k = j; k <= 6; k++) cuts.add(key('abcdef'.slice(0, i), 'abcdef'.slice(i, j), 'abcdef'.slice(j, k), 'abcdef'.slice(k)));
    expect(cuts.size).toBe(84);
  });
});
