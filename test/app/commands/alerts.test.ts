import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alertSchema } from '../../../app/json/alert.ts';
import { entityId, entityName } from '../../../core/types.ts';
import { NOW, runCli } from '../cli/capture.ts';
import { alertOf, fillJournal } from './stored-fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch alerts '));
const env = { HOME: directory, KEYWATCH_DATA_DIR: join(directory, 'data') };
const HOUR = 3_600_000;
const key = entityId('key', 'kf1_9f3c12ab00000000000000000000000a');

beforeAll(() =>
  fillJournal(env.KEYWATCH_DATA_DIR, [
    alertOf({ id: 'old', entity: key, startedAt: NOW - 80 * HOUR, state: 'resolved', resolvedAt: NOW - 79 * HOUR }),
    alertOf({ id: 'ended', entity: key, startedAt: NOW - 10 * HOUR, state: 'resolved', resolvedAt: NOW - 9 * HOUR, severity: 'medium' }),
    alertOf({ id: 'long', entity: key, startedAt: NOW - 70 * HOUR, lastBreachAt: NOW - 69 * HOUR, label: 'bil\u001b[2Jling' }),
    alertOf({
      id: 'fresh',
      entity: entityId('network', '203.0.113.0/24'),
      label: 'network 203.0.113.0/24',
      startedAt: NOW - 2 * HOUR,
      state: 'pending',
      severity: 'medium',
    }),
  ]),
);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ids = async (...options: readonly string[]): Promise<readonly string[]> => {
  const { alerts } = JSON.parse((await runCli(['alerts', 'list', '--json', ...options], { env })).stdout);
  for (const alert of alerts) expect(alertSchema.safeParse(alert).success).toBe(true);
  return alerts.map((alert: { id: string }) => alert.id);
};

describe('alerts list', () => {
  test('shows by default what is open, however old, and what ended within a day', async () => {
    expect(await ids()).toEqual(['fresh', 'long', 'ended']);
  });

  test.each([
    [
      ['--state', 'open'],
      ['fresh', 'long'],
    ],
    [['--state', 'firing'], ['long']],
    [
      ['--state', 'pending,resolved'],
      ['fresh', 'ended', 'old'],
    ],
    [
      ['--state', 'all'],
      ['fresh', 'ended', 'long', 'old'],
    ],
    [
      ['--since', '12h'],
      ['fresh', 'ended'],
    ],
    [
      ['--state', 'all', '--limit', '2'],
      ['fresh', 'ended'],
    ],
    [['--state', 'recovering'], []],
  ])('%s', async (options, want) => {
    expect(await ids(...options)).toEqual(want);
  });

  test('as text: a line per alert with its sentence and what to do, harmless to a terminal', async () => {
    const { stdout } = await runCli(['alerts', 'list'], { env });
    expect(stdout).toContain('critical  firing    2026-11-20 14:00:00Z');
    expect(stdout).toContain('    1,500 requests in the minute, limit 1,000 (long).\n    apply rate limiting\n');
    // What is over needs no action.
    expect(stdout).toMatch(/\(ended\)\.\n$/);
    expect(stdout).toContain('bil[2Jling');
    expect(stdout).not.toContain('\u001b');
  });

  test('a key that was named since the alert goes by its new name', async () => {
    const { stdout } = await runCli(['alerts', 'list', '--set', `keys=[{id: ${entityName(key)}, label: renamed}]`], { env });
    expect(stdout).toContain('request_rate  renamed');
  });

  test('says so when there are none, or more than shown', async () => {
    expect((await runCli(['alerts', 'list', '--state', 'recovering'], { env })).stdout).toBe('no such alerts\n');
    expect((await runCli(['alerts', 'list', '--state', 'all', '--limit', '3'], { env })).stdout).toMatch(
      /^there are more: the same command with --after \S+$/m,
    );
    expect((await runCli(['alerts', 'list', '--state', 'all', '--limit', '4'], { env })).stdout).not.toContain('there are more');
  });

  test('with --limit and --after every alert comes once, in the order of the whole list', async () => {
    for (const [options, whole] of [
      [[], ['fresh', 'long', 'ended']],
      [
        ['--state', 'all'],
        ['fresh', 'ended', 'long', 'old'],
      ],
    ] as const)
      for (const limit of ['1', '2', '3']) {
        const seen: string[] = [];
        for (let after: readonly string[] | undefined = []; after !== undefined;) {
          const { stdout } = await runCli(['alerts', 'list', ...options, '--limit', limit, ...after, '--json'], { env });
          const { alerts, next } = JSON.parse(stdout) as { alerts: { id: string }[]; next: string | null };
          seen.push(...alerts.map(({ id }) => id));
          after = next === null ? undefined : ['--after', next];
        }
        expect(seen).toEqual(whole);
      }
    const wrong = await runCli(['alerts', 'list', '--after', 'INC-12'], { env });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('expected what the end of the list before printed');
  });

  test('a wrong state is refused with a suggestion', async () => {
    const ran = await runCli(['alerts', 'list', '--state', 'opn'], { env });
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("did you mean 'open'?");
  });
});
