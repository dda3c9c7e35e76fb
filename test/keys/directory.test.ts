import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EntityId, entityId } from '../../core/types.ts';
import { Directory, type DirectoryInput, type KeyEntry, defaultLabel } from '../../keys/directory.ts';

const FP_A = 'kf1_9f3c12ab00000000000000000000000a';
const FP_B = 'kf1_0b0b0b0b00000000000000000000000b';
const key = (name: string): EntityId => entityId('key', name);
const entry = (fields: Omit<KeyEntry, 'rules'> & { readonly rules?: KeyEntry['rules'] }): KeyEntry => ({ rules: {}, ...fields });
const input = (keys: readonly KeyEntry[], plans: DirectoryInput['plans'] = {}): DirectoryInput => ({ keys, plans });

describe('canonical', () => {
  test('a credential id and a fingerprint of one inventory line are one key, named by its credential id', () => {
    const directory = new Directory(input([entry({ id: 'app-42', fingerprint: FP_A })]));
    expect(directory.canonical(key(FP_A))).toBe(key('app-42'));
    expect(directory.canonical(key('app-42'))).toBe(key('app-42'));
    expect(directory.known(FP_A)).toBe(key('app-42'));
  });

  test('an alias seen in traffic unites the two, without changing the directory it was made from', () => {
    const before = new Directory(input([entry({ id: 'app-42', label: 'billing' })]));
    const after = before.withAliases(new Map([[key('app-42'), key(FP_A)]]));
    expect(after.canonical(key(FP_A))).toBe(key('app-42'));
    expect(after.label(key(FP_A))).toBe('billing');
    expect(before.canonical(key(FP_A))).toBe(key(FP_A));
    expect(before.known(FP_A)).toBeUndefined();
  });

  test('a rotation keeps the name of the lineage, so that open alerts stay on it', () => {
    const old = entry({ id: 'zeta', label: 'export' });
    const before = new Directory(input([old]));
    const after = new Directory(input([{ ...old, successor: 'alpha' }, entry({ id: 'alpha', fingerprint: FP_B })]));
    expect(before.canonical(key('zeta'))).toBe(key('zeta'));
    expect(after.canonical(key('zeta'))).toBe(key('zeta'));
    expect(after.canonical(key('alpha'))).toBe(key('zeta'));
    expect(after.canonical(key(FP_B))).toBe(key('zeta'));
  });

  test('a successor may be named by its label', () => {
    const directory = new Directory(input([entry({ id: 'one', successor: 'export 2026' }), entry({ id: 'two', label: 'export 2026' })]));
    expect(directory.canonical(key('two'))).toBe(key('one'));
  });

  test('users, clients and networks stand for themselves, even when a key has their name', () => {
    const directory = new Directory(input([entry({ id: 'alice', successor: 'bob' })]));
    for (const entity of [entityId('user', 'bob'), entityId('client', 'alice'), entityId('network', '203.0.113.0/24'), entityId('refused', '')])
      expect(directory.canonical(entity)).toBe(entity);
  });

  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', FP_A, FP_B);
  const inventory = fc.array(
    fc.record({ id: names, fingerprint: fc.option(fc.constantFrom(FP_A, FP_B), { nil: undefined }), successor: fc.option(names, { nil: undefined }) }),
    { maxLength: 8 },
  );
  const aliases = fc.array(fc.tuple(names, names), { maxLength: 5 });

  test('is idempotent, and is the same for all that are united, whatever circles there are', () => {
    fc.assert(
      fc.property(inventory, aliases, (lines, seen) => {
        const directory = new Directory(input(lines.map(entry)), new Map(seen.map(([a, b]) => [key(a), key(b)])));
        const united = [
          ...lines.flatMap((line) => [line.fingerprint, line.successor].filter((name) => name !== undefined).map((name) => [line.id, name] as const)),
          ...new Map(seen),
        ];
        for (const [a, b] of united) expect(directory.canonical(key(a))).toBe(directory.canonical(key(b)));
        for (const name of ['a', 'b', 'c', 'd', 'e', FP_A, FP_B, 'unknown']) {
          const once = directory.canonical(key(name));
          expect(directory.canonical(once)).toBe(once);
          expect(directory.facts(key(name)).members).toContain(once);
        }
      }),
    );
  });

  test('unites exactly what is connected, counted by a flood fill', () => {
    fc.assert(
      fc.property(inventory, (lines) => {
        const directory = new Directory(input(lines.map(entry)));
        const edges = lines.flatMap((line) => [line.fingerprint, line.successor].flatMap((name) => (name === undefined ? [] : [[line.id, name] as const])));
        const reach = (from: string): Set<string> => {
          const seen = new Set([from]);
          for (let grew = true; grew;) {
            grew = false;
            for (const [a, b] of edges) {
              if (seen.has(a) === seen.has(b)) continue;
              seen.add(a).add(b);
              grew = true;
            }
          }
          return seen;
        };
        const all = ['a', 'b', 'c', 'd', 'e', FP_A, FP_B];
        for (const a of all) for (const b of all) expect(directory.canonical(key(a)) === directory.canonical(key(b))).toBe(reach(a).has(b));
      }),
    );
  });

  test('does not depend on the order of the inventory', () => {
    fc.assert(
      fc.property(inventory, fc.infiniteStream(fc.nat()), (lines, order) => {
        const shuffled = lines.map((line) => ({ line, at: order.next().value })).toSorted((a, b) => a.at - b.at);
        const one = new Directory(input(lines.map(entry)));
        const two = new Directory(input(shuffled.map(({ line }) => entry(line))));
        for (const name of ['a', 'b', 'c', 'd', 'e', FP_A, FP_B]) expect(one.canonical(key(name))).toBe(two.canonical(key(name)));
      }),
    );
  });

  test('a succession of 20,000 keys and one that is a circle both end', () => {
    const chain = Array.from({ length: 20_000 }, (_, index) =>
      entry({ id: `k${String(index).padStart(5, '0')}`, successor: `k${String((index + 1) % 20_001).padStart(5, '0')}` }),
    );
    expect(new Directory(input(chain)).canonical(key('k20000'))).toBe(key('k00000'));
    const circle = [entry({ id: 'a', successor: 'b' }), entry({ id: 'b', successor: 'a' })];
    expect(new Directory(input(circle)).canonical(key('b'))).toBe(key('a'));
  });
});

