/** A real `keywatch run` whose configuration is changed under it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { runCli } from '../app/cli/capture.ts';

const root = mkdtempSync(join(tmpdir(), 'kw-reload-'));
const config = join(root, 'keywatch.yml');
const log = join(root, 'access.log');
const env = { HOME: root, HOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`, HOOK_URL: '' };
const heard: string[] = [];
const receiver = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    heard.push((JSON.parse(body) as { type: string }).type);
    response.end();
  });
}).listen(0, '127.0.0.1');
await once(receiver, 'listening');
let child: ChildProcess;
let said = '';

async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await systemClock.sleep(50, new AbortController().signal);
  }
}

function configure(more: object): void {
  const hook = { name: 'hook', url: { env: 'HOOK_URL' }, secret: { env: 'HOOK_SECRET' } };
  writeFileSync(
    config,
    JSON.stringify({
      sources: [{ file: log }],
      store: { directory: join(root, 'data') },
      ops: { listen: 'off' },
      alerts: { survey: 0, channels: { webhook: [hook] } },
      ...more,
    }),
  );
}

/** Sends SIGHUP and waits for what is said of it. */
async function hangUp(): Promise<string> {
  const before = said.length;
  child.kill('SIGHUP');
  return until(() =>
    said
      .slice(before)
      .split('\n')
      .find((line) => /configuration/.test(line)),
  );
}

const incident = async (): Promise<{ readonly id: string; readonly state: string; readonly resolution: { readonly cause: string } | null } | undefined> => {
  const { stdout } = await runCli(['incidents', 'list', '--state', 'all', '--json', '-c', config], { env, clock: systemClock });
  return stdout === '' ? undefined : (JSON.parse(stdout) as { incidents: { id: string; state: string; resolution: { cause: string } | null }[] }).incidents[0];
};

beforeAll(async () => {
  env.HOOK_URL = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  writeFileSync(log, '');
  configure({});
  child = spawn(process.execPath, [join(import.meta.dirname, '../../bin/keywatch.mjs'), 'run', '-c', config], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(() => (said.includes('watching ') ? true : undefined));
  const stamp = new Date().toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, '$1/$2/$3:$4 +0000');
  appendFileSync(log, `203.0.113.9 - - [${stamp}] "GET /v1/x?api_key=kw_test_abcdefghijklmnop HTTP/1.1" 200 123 "-" "curl/8"\n`.repeat(2500));
}, 30_000);
afterAll(async () => {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  receiver.closeAllConnections();
  receiver.close();
  rmSync(root, { recursive: true, force: true });
});

test('a wrong file changes nothing, open alerts keep their state over a right one, and a removed rule ends its alerts with one notice', async () => {
  const { id } = await until(incident);
  await until(() => (heard.length > 0 ? true : undefined));
  const ack = await runCli(['alerts', 'ack', id, '--for', '2h', '-c', config], { env, clock: systemClock });
  expect(ack.stderr).toBe('');

  configure({ rules: { request_rate: { critical: 'many' } } });
  expect(await hangUp()).toMatch(/the configuration is wrong, so the old one goes on: \S+keywatch\.yml:1:\d+ rules\.request_rate\.critical/);

  configure({ rules: { request_rate: { critical: 3000 } }, limits: { entities: 50_000 } });
  const line = await hangUp();
  expect(line).toContain('changed: rules');
  expect(line).toContain('these changes need a restart and do not hold yet: limits');
  expect(await incident()).toMatchObject({ id, state: 'acknowledged' });

  const before = heard.length;
  configure({ rules: { request_rate: { enabled: false } } });
  await hangUp();
  expect(await until(async () => ((await incident())?.state === 'resolved' ? incident() : undefined))).toMatchObject({
    id,
    resolution: { cause: 'rule_removed' },
  });
  await until(() => (heard.length > before ? true : undefined));
  // The next one goes through the same desk: nothing more waits.
  expect(await hangUp()).toContain('nothing changed');
  expect(heard.slice(before)).toHaveLength(1);
}, 60_000);
