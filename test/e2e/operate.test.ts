/** People's tools beside a real `keywatch run`: what is typed, and what is asked over HTTP, reaches the judge and is answered. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { send } from '../app/http/support.ts';
import { runCli } from '../app/cli/capture.ts';

const root = mkdtempSync(join(tmpdir(), 'kw-operate-'));
const config = join(root, 'keywatch.yml');
const log = join(root, 'access.log');
const env = { HOME: root };
const tokens = new Map<string, string>();
let child: ChildProcess;
let url = '';

const run = (...argv: readonly string[]): ReturnType<typeof runCli> => runCli([...argv, '-c', config], { env, clock: systemClock });

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await systemClock.sleep(50, new AbortController().signal);
  }
}

beforeAll(async () => {
  const entries: object[] = [];
  for (const role of ['viewer', 'operator', 'admin']) {
    const { token, ...entry } = JSON.parse((await runCli(['token', `the-${role}`, '--role', role, '--json'])).stdout) as { readonly token: string };
    tokens.set(role, token);
    entries.push(entry);
  }
  writeFileSync(log, '');
  writeFileSync(
    config,
    JSON.stringify({
      sources: [{ file: log }],
      store: { directory: join(root, 'data') },
      ops: { listen: 'off' },
      alerts: { survey: 0 },
      api: { listen: '127.0.0.1:0', tokens: entries },
    }),
  );
  child = spawn(process.execPath, [join(import.meta.dirname, '../../bin/keywatch.mjs'), 'run', '-c', config], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  url = await until(async () => /the API is at (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]);
  const stamp = new Date().toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, '$1/$2/$3:$4 +0000');
  const line = `203.0.113.9 - - [${stamp}] "GET /v1/x?api_key=kw_test_abcdefghijklmnop HTTP/1.1" 200 123 "-" "curl/8"\n`;
  appendFileSync(log, line.repeat(2500));
}, 30_000);
afterAll(async () => {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
  rmSync(root, { recursive: true, force: true });
});

test('a breach fires, is acknowledged, explained, excepted and exported, from the command line and over HTTP', async () => {
  const incident = await until(async () => {
    const { stdout } = await run('incidents', 'list', '--json');
    return stdout === '' ? undefined : (JSON.parse(stdout) as { incidents: { id: string; severity: string; entity: string }[] }).incidents[0];
  });
  expect(incident.severity).toBe('critical');
  const { id } = incident;

  expect(await run('alerts', 'ack', id, '--for', '2h', '--note', 'mine')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(`^${id} is acknowledged by cli:.+ for 2 h until .+Z, then it fires again\n$`),
  });
  expect(await run('alerts', 'why', id)).toMatchObject({ code: 0 });
  expect(await run('silences', 'add', '--match', 'severity=~.*', '--reason', 'quiet')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('refused: this silence would match every'),
  });
  expect(
    await run('exceptions', 'add', '--key', incident.entity, '--rule', 'request_rate', '--up-to', '5000', '--until', '30d', '--reason', 'batch'),
  ).toMatchObject({ code: 0 });
  expect((await run('exceptions', 'list')).stdout).toContain('5,000');

  const call = async (role: string, method: string, path: string, body?: object): ReturnType<typeof send> =>
    send(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.get(role)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  expect(await call('viewer', 'GET', `/v1/incidents/${id}`)).toMatchObject({ status: 200, json: { state: 'acknowledged', acknowledged: { note: 'mine' } } });
  expect(await call('viewer', 'POST', `/v1/alerts/${id}/unacknowledge`, {})).toMatchObject({ status: 403 });
  expect(await call('operator', 'POST', `/v1/alerts/${id}/unacknowledge`, {})).toMatchObject({ status: 200, json: { by: 'api:the-operator' } });
  expect(await call('operator', 'POST', '/v1/silences', { matchers: [{ label: 'severity', op: '=~', value: '.*' }], reason: 'x' })).toMatchObject({
    status: 409,
  });
  expect(await call('operator', 'POST', '/v1/silences', { matchers: [{ label: 'entity', op: '=', value: incident.entity }], reason: 'x' })).toMatchObject({
    status: 200,
    json: { made: expect.any(String) },
  });
  expect(await call('operator', 'POST', '/v1/reload')).toMatchObject({ status: 403 });

  const dossier = JSON.parse((await run('incidents', 'export', id, '--format', 'json')).stdout) as { actions: { by: string; action: string }[] };
  expect(dossier.actions.map(({ by }) => by)).toEqual(expect.arrayContaining([expect.stringMatching(/^cli:/), 'api:the-operator']));
  for (const token of tokens.values()) expect(JSON.stringify(dossier)).not.toContain(token);
}, 60_000);