describe('labels', () => {
  const directory = new Directory(
    input([entry({ id: 'app-42', label: 'billing-export', successor: 'app-43' }), entry({ id: 'app-43' }), entry({ match: 'app-*', label: 'pattern' })]),
  );
  test.each([
    [key('app-42'), 'billing-export'],
    [key('app-43'), 'billing-export'],
    [key(FP_A), 'key 9f3c12ab'],
    [key('app-99'), 'key app-99'],
    [entityId('user', 'alice'), 'user alice'],
    [entityId('client', '203.0.113.24 curl/8.5.0'), '203.0.113.24 curl/8.5.0'],
    [entityId('network', '203.0.113.0/24'), 'network 203.0.113.0/24'],
    [entityId('refused', ''), 'refused credentials'],
  ])('%s is called %s', (entity, want) => {
    expect(directory.label(entity)).toBe(want);
  });

  test('no more than the first 8 hex of a fingerprint are ever shown', () => {
    expect(defaultLabel(key(FP_A))).not.toContain(FP_A.slice(4 + 9));
  });

  test('what came from traffic cannot drive a terminal', () => {
    expect(defaultLabel(entityId('client', '203.0.113.1 \u001b[2Jcurl\u202e'))).toBe('203.0.113.1 [2Jcurl');
  });

  test('after a rotation the newest label counts', () => {
    const rotated = new Directory(input([entry({ id: 'a', label: 'export 2025', successor: 'b' }), entry({ id: 'b', label: 'export 2026' })]));
    expect(rotated.label(key('a'))).toBe('export 2026');
  });
});

