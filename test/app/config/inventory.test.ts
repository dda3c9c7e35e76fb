import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseCsv } from '../../../app/config/csv.ts';
import { loadConfig } from '../../../app/config/load.ts';
import { ConfigError } from '../../../app/config/diagnostic.ts';
import { parseInventory } from '../../../app/config/inventory.ts';
import { entityId } from '../../../core/types.ts';
import { Directory } from '../../../keys/directory.ts';
import { runCli } from '../cli/capture.ts';
import { workspace } from './support.ts';

const { write, remove } = workspace();
afterAll(remove);

const SECRET = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';
const CSV = `id,label,owner,contact,team,environment,plan,tier,protected,successor
pay-1,billing,"Ortiz, Maria",maria@example.com,payments,production,gold,admin,yes,pay-2
pay-2,billing,,,,,,,,

srch-1,search,Ben,,search,staging,,,no,
`;
const YAML = `# keys
- {id: pay-1, label: billing, owner: "Ortiz, Maria", contact: maria@example.com, team: payments, environment: production, plan: gold, tier: admin, protected: true, successor: pay-2}
- {id: pay-2, label: billing}
- {id: srch-1, label: search, owner: Ben, team: search, environment: staging, protected: false}
`;
const JSON_TEXT = JSON.stringify({
  keys: [
    {
      id: 'pay-1',
      label: 'billing',
      owner: 'Ortiz, Maria',
      contact: 'maria@example.com',
      team: 'payments',
      environment: 'production',
      plan: 'gold',
      tier: 'admin',
      protected: true,
      successor: 'pay-2',
    },
    { id: 'pay-2', label: 'billing' },
    { id: 'srch-1', label: 'search', owner: 'Ben', team: 'search', environment: 'staging', protected: false },
  ],
});

/** A configuration with an inventory of this text. */
function configured(name: string, text: string): string {
  const directory = write(`keys: {inventory: ${name}}\nplans: {gold: {}}\n`);
  writeFileSync(join(directory, name), text);
  return directory;
}

