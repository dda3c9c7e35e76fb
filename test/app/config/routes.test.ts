import { afterAll, describe, expect, test } from 'vitest';
import { runCli } from '../cli/capture.ts';
import { workspace } from './support.ts';

const { write, load, faultsOf, remove } = workspace();
afterAll(remove);

const CHANNELS = `alerts:
  channels:
    webhook: [{name: desk, url: {env: URL}, secret: {env: HOOK}}, {name: pager, url: {env: URL}, secret: {env: HOOK}}]
    email: [{name: mail, host: 127.0.0.1, from: a@example.com, to: [b@example.com]}]
`;
const file = (routes: string): string => `${CHANNELS}  routes:\n${routes}`;
const KEYS = `keys:
  - {id: pay-1, label: billing, team: payments, contact: maria@example.com, tier: production}
`;
const sets = { secrets: 'none' } as const;

describe('alerts.routes in the file', () => {
  test('become routes with their conditions, quiet hours and receivers', () => {
    const { config, warnings } = load(
      file(`    - match: ['team = payments', 'key !~ test-.*']
      to: [owner, pager]
      ownerless: [desk]
      quiet: {from: "20:00", to: "7:00", timezone: Europe/Berlin, days: [mon], breakThrough: high}
      continue: true
    - {name: rest, to: [desk]}
`),
      sets,
    );
    expect(config.alerts.routes).toEqual([
      {
        name: 'number 1',
        matchers: [
          { label: 'team', op: '=', value: 'payments' },
          { label: 'key', op: '!~', value: 'test-.*' },
        ],
        to: ['owner', 'pager'],
        ownerless: ['desk'],
        quiet: { from: 1200, to: 420, days: ['mon'], timezone: 'Europe/Berlin', breakThrough: 'high' },
        continue: true,
      },
      { name: 'rest', matchers: [], to: ['desk'], ownerless: [], continue: false },
    ]);
    expect(config.alerts.ownerMail).toBe('mail');
    expect(warnings).toEqual([]);
  });

  test.each([
    [
      'a channel that does not exist',
      '    - {to: [dsek]}',
      "6:13 alerts.routes.0.to.0: there is no channel 'dsek' under alerts.channels (did you mean 'desk'?)",
    ],
    ['no condition', '    - {match: [payments], to: [desk]}', '6:16 alerts.routes.0.match.0: expected a condition on a label'],
    ['an expression that is none', "    - {match: ['key =~ ('], to: [desk]}", 'the expression of key is not a regular expression'],
    ['an expression that could take for ever', "    - {match: ['key =~ (a+)+'], to: [desk]}", 'the expression of key repeats a repetition'],
    ['a time zone that does not exist', '    - {to: [desk], quiet: {from: "20:00", to: "07:00", timezone: Mars/Base}}', 'no such time zone'],
    ['a time that is none', '    - {to: [desk], quiet: {from: "24:00", to: "07:00"}}', 'expected a time of day'],
    ['nobody', '    - {to: []}', 'alerts.routes.0.to: needs at least 1 entry'],
    [
      'routes that catch nothing at all',
      "    - {match: ['severity = urgent'], to: [desk]}",
      'these routes catch nothing: no alert has such a severity (number 1: severity="urgent")',
    ],
  ])('%s is refused with its place', (_, routes, message) => {
    expect(faultsOf(file(routes), sets)).toContain(message);
  });

  test('an empty list is refused, since nobody would ever be told', () => {
    expect(faultsOf(`${CHANNELS}  routes: []\n`, sets)).toContain('routes is empty, so nobody would ever be told');
  });

  test('owner needs a mail server, and no channel may take its name', () => {
    expect(faultsOf(`alerts: {channels: {webhook: [{name: desk, url: {env: URL}, secret: {env: HOOK}}]}, routes: [{to: [owner]}]}\n`, sets)).toContain(
      'owner is told by mail',
    );
    expect(faultsOf(`alerts: {channels: {email: [{name: owner, host: h, from: a@example.com, to: [b@example.com]}]}}\n`, sets)).toContain(
      'no channel can be called owner',
    );
  });

  test('config check warns of a severity that goes nowhere, with the reason and the place, and still says ok', async () => {
    const directory = write(
      file(`    - {name: night, match: ['severity = critical'], to: [pager]}\n    - {name: pay, match: [team=payments], minSeverity: high, to: [desk]}\n`),
    );
    const ran = await runCli(['config', 'check', `${directory}/keywatch.yml`, '--no-secrets']);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain(
      'keywatch.yml:5:3 alerts.routes: no route catches medium alerts, since the routes take: night: severity="critical"; pay: team="payments", high and above',
    );
    expect(ran.stdout).toContain('high alerts that fit none of these conditions reach nobody');
    expect(ran.stdout).toMatch(/: ok \(secrets were not read\), with 2 warnings\n$/);
    const json = JSON.parse((await runCli(['config', 'check', `${directory}/keywatch.yml`, '--no-secrets', '--json'])).stdout) as {
      ok: boolean;
      warnings: readonly { line: number }[];
    };
    expect([json.ok, json.warnings.map(({ line }) => line)]).toEqual([true, [5, 5]]);
  });
});

describe('keywatch routes test', () => {
  const directory = write(
    `${KEYS}${file(`    - {name: payments, match: [team=payments], to: [owner], quiet: {from: "20:00", to: "07:00", timezone: UTC}}\n    - {name: rest, to: [desk]}\n`)}`,
  );
  const ask = (...more: readonly string[]) => runCli(['routes', 'test', '-c', `${directory}/keywatch.yml`, ...more]);

  test('takes what the inventory says of the key, and names the clause that decides', async () => {
    const { code, stdout } = await ask('--label', 'key=billing', '--label', 'severity=high');
    expect(code).toBe(0);
    expect(stdout).toContain('told: owner (maria@example.com)');
    const other = await ask('--label', 'key=search', '--label', 'severity=high');
    expect(other.stdout).toContain('told: desk');
    expect(other.stdout).toContain('team="payments" does not fit: it is not there');
  });

  test('says when nobody is told and until when', async () => {
    const { stdout } = await ask('--label', 'key=billing', '--label', 'severity=high', '--at', '2026-11-24T03:00:00Z');
    expect(stdout).toContain('nobody is told: no route leads to the channel: route payments is quiet now until 2026-11-24');
    const json = JSON.parse((await ask('--label', 'key=billing', '--label', 'severity=critical', '--at', '2026-11-24T03:00:00Z', '--json')).stdout) as object;
    expect(json).toMatchObject({ channels: ['owner'], labels: { team: 'payments', entity: 'key:pay-1', tier: 'production' }, until: null });
  });

  test('without routes the severities of the channels decide', async () => {
    const plain = write(CHANNELS);
    const { stdout } = await runCli(['routes', 'test', '-c', `${plain}/keywatch.yml`, '--label', 'severity=medium']);
    expect(stdout).toContain('less severe than its minSeverity, high');
    expect(stdout).toContain('told: desk, pager');
  });

  test('a slip of the pen and a secret are refused, the secret not repeated', async () => {
    expect((await ask('--label', 'sevrity=high')).stderr).toContain("did you mean 'severity'?");
    expect((await ask('--label', 'severity=urgent')).stderr).toContain('severity is one of');
    const secret = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';
    const { stderr, code } = await ask('--label', `key=${secret}`);
    expect([code, stderr.includes(secret)]).toEqual([2, false]);
    expect((await ask()).stderr).toContain('give at least one label');
  });
});