describe('limits', () => {
  const defaults = { warning: 500, critical: 1000 };
  const directory = new Directory(
    input(
      [
        entry({ id: 'exact', label: 'billing', plan: 'partner', rules: { request_rate: { critical: 9 } } }),
        entry({ label: 'billing', rules: { request_rate: { warning: 8, critical: 80 } } }),
        entry({ match: 'bill*', rules: { request_rate: { warning: 7, critical: 70 }, error_rate: { critical: 0.5 } } }),
        entry({ id: 'client:203.0.113.9 curl/8', label: 'nightly sync', rules: { request_rate: { warning: 3, critical: 1000 } } }),
        entry({ match: 'client:*', rules: { request_rate: { enabled: false } } }),
        entry({ id: 'member', plan: 'partner' }),
        entry({ id: 'quiet', rules: { request_rate: { enabled: false } } }),
        entry({ id: 'loud', plan: 'off', rules: { request_rate: { critical: 5 } } }),
        entry({ id: 'back', plan: 'off', rules: { request_rate: { enabled: true } } }),
        entry({ id: 'half', rules: { request_rate: { warning: null } } }),
        entry({ id: 'old', rules: { request_rate: { critical: 1 } }, successor: 'new' }),
        entry({ id: 'new', rules: { request_rate: { critical: 2 } } }),
      ],
      {
        partner: { rules: { request_rate: { warning: 6, critical: 60 }, data_transfer: { critical: 600 } } },
        off: { rules: { request_rate: { enabled: false } } },
      },
    ),
  );
  test.each([
    ['the exact id wins over label, glob, plan and default; what it leaves open the label decides', 'request_rate', key('exact'), { warning: 8, critical: 9 }],
    ['a glob decides what neither id nor label say', 'error_rate', key('exact'), { warning: 500, critical: 0.5 }],
    ['a plan decides what the key does not say', 'data_transfer', key('exact'), { warning: 500, critical: 600 }],
    ['a plan wins over the default', 'request_rate', key('member'), { warning: 6, critical: 60 }],
    ['an unknown key has the default', 'request_rate', key(FP_B), defaults],
    ['a glob may name clients', 'request_rate', entityId('client', '203.0.113.1 curl/8'), { warning: undefined, critical: undefined }],
    ['a rule can be switched off for one key', 'request_rate', key('quiet'), { warning: undefined, critical: undefined }],
    ['what a key sets itself stays on when its plan switches the rule off', 'request_rate', key('loud'), { warning: undefined, critical: 5 }],
    ['a key can switch a rule on again', 'request_rate', key('back'), defaults],
    ['one level can be switched off alone', 'request_rate', key('half'), { warning: undefined, critical: 1000 }],
    ['of a lineage the newest key decides', 'request_rate', key('old'), { warning: 500, critical: 2 }],
    ['a client can have limits of its own, by its whole entity id', 'request_rate', entityId('client', '203.0.113.9 curl/8'), { warning: 3, critical: 1000 }],
    ['a rule called like a method of objects is no rule', 'constructor', key('exact'), defaults],
  ])('%s', (_name, rule, entity, want) => {
    expect(directory.limits(rule, entity, defaults)).toEqual(want);
  });

  test('100,000 clients that patterns look at do not pile up', () => {
    for (let i = 0; i < 100_000; i++) directory.limits('request_rate', entityId('client', `c${i}`), defaults);
    expect(directory.limits('request_rate', entityId('client', 'c1'), defaults)).toEqual({ warning: undefined, critical: undefined });
  });
});

describe('find', () => {
  const directory = new Directory(input([entry({ id: 'app-42', fingerprint: FP_A, label: 'billing' })]));
  test.each([['app-42'], ['key:app-42'], ['billing'], [FP_A], ['9f3c12ab'], ['kf1_9f3c12ab'], ['key 9f3c12ab']])('%s finds the key', (text) => {
    expect(directory.find(text)).toEqual([key('app-42')]);
  });
  test('entities that only the store knows are found too', () => {
    expect(directory.find('0b0b0b0b', [key(FP_B)])).toEqual([key(FP_B)]);
    expect(directory.find('alice', [entityId('user', 'alice')])).toEqual([entityId('user', 'alice')]);
  });
  test('seven hex digits are too few to name a key', () => {
    expect(directory.find('9f3c12a')).toEqual([]);
  });
});