function faultsOf(name: string, text: string): string {
  try {
    loadConfig({ env: { HOME: '/home/kw' }, cwd: configured(name, text) });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'nothing is wrong';
}

describe('an inventory of keys', () => {
  test.each([
    ['keys.csv', CSV],
    ['keys.csv', `\uFEFF${CSV.replaceAll('\n', '\r\n')}`],
    ['keys.yml', YAML],
    ['keys.json', JSON_TEXT],
  ])('%s says who a key is, and that a rotated key goes on under its lineage', (name, text) => {
    const { config } = loadConfig({ env: { HOME: '/home/kw' }, cwd: configured(name, text) });
    const directory = new Directory(config.directory);
    const [old, next] = [entityId('key', 'pay-1'), entityId('key', 'pay-2')];
    expect(directory.canonical(next)).toBe(old);
    for (const key of [old, next])
      expect(directory.labels(key)).toEqual({
        owner: 'Ortiz, Maria',
        contact: 'maria@example.com',
        team: 'payments',
        environment: 'production',
        plan: 'gold',
        tier: 'admin',
      });
    expect(directory.facts(next)).toMatchObject({ label: 'billing', protected: true });
    expect(directory.facts(entityId('key', 'srch-1')).protected).toBeUndefined();
    expect(directory.labels(entityId('key', 'unknown'))).toEqual({});
  });

  test.each([
    ['keys.csv', `id,label\npay-1,a\npay-1,b\n`, 'keys.csv:3:1 1.id: this key is listed twice, first as keys.0'],
    ['keys.csv', `id,lable\npay-1,a\n`, "keys.csv:1:4: there is no column of this name (did you mean 'label'?)"],
    ['keys.csv', `id,plan\npay-1,gold\npay-2,glod\n`, "keys.csv:3:7 1.plan: there is no plan 'glod' under plans (did you mean 'gold'?)"],
    ['keys.csv', `id,fingerprint\npay-1,kf1_12\n`, 'keys.csv:2:7 0.fingerprint: expected kf1_ and 32 hex digits'],
    ['keys.csv', `id,label\npay-1,"a\n`, 'keys.csv:2:7: a quote opens here and does not close'],
    ['keys.csv', `id,label\npay-1,a,b\n`, 'keys.csv:2:9: more cells than the first line has names (2)'],
    ['keys.csv', `id,protected\npay-1,perhaps\n`, 'keys.csv:2:7 0.protected: expected true or false'],
    ['keys.csv', '', 'nothing here; the first line names the columns'],
    ['keys.yml', `- id: pay-1\n  label: a\n- id: pay-1\n`, 'keys.yml:3:7 1.id: this key is listed twice'],
    ['keys.yml', `- id: pay-1\n  ownr: a\n`, "keys.yml:2:3 0.ownr: a key has no such field (did you mean 'owner'?)"],
    ['keys.yml', `- {id: a, successor: b}\n- {id: b, successor: a}\n`, 'these keys take over from each other in a circle'],
    ['keys.yml', `id: pay-1\n`, 'keys.yml:1:1: expected a list of keys'],
    ['keys.json', `[{"id": "pay-1"}, {"id": 7}]`, 'keys.json:1:26 1.id: expected text, found a number'],
    ['keys.json', `[{"id": "pay-1"`, 'keys.json:1:'],
  ])('%s %j: %s', (name, text, message) => {
    const said = faultsOf(name, text);
    expect(said).toContain(message);
    // With the line and a caret, as for the configuration itself.
    if (text !== '') expect(said).toMatch(/\n +\d+ \| .*\n +\| +\^/);
  });

  test.each([
    ['keys.csv', `id,label\n${SECRET},billing\n`],
    ['keys.csv', `id,label\npay-1,${SECRET}\n`],
    ['keys.csv', `${SECRET},label\npay-1,a\n`],
    ['keys.csv', `id,successor\npay-1,${SECRET}\n`],
    ['keys.csv', `id,contact\npay-1,"Bearer ${SECRET}\n`],
    ['keys.yml', `- {id: ${SECRET}}\n`],
    ['keys.yml', `- {id: pay-1, ${SECRET}: a}\n`],
    ['keys.json', `[{"fingerprint": "${SECRET}"}]`],
    ['keys.json', `{"keys": "${SECRET}"}`],
  ])('a raw secret in it is refused and not repeated: %s %#', (name, text) => {
    const said = faultsOf(name, text);
    expect(said).not.toBe('nothing is wrong');
    expect(said).not.toContain(SECRET.slice(8));
  });

  test('a file that is away, a directory and no UTF-8 are refused with what to do', () => {
    const load = (path: string) => () => loadConfig({ env: { HOME: '/home/kw' }, cwd: write(`keys: {inventory: ${path}}\n`) });
    expect(load('nowhere.csv')).toThrow('cannot read the inventory of keys nowhere.csv: ');
    expect(load('.')).toThrow('the inventory of keys . is not a file; name another in the configuration');
  });

  test('a thousand faults are told as twenty and a number', () => {
    const { faults } = parseInventory('keys.csv', `id\n${'same\n'.repeat(1001)}`, []);
    expect([faults.length, faults.at(-1)?.message]).toEqual([
      21,
      'this key is listed twice, first as keys.0; keep one entry; and 979 more problems after this one',
    ]);
  });

  test('config check says ok of both, and the old way with a list in the configuration stays', async () => {
    const ran = await runCli(['config', 'check', join(configured('keys.csv', CSV), 'keywatch.yml')]);
    expect([ran.code, ran.stdout.trim().endsWith(': ok')]).toEqual([0, true]);
    const { config } = loadConfig({ env: { HOME: '/home/kw' }, cwd: write('keys: [{id: pay-1, team: payments}]\n') });
    expect(new Directory(config.directory).labels(entityId('key', 'pay-1'))).toEqual({ team: 'payments' });
  });
});

test('cells written by the rules of RFC 4180 are read back as they were', () => {
  const cell = fc.string({ maxLength: 12 }).map((text) => text.trim());
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }), (rows) => {
      fc.pre(rows.every((row) => row.some((text) => text !== '')));
      const text = ['a,b', ...rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(','))].join('\r\n');
      expect(
        parseCsv(text)
          .rows.slice(1)
          .map((row) => row.map(({ text: value }) => value)),
      ).toEqual(rows);
    }),
    { numRuns: 300 },
  );
});
