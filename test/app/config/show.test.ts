import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../app/config/load.ts';
import { runCli } from '../cli/capture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch show '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'keywatch.yml');
writeFileSync(
  file,
  'store: {retention: {minutes: 10d}}\nalerts:\n  channels:\n    slack:\n      - {name: ops, webhookUrl: {env: HOOK}}\npepper: {file: pepper.txt}\n',
);
const env = { HOME: directory, HOOK: 'https://hooks.slack.com/services/T/B/secretsecret', KEYWATCH_LOG__LEVEL: 'debug' };

describe('config show', () => {
  test('prints what is in force as YAML that means the same when it is loaded again', async () => {
    const ran = await runCli(['config', 'show', '--set', 'limits.entities=5000'], { env: { HOME: directory } });
    expect(ran.code).toBe(0);
    const again = join(directory, 'again.yml');
    writeFileSync(again, ran.stdout);
    expect(loadConfig({ env: { HOME: directory }, file: again, cwd: '/' }).config).toEqual(
      loadConfig({ env: { HOME: directory }, cwd: '/', sets: ['limits.entities=5000'], secrets: 'none' }).config,
    );
  });

  test('says where each value came from, and where a secret is kept, but never a secret', async () => {
    const ran = await runCli(['config', 'show', '--origin', '--json', '-c', file, '--set', 'limits.entities=5000'], { env });
    const settings = new Map((JSON.parse(ran.stdout) as { path: string; value: unknown; origin: string }[]).map((row) => [row.path, row]));
    expect(settings.get('store.retention.minutes')).toMatchObject({ value: '10d', origin: `${file}:1:30` });
    expect(settings.get('store.retention.hours')).toMatchObject({ value: '430d', origin: 'default' });
    expect(settings.get('log.level')).toMatchObject({ value: 'debug', origin: 'KEYWATCH_LOG__LEVEL' });
    expect(settings.get('limits.entities')).toMatchObject({ value: 5000, origin: '--set' });
    expect(settings.get('alerts.channels.slack.0.webhookUrl')).toMatchObject({
      value: '<secret>',
      origin: `${file}:5:33, kept in the environment variable HOOK`,
    });
    expect(settings.get('alerts.channels.slack.0.minSeverity')).toMatchObject({ value: 'medium', origin: 'default' });
    expect(settings.get('pepper')).toMatchObject({ value: '<secret>', origin: `${file}:6:9, kept in the file pepper.txt` });
    expect(ran.stdout).not.toContain('secretsecret');
  });

  test('fits a terminal', async () => {
    const ran = await runCli(['config', 'show', '--origin', '-c', file], { env, columns: 70 });
    for (const line of ran.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(70 + 40);
  });
});

describe('config check', () => {
  test('says ok, or everything that is wrong with exit code 2', async () => {
    const good = join(directory, 'good.yml');
    writeFileSync(good, 'sources: [{file: a}]');
    expect(await runCli(['config', 'check', good], { env: { HOME: directory } })).toEqual({ code: 0, stdout: `${good}: ok\n`, stderr: '' });
    const bad = join(directory, 'bad.yml');
    writeFileSync(bad, 'surces: []\nlog: {level: x}');
    const ran = await runCli(['config', 'check', bad], { env: { HOME: directory } });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(':1:1 surces');
    expect(ran.stderr).toContain(':2:14 log.level');
    const json = await runCli(['config', 'check', bad, '--json'], { env: { HOME: directory } });
    expect(json).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      file: bad,
      problems: [
        { line: 1, column: 1, path: 'surces' },
        { line: 2, column: 14, path: 'log.level' },
      ],
    });
  });

  test('--no-secrets works on a machine that has none', async () => {
    expect((await runCli(['config', 'check', '-c', file, '--no-secrets'], { env: { HOME: directory } })).stdout).toBe(`${file}: ok (secrets were not read)\n`);
    expect((await runCli(['config', 'check', '-c', file], { env: { HOME: directory } })).code).toBe(2);
  });
});

test('config schema is a JSON Schema that names every rule', async () => {
  const schema = JSON.parse((await runCli(['config', 'schema'])).stdout);
  expect(schema.$schema).toContain('json-schema.org');
  expect(Object.keys(schema.properties.rules.properties)).toEqual(['request_rate', 'error_rate', 'data_transfer', 'failed_auth', 'guessing', 'entity_limit']);
  expect(parse('a: 1')).toEqual({ a: 1 });
});
