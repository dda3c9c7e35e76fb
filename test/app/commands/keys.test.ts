import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keySchema } from '../../../app/json/key.ts';
import { entityId } from '../../../core/types.ts';
import { NOW, runCli } from '../cli/capture.ts';
import { type FixtureEvent, alertOf, fillJournal, fillStore } from './stored-fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch keys '));
const config = join(directory, 'keywatch.yml');
const env = { HOME: directory, KEYWATCH_CONFIG: config, KEYWATCH_DATA_DIR: join(directory, 'data') };
const FP = 'kf1_9f3c12ab00000000000000000000000a';
const OTHER = 'kf1_0b0b0b0b00000000000000000000000b';
const MINUTE = 60_000;

// The same key under two names (200s by its id, 401s by its fingerprint only), a key nobody listed, a client, and one from last week.
const events: readonly FixtureEvent[] = [
  ...Array.from({ length: 6 }, (_, i): FixtureEvent => ({
    at: NOW - (60 - i) * MINUTE,
    entity: entityId('key', 'app-42'),
    status: 200,
    bytesOut: 1000,
    latencyUs: 10_000,
    address: `198.51.100.${1 + (i % 2)}`,
    agent: 'curl/8.5.0',
    route: '/v1/orders/{id}',
  })),
  ...Array.from({ length: 3 }, (_, i): FixtureEvent => ({
    at: NOW - (30 - i) * MINUTE,
    entity: entityId('key', FP),
    status: 401,
    bytesOut: 10,
    address: `198.51.100.${2 + i}`,
    agent: 'curl/8.5.0',
    route: '/v1/orders/{id}',
  })),
  { at: NOW - 20 * MINUTE, entity: entityId('key', OTHER), status: 500, address: '203.0.113.9', agent: 'bad\u001b[31magent', route: '/x' },
  { at: NOW - 19 * MINUTE, entity: entityId('key', OTHER), status: 499, address: '203.0.113.9', agent: 'bad\u001b[31magent', route: '/x' },
  { at: NOW - 10 * MINUTE, entity: entityId('client', '203.0.113.24 wget/1.21'), status: 404, bytesOut: 7 },
  { at: NOW - 6 * 86_400_000, entity: entityId('key', 'old-key'), status: 200, bytesOut: 5, address: '192.0.2.1' },
];

beforeAll(async () => {
  writeFileSync(
    config,
    'plans: {gold: {rules: {request_rate: {warning: 5000, critical: 9000}}}}\nkeys:\n  - {id: app-42, label: billing-export, plan: gold, owner: billing team}\n',
  );
  await fillStore(env.KEYWATCH_DATA_DIR, events, { aliases: [['app-42', FP]] });
  await fillJournal(env.KEYWATCH_DATA_DIR, [alertOf({ id: 'a1', entity: entityId('key', 'app-42'), startedAt: NOW - 5 * MINUTE })]);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What JSON.parse gives, for tests that look into it. */
type Json = ReturnType<typeof JSON.parse>;

const json = async (argv: readonly string[]): Promise<Json> => JSON.parse((await runCli(argv, { env })).stdout);

describe('keys list', () => {
  test('names of one key are one row, with the addresses of both counted once', async () => {
    const { keys, range } = await json(['keys', 'list', '--json']);
    expect(range).toEqual({ from: '2026-11-22T12:00:00.000Z', to: '2026-11-23T12:00:00.000Z' });
    for (const key of keys) expect(keySchema.safeParse(key).success).toBe(true);
    // 6 + 3 requests; addresses .1 .2 of the first name, .2 .3 .4 of the second: 4; 6 × 1000 + 3 × 10 bytes.
    expect(keys).toEqual([
      {
        id: 'key:app-42',
        kind: 'key',
        requests: 9,
        status: { '1xx': 0, '2xx': 6, '3xx': 0, '4xx': 3, '5xx': 0 },
        errors: 0,
        failedAuth: 3,
        bytesIn: null,
        bytesOut: 6030,
        clients: 4,
        first: '2026-11-23T11:00:00.000Z',
        last: '2026-11-23T11:32:00.000Z',
      },
      {
        id: `key:${OTHER}`,
        kind: 'key',
        requests: 2,
        status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 1 },
        errors: 1,
        failedAuth: 0,
        bytesIn: null,
        bytesOut: null,
        clients: 1,
        first: '2026-11-23T11:40:00.000Z',
        last: '2026-11-23T11:41:00.000Z',
      },
      {
        id: 'client:203.0.113.24 wget/1.21',
        kind: 'client',
        requests: 1,
        status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 1, '5xx': 0 },
        errors: 1,
        failedAuth: 0,
        bytesIn: null,
        bytesOut: 7,
        clients: null,
        first: '2026-11-23T11:50:00.000Z',
        last: '2026-11-23T11:50:00.000Z',
      },
    ]);
  });

  test('as a table: labels, a line over time, unknown as a dash, and how many more there are', async () => {
    const { stdout, code } = await runCli(['keys', 'list', '--top', '2'], { env });
    expect(code).toBe(0);
    expect(stdout).toContain('3 keys, users and clients with 12 requests, 2026-11-22 12:00:00Z to 2026-11-23 12:00:00Z');
    expect(stdout).toMatch(/billing-export +9 +[▁-█ ]+ +0 +3 +– +5\.89 KB +4 +28 min ago +gold/);
    expect(stdout).toMatch(/key 0b0b0b0b +2 +[▁-█ ]+ +1 \(50 %\) +0 +– +– +1 +19 min ago/);
    expect(stdout).toContain('1 more; show them with --top 3');
    expect(stdout).not.toContain(FP);
  });

  test('fits a narrow terminal', async () => {
    const { stdout } = await runCli(['keys', 'list'], { env, columns: 64 });
    for (const line of stripVTControlCharacters(stdout).split('\n').slice(2)) expect(line.length).toBeLessThanOrEqual(64);
  });

  test('--since and --until choose the range', async () => {
    const { keys } = await json(['keys', 'list', '--json', '--since', '7d', '--until', '2026-11-20']);
    expect(keys.map((key: { id: string }) => key.id)).toEqual(['key:old-key']);
    expect((await json(['keys', 'list', '--json', '--since', '25m'])).keys).toHaveLength(2);
  });

  test('an empty range says when the newest event was', async () => {
    const { stdout } = await runCli(['keys', 'list', '--since', '5m'], { env });
    expect(stdout).toBe(
      'no requests from 2026-11-23 11:55:00Z to 2026-11-23 12:00:00Z; the newest stored event is from 2026-11-23 11:50:00Z (10 min ago), try --since 2026-11-23\n',
    );
  });

  test.each([
    [['--since', 'yesterday'], 'expected a time such as'],
    [['--since', '2026-02-30'], 'expected a time such as'],
    [['--since', '1h', '--until', '2h'], 'is not before --until'],
    [['--top', '0'], 'expected a whole number from 1 up'],
  ])('%s is refused in one line', async (options, want) => {
    const ran = await runCli(['keys', 'list', ...options], { env });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(want);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  });

  test('without a store it says what to do', async () => {
    const ran = await runCli(['keys', 'list'], { env: { ...env, KEYWATCH_DATA_DIR: join(directory, 'nothing') } });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('nothing stored yet');
  });
});

