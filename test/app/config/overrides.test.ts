import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { HOOK, workspace } from './support.ts';
import { type SlackConfig, slackConfig } from '../../../alerts/notify/slack/config.ts';

function slackOf(channel: { readonly settings: unknown } | undefined): SlackConfig {
  return slackConfig.parse(channel?.settings);
}

const { root, load, faultsOf, remove } = workspace();
afterAll(remove);

describe('environment and flags', () => {
  test.each([
    [{ KEYWATCH_CLIENTS__TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.1' }, ['clients', 'trustedProxies'], ['10.0.0.0/8', '192.0.2.1']],
    [{ KEYWATCH_CLIENTS__TRUSTEDPROXIES: '[10.0.0.0/8]' }, ['clients', 'trustedProxies'], ['10.0.0.0/8']],
    [{ KEYWATCH_RULES__REQUEST_RATE__CRITICAL: 'off' }, ['rules', 'request_rate', 'critical'], undefined],
    [{ KEYWATCH_RULES__REQUEST_RATE__ENABLED: 'false' }, ['rules', 'request_rate', 'enabled'], false],
    [{ KEYWATCH_LIMITS__ENTITIES: '5000' }, ['limits', 'entities'], 5000],
    [{ KEYWATCH_PUBLIC_URL: 'https://kw.example.com/' }, ['publicUrl'], 'https://kw.example.com'],
    [{ KEYWATCH_SOURCES__0__FILE: '/a.log' }, ['sources', 0, 'patterns'], ['/a.log']],
    [{ KEYWATCH_PLANS__GOLD__RULES__REQUEST_RATE__CRITICAL: '9000' }, ['directory', 'plans', 'gold', 'rules', 'request_rate', 'critical'], 9000],
    [{ KEYWATCH_KEY_BY: 'user' }, ['reading', 'keyBy'], 'user'],
  ])('%o', (env, path, want) => {
    let at: unknown = load('', { env }).config;
    for (const part of path) at = Reflect.get(Object(at), part);
    expect(at).toEqual(want);
  });

  test('a secret may be referred to from the environment, never given', () => {
    const base = { KEYWATCH_ALERTS__CHANNELS__SLACK__0__NAME: 'ops', HOOK };
    expect(
      slackOf(load('', { env: { ...base, KEYWATCH_ALERTS__CHANNELS__SLACK__0__WEBHOOK_URL__ENV: 'HOOK' } }).config.alerts.channels[0]).webhookUrl?.reveal(),
    ).toBe(HOOK);
    const said = faultsOf('', { env: { ...base, KEYWATCH_ALERTS__CHANNELS__SLACK__0__WEBHOOK_URL: HOOK } });
    expect(said).toContain('KEYWATCH_ALERTS__CHANNELS__SLACK__0__WEBHOOK_URL alerts.channels.slack.0.webhookUrl: a secret must not stand in the configuration');
    expect(said).not.toContain('hooks.slack.com');
  });

  test('a variable that is no setting is an error with a suggestion, except those that others make', () => {
    expect(faultsOf('', { env: { KEYWATCH_STORE__RETENTON__MINUTES: '3d' } })).toContain('did you mean KEYWATCH_STORE__RETENTION__MINUTES?');
    expect(faultsOf('', { env: { KEYWATCH_KEYBY_: 'x', KEYWATCH_CLIENTS__TRUSTED_PROXY: 'x' } })).toContain('did you mean KEYWATCH_CLIENTS__TRUSTED_PROXIES?');
    const kubernetes = {
      KEYWATCH_SERVICE_HOST: '10.0.0.1',
      KEYWATCH_SERVICE_PORT: '80',
      KEYWATCH_PORT: 'tcp://10.0.0.1:80',
      KEYWATCH_PORT_80_TCP_ADDR: '10.0.0.1',
      KEYWATCH_API_SERVICE_PORT_HTTP: '80',
    };
    expect(faultsOf('', { env: { ...kubernetes, KEYWATCH_DEBUG: '1', KEYWATCH_HANDED_OVER: '1' } })).toBe('nothing is wrong');
  });

  test.each([
    ['foo', 'expected path=value'],
    ['=5', 'expected path=value'],
    ['store.retenton.minutes=3d', "did you mean 'store.retention.minutes'?"],
    ['__proto__.polluted=1', 'there is no such setting'],
    ['rules.__proto__.x=1', 'there is no such setting'],
    ['store=5', 'expected a section'],
    ['sources.1.file=x', 'the next one is number 0'],
    ['log.level=loud', 'expected one of trace'],
    ['clients.depth=[1', 'not a value that YAML can read'],
  ])('--set %s is answered', (set, want) => {
    const said = faultsOf('', { sets: [set] });
    expect(said).toContain('--set');
    expect(said).toContain(want);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  test('no name and no value in the environment makes the loader fail in another way', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^KEYWATCH_[A-Z_0-9]{1,40}$/), fc.string()), fc.array(fc.string()), (env, sets) => {
        expect(typeof faultsOf('', { env, sets, cwd: root })).toBe('string');
      }),
      { numRuns: 200 },
    );
  });
});
