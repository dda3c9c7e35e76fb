import { afterAll, expect, test } from 'vitest';
import { configChange } from '../../../app/config/reload.ts';
import { HOOK, workspace } from './support.ts';

const { load, remove } = workspace();
afterAll(remove);

const config = (yaml: string, env: Readonly<Record<string, string>> = {}) => load(yaml, { env: { HOME: '/home/kw', ...env } }).config;
const slack = 'alerts: {channels: {slack: [{name: a, webhookUrl: {env: HOOK}}]}}\n';

test('what a running process takes anew and what needs a restart are told apart, and only the first holds', () => {
  const before = config('store: {directory: /data}\n');
  const after = config(
    'store: {directory: /other}\nrules: {request_rate: {critical: 3000}}\nplans: {gold: {}}\nlateness: 30s\nalerts: {digest: {at: "10:00"}}\n',
  );
  const change = configChange(before, after);
  expect(change.applied).toEqual(['rules', 'keys and plans']);
  expect(change.needsRestart).toEqual(['store', 'lateness', 'alerts.digest']);
  expect(change.config).toEqual({ ...before, rules: after.rules, directory: after.directory });
});

test('the same file read twice changes nothing; another secret in the same place is a change', () => {
  const before = config(slack, { HOOK });
  expect(configChange(before, config(slack, { HOOK }))).toMatchObject({ applied: [], needsRestart: [] });
  expect(configChange(before, config(slack, { HOOK: `${HOOK}Y` })).applied).toEqual(['alerts.channels']);
});