describe('keys show', () => {
  test('unites sets, top lists and latencies of all names', async () => {
    const shown = await json(['keys', 'show', 'billing-export', '--json']);
    expect(shown).toMatchObject({
      id: 'key:app-42',
      label: 'billing-export',
      plan: 'gold',
      owner: 'billing team',
      environment: null,
      limits: { request_rate: { warning: 5000, critical: 9000 }, error_rate: { warning: 0.05, critical: 0.1 } },
      addresses: { distinct: 4, isExact: true },
      networks: { distinct: 1, top: [{ value: '198.51.100.0/24', requests: 9, failed: 3 }] },
      agents: { top: [{ value: 'curl/8.5.0', requests: 9, failed: 3 }] },
      routes: { top: [{ value: '/v1/orders/{id}', requests: 9, failed: 3 }] },
      alerts: [{ id: 'a1', state: 'firing' }],
    });
    expect(shown.key).toMatchObject({ requests: 9, clients: 4 });
    expect(shown.ids.toSorted()).toEqual([`key:${FP}`, 'key:app-42'].toSorted());
    // 6 × 10 ms, within the 3.2 % of the histogram.
    expect(Math.abs(shown.latencyMs.p95 / 10 - 1)).toBeLessThan(0.032);
    // .2 was seen 3 times by id and once by fingerprint.
    expect(shown.addresses.top[0]).toEqual({ value: '198.51.100.2', requests: 4, failed: 1 });
  });

  test.each(['app-42', 'key:app-42', FP, '9f3c12ab', 'key 9f3c12ab'])('%s finds it', async (name) => {
    expect((await json(['keys', 'show', name, '--json'])).id).toBe('key:app-42');
  });

  test('as text it says what is unknown, and hostile text is harmless', async () => {
    const { stdout } = await runCli(['keys', 'show', '0b0b0b0b'], { env });
    expect(stdout).toContain('not listed; add it under keys');
    expect(stdout).toContain('5xx 1   aborted 1');
    expect(stdout).toContain('1 (50 %), and 1 given up by the client');
    expect(stdout).toContain('latency      not in this log');
    expect(stdout).toContain('unknown out, unknown in');
    expect(stdout).toContain('no open alerts');
    expect(stdout).toContain('bad[31magent');
    expect(stdout).not.toContain('\u001b');
  });

  test('an inventory key without traffic is shown, one that nobody knows is refused with a suggestion', async () => {
    const old = await runCli(['keys', 'show', 'billing-export', '--since', '5m'], { env });
    expect(old.code).toBe(0);
    expect(old.stdout).toContain('owner  billing team');
    expect(old.stdout).toContain('no requests from');
    const wrong = await runCli(['keys', 'show', 'biling-export'], { env });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("did you mean 'billing-export'?");
    expect((await runCli(['keys', 'show'], { env })).stderr).toContain("missing required argument 'key'");
  });
});
