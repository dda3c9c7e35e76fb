import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../app/config/load.ts';
import { HOOK, workspace } from './support.ts';
import { type SlackConfig, slackConfig } from '../../../alerts/notify/slack/config.ts';

function slackOf(channel: { readonly settings: unknown } | undefined): SlackConfig {
  return slackConfig.parse(channel?.settings);
}

const { write, load, faultsOf, remove } = workspace();
afterAll(remove);

describe('secrets', () => {
  const slack = (url: string): string => `alerts: {channels: {slack: [{name: ops, webhookUrl: ${url}}]}}`;

  test('come from files and from the environment', () => {
    const cwd = write(slack('{file: hook}'));
    writeFileSync(join(cwd, 'hook'), `${HOOK}\n`);
    expect(slackOf(loadConfig({ env: {}, cwd }).config.alerts.channels[0]).webhookUrl?.reveal()).toBe(HOOK);
    const byEnv = load(slack('{env: HOOK}'), { env: { HOOK } }).config;
    expect(slackOf(byEnv.alerts.channels[0]).webhookUrl?.reveal()).toBe(HOOK);
    expect(JSON.stringify(byEnv)).not.toContain('hooks.slack');
  });

  test.each([
    ['{file: /does/not/exist}', 'cannot read the secret from /does/not/exist: it does not exist'],
    ['{env: NOT_SET}', 'the environment variable NOT_SET is not set'],
    ['{env: EMPTY}', 'the environment variable EMPTY is empty'],
    ['{env: PLAIN}', 'not an https:// URL of an incoming webhook'],
    ['{file: a, env: b}', 'a secret needs exactly one of file and env'],
    ['{}', 'a secret needs exactly one of file and env'],
    ['{vault: x}', 'unknown setting'],
  ])('%s is refused with the reason and the place', (reference, want) => {
    const said = faultsOf(slack(reference), { env: { EMPTY: '', PLAIN: 'just-some-text' } });
    expect(said).toContain(want);
    expect(said).toMatch(/^keywatch\.yml:1:\d+ alerts\.channels\.slack\.0/);
    expect(said).not.toContain('just-some-text');
  });

  test('unread secrets are not missed where they are not needed', () => {
    const yaml = `pepper: {env: PEPPER}\n${slack('{env: NOT_SET}')}`;
    expect(load(yaml, { secrets: 'pepper', env: { PEPPER: 'abc' } }).config.pepper?.reveal()).toBe('abc');
    expect(faultsOf(yaml, { secrets: 'none' })).toBe('nothing is wrong');
    expect(faultsOf(yaml, { secrets: 'pepper' })).toContain('PEPPER is not set');
  });

  const secret = 'Zx9hunter2Zx9';
  test.each([
    ['a webhook in plain text', slack(`https://hooks.slack.com/services/${secret}`)],
    ['a webhook on its own line', `alerts:\n  channels:\n    slack:\n      - name: ops\n        webhookUrl: ${secret}\n`],
    ['a password beside another fault', `alerts: {channels: {email: [{nam: x, auth: {user: u, password: ${secret}}}]}}`],
    ['a password that is no YAML', `alerts: {channels: {email: [{auth: {password: @${secret}}}]}}`],
    ['a password that is an alias', `alerts: {channels: {email: [{auth: {password: *${secret}}}]}}`],
    ['a password with a colon', `password: ${secret}: x`],
    ['a secret under a wrong name', `alerts: {channels: {slack: [{name: x, webhookurll: ${secret}}]}}`],
    ['a pepper in plain text', `pepper: ${secret}`],
    ['a pepper as a list', `pepper: [${secret}]`],
    ['a pepper as the name of a variable', `pepper: {env: "${secret}/="}`],
    ['a raw key in the inventory', `keys: [{id: sk_live_${secret}}]`],
    ['a raw key as a pattern', `keys: [{match: sk_live_${secret}}]`],
    ['a raw key as a successor', `keys: [{id: a, successor: sk_live_${secret}}]`],
    ['a raw key as a label', `keys: [{id: a, label: sk_live_${secret}}]`],
    ['a raw key as a fingerprint', `keys: [{fingerprint: ${secret}}]`],
    ['a raw key where a level belongs', `log: {level: sk_live_${secret}}`],
    ['a raw key as a plan', `keys: [{id: a, plan: sk_live_${secret}}]`],
    ['a raw key that runs into a fault', `? sk_live_${secret}url: `],
    ['a raw key as the name of a setting', `sk_live_${secret}: 1`],
  ])('%s is refused and not repeated', (_name, yaml) => {
    const said = faultsOf(yaml);
    expect(said).not.toBe('nothing is wrong');
    expect(said).not.toContain(secret);
    expect(said).not.toContain('hunter2');
  });

  test('a public id that looks like a secret can be vouched for', () => {
    const id = '0123456789abcdef0123456789abcdef';
    expect(faultsOf(`keys: [{id: "${id}"}]`)).toContain('publicId: true');
    expect(load(`keys: [{id: "${id}", publicId: true}]`).config.directory.keys[0]).toEqual({ id, rules: {} });
  });
});
