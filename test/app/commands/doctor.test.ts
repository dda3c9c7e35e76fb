import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SMTPServer } from 'smtp-server';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CheckRow } from '../../../app/doctor/check.ts';
import { checkDirectory, checkDisk } from '../../../app/doctor/directory.ts';
import { NODE_MIN, checkClock, checkNode, checkSqlite, compareVersions } from '../../../app/doctor/machine.ts';
import { checkPepper, loadPepper } from '../../../app/pepper.ts';
import { Fingerprinter } from '../../../core/fingerprint.ts';
import { Secret } from '../../../core/secret.ts';
import { entityId } from '../../../core/types.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { NOW, runCli, type Ran } from '../cli/capture.ts';
import { alertOf, fillJournal, fillStore } from './stored-fixture.ts';

let root = '';
let data = '';
let closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keywatch doctor '));
  data = join(root, 'data');
});
afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
  rmSync(root, { recursive: true, force: true });
});

const COMBINED = '203.0.113.24 - - [23/Nov/2026:11:59:00 +0000] "GET /v1/orders HTTP/1.1" 200 123 "-" "curl/8.5.0"\n';

/** A data directory as a working installation leaves it. */
async function installation(options: { readonly at?: number } = {}): Promise<void> {
  const { pepper } = loadPepper({ configured: undefined, directory: data });
  await fillStore(data, [{ at: options.at ?? NOW - 60_000, entity: entityId('key', 'app-42'), status: 200 }]);
  await fillJournal(data, [alertOf({ id: 'a1', entity: entityId('key', 'app-42'), startedAt: NOW - 60_000 })]);
  await using store = await openMetricStore({ directory: data });
  await checkPepper(store, new Fingerprinter(pepper));
  writeFileSync(join(root, 'access.log'), COMBINED);
}

async function run(
  yaml: string,
  options: { readonly flags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly ran: Ran; readonly rows: readonly CheckRow[]; readonly row: (name: string) => CheckRow | undefined }> {
  const file = join(root, 'keywatch.yml');
  writeFileSync(file, yaml);
  const ran = await runCli(['doctor', '-c', file, '--data-dir', data, '--json', ...(options.flags ?? [])], { env: { HOME: root, ...options.env } });
  const { checks } = JSON.parse(ran.stdout) as { readonly checks: readonly CheckRow[] };
  return {
    ran,
    rows: checks,
    row: (name) => checks.find((check) => check.name === name && check.state !== 'ok') ?? checks.find((check) => check.name === name),
  };
}

/** A TCP port on loopback; closed again after the test. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

const channelsTo = (slackPort: number, mailPort: number): string =>
  `alerts: {channels: {slack: [{name: ops, webhookUrl: {env: HOOK}}], email: [{name: mail, host: 127.0.0.1, port: ${mailPort}, tls: none, from: a@b.cc, to: [d@e.ff]}]}}\n# ${slackPort}\n`;

describe('a working installation', () => {
  test('has no row to look at, and doctor changes nothing', async () => {
    await installation();
    const port = await listen(createServer((socket) => socket.end()));
    const files = (): readonly string[] => readdirSync(data).filter((name) => !/-(?:shm|wal)$/.test(name));
    const before = files();
    const { ran, rows } = await run(`sources: [{file: access.log}]\n${channelsTo(port, port)}`, { env: { HOOK: `http://127.0.0.1:${port}/services/x` } });
    expect(rows.filter((row) => row.state !== 'ok')).toEqual([]);
    expect(rows.map((row) => row.name)).toEqual([
      'node',
      'sqlite',
      'configuration',
      'data directory',
      'disk',
      'process',
      'pepper',
      'source 1',
      'clock',
      'store',
      'stored pepper',
      'journal',
      'deliveries',
      'last event',
      'slack ops',
      'email mail',
    ]);
    expect(ran.code).toBe(0);
    expect(files()).toEqual(before);
  });

  test('before the first start nothing fails', async () => {
    writeFileSync(join(root, 'access.log'), COMBINED);
    const { ran, row } = await run('sources: [{file: access.log}]');
    expect(ran.code).toBe(0);
    expect(row('data directory')?.evidence).toContain('does not exist yet and will be made');
    expect(row('pepper')?.state).toBe('ok');
    expect(row('channels')?.state).toBe('warn');
  });
});

describe('each row can fail, says what was seen and what to do', () => {
  const failed = (row: CheckRow | undefined, evidence: string, fix: string, state = 'fail'): void => {
    expect(row).toMatchObject({ state, evidence: expect.stringContaining(evidence), fix: expect.stringContaining(fix) });
  };

  test('node', () => {
    failed(checkNode('24.14.9'), `Node 24.14.9, ${NODE_MIN} or newer is needed`, 'npm start');
    failed(checkNode('9.0.0'), 'Node 9.0.0', 'npm start');
    expect(checkNode('25.0.0').state).toBe('ok');
    expect(readFileSync(join(import.meta.dirname, '../../../bin/node-version.mjs'), 'utf8')).toContain(`NODE_MIN = '${NODE_MIN}'`);
  });

  test('sqlite', () => {
    failed(checkSqlite('3.51.2', '3.51.3'), 'SQLite 3.51.2', 'update Node');
    expect(checkSqlite('3.100.0', '3.51.3').state).toBe('ok');
    expect(compareVersions('1.2', '1.2.0')).toBe(0);
  });

  test('configuration: the first fault with its place; the rest is not checked', async () => {
    const { ran, row } = await run('surces: []\nlog: {level: x}');
    failed(row('configuration'), ':1:1 surces: unknown setting', 'keywatch config check');
    expect(row('configuration')?.evidence).toContain('(and 1 more)');
    expect(row('store')).toMatchObject({ state: 'warn', evidence: 'not checked: the configuration is not right' });
    expect(ran.code).toBe(1);
  });

  test('configuration: where only a secret is missing, everything else is checked', async () => {
    await installation();
    const { row } = await run(`sources: [{file: nope.log}]\n${channelsTo(1, 1)}`);
    failed(row('configuration'), 'the environment variable HOOK is not set', 'config check');
    expect(row('source 1')?.state).toBe('fail');
    expect(row('channels')?.evidence).toContain('not checked');
    expect(row('store')?.state).toBe('ok');
  });

  test('configuration: a file that does not exist', async () => {
    const ran = await runCli(['doctor', '-c', join(root, 'nope.yml')], { env: { HOME: root } });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('it does not exist');
  });

  test('data directory: a file in its place, or one that others can change', () => {
    writeFileSync(join(root, 'file'), '');
    failed(checkDirectory(join(root, 'file')), 'is not a directory', '--data-dir');
    failed(checkDirectory('/proc/keywatch'), '/proc', 'make it writable');
    mkdirSync(data);
    chmodSync(data, 0o777);
    failed(checkDirectory(data), 'can be changed by others (mode 777)', 'chmod 700', 'warn');
  });

  test('disk: full, nearly full, over the cap, or full before the cap', () => {
    const GB = 1024 ** 3;
    failed(checkDisk({ freeBytes: 1024 ** 2, usedBytes: 0, capBytes: 0 }), '1 MB free', 'free some space now');
    failed(checkDisk({ freeBytes: GB / 2, usedBytes: 0, capBytes: 0 }), '512 MB free', 'free some space soon', 'warn');
    failed(checkDisk({ freeBytes: 50 * GB, usedBytes: 3 * GB, capBytes: 2 * GB }), '3 GB stored of at most 2 GB', 'bytesMax', 'warn');
    failed(checkDisk({ freeBytes: 5 * GB, usedBytes: GB, capBytes: 20 * GB }), '5 GB free', 'lower store.retention.bytesMax', 'warn');
    expect(checkDisk({ freeBytes: 50 * GB, usedBytes: GB, capBytes: 20 * GB }).state).toBe('ok');
  });

  test('process: one that ended without saying so, and a file that is not ours', async () => {
    await installation();
    // No process has this number: it is above the largest one that Linux gives out.
    writeFileSync(join(data, 'keywatch.pid'), '4194305\n');
    failed((await run('')).row('process'), 'process 4194305) ended without saying so', 'look into its log', 'warn');
    writeFileSync(join(data, 'keywatch.pid'), 'what\n');
    failed((await run('')).row('process'), 'does not hold a process number', 'the next one writes it anew', 'warn');
    writeFileSync(join(data, 'keywatch.pid'), `${process.pid}\n`);
    expect((await run('')).row('process')).toMatchObject({ state: 'ok', evidence: `keywatch is running as process ${process.pid}` });
  });

  test('pepper: readable by others, or damaged', async () => {
    await installation();
    chmodSync(join(data, 'pepper'), 0o640);
    failed((await run('')).row('pepper'), 'can be read by others (mode 640)', '');
    expect((await run('')).row('pepper')?.evidence).toContain('chmod 600');
    chmodSync(join(data, 'pepper'), 0o600);
    writeFileSync(join(data, 'pepper'), 'x');
    failed((await run('')).row('pepper'), 'not base64', '');
  });

  test('stored pepper: another one, or gone', async () => {
    await installation();
    rmSync(join(data, 'pepper'));
    failed((await run('')).row('stored pepper'), 'is gone', 'put the file pepper back');
    writeFileSync(join(data, 'pepper'), randomBytes(32).toString('base64'), { mode: 0o600 });
    failed((await run('')).row('stored pepper'), 'not the pepper that the store was filled with', 'put the old pepper back');
    const given = new Secret(Buffer.alloc(32, 1).toString('base64'));
    failed((await run('pepper: {env: P}', { env: { P: given.reveal() } })).row('stored pepper'), 'not the pepper', 'put the old pepper back');
  });

  test.each([
    ['nothing matches', 'sources: [{file: "nope*.log"}]', 'no file matches', 'mend the path'],
    ['a directory that is not there', 'sources: [{file: /nowhere/at/all/*.log}]', 'no file matches', 'mend the path'],
    ['not a log', 'sources: [{file: binary.log}]', 'is not a text file', 'leave the file out'],
    ['no known format', 'sources: [{file: prose.log}]', 'in no format that Keywatch knows', 'set format'],
    ['JSON without a status', 'sources: [{file: nostatus.log}]', 'no field for status', 'map'],
  ])('source: %s', async (_name, yaml, evidence, fix) => {
    writeFileSync(join(root, 'binary.log'), randomBytes(4096));
    writeFileSync(join(root, 'prose.log'), 'It was a dark and stormy night.\n'.repeat(50));
    writeFileSync(join(root, 'nostatus.log'), '{"ts": 1763899140, "path": "/x"}\n'.repeat(5));
    failed((await run(yaml)).row('source 1'), evidence, fix);
  });

  test('source: the same JSON is fine once a map names its fields', async () => {
    writeFileSync(join(root, 'odd.log'), '{"when": 1763899140, "outcome": 200, "path": "/x"}\n'.repeat(5));
    expect((await run('sources: [{file: odd.log}]')).row('source 1')?.state).toBe('fail');
    expect((await run('sources: [{file: odd.log, map: {time: when, status: outcome}}]')).row('source 1')).toMatchObject({
      state: 'ok',
      evidence: '1 file, 255 B, format json',
    });
  });

  test('sources: none', async () => {
    failed((await run('')).row('sources'), 'no sources are configured', 'under sources', 'warn');
  });

  test('clock: events from the future, or a clock that was never set', async () => {
    await installation({ at: NOW + 7_200_000 });
    failed((await run('')).row('clock'), '2 h ahead of this machine', 'time zones');
    failed(checkClock(0, undefined), 'before this release was made', 'set the clock');
    expect(checkClock(NOW, NOW + 60_000).state).toBe('ok');
  });

  test('store: not a database, damaged, or of a newer version', async () => {
    await installation();
    const file = join(data, 'metrics.db');
    const sound = readFileSync(file);
    writeFileSync(file, 'this is no database, and long enough to be looked at as one '.repeat(200));
    failed((await run('')).row('store'), 'not a database', 'move the file away');
    // Pages after the first are overwritten: the file opens, its contents are not sound.
    const damaged = Buffer.from(sound);
    damaged.fill(0x5a, 3 * 8192);
    writeFileSync(file, damaged);
    expect((await run('')).row('store')?.state).toBe('fail');
    writeFileSync(file, sound);
    expect((await run('')).row('store')?.state).toBe('ok');
    const db = new DatabaseSync(file);
    db.exec('pragma user_version = 999');
    db.close();
    failed((await run('')).row('store'), 'written by a newer keywatch', 'move the file away');
  });

  test('journal: an entry that somebody changed', async () => {
    await installation();
    const db = new DatabaseSync(join(data, 'state.db'));
    db.exec(`update entry set body = replace(body, '"score":90', '"score":10') where seq = 1`);
    db.close();
    failed((await run('')).row('journal'), 'entry 1 does not follow', 'restore a backup and find out who');
  });

  test('deliveries: messages that do not leave', async () => {
    await installation();
    const alert = alertOf({ id: 'a2', entity: entityId('key', 'app-42'), startedAt: NOW - 7_200_000 });
    await fillJournal(data, [alert], { outbox: [{ id: 'o1', channel: 'ops', kind: 'fired', createdAt: NOW - 7_200_000, dueAt: NOW - 7_200_000, alert }] });
    failed((await run('')).row('deliveries'), '1 messages to ops wait, the oldest for 2 h', 'as soon as the channel works', 'warn');
  });

  test('last event: long ago, or none although sources are configured', async () => {
    await installation({ at: NOW - 5 * 3_600_000 });
    failed((await run('')).row('last event'), '5 h ago', 'does the gateway still write', 'warn');
    rmSync(data, { recursive: true });
    failed((await run('sources: [{stdin: true}]')).row('last event'), 'no event was stored yet', 'send a request', 'warn');
  });

  test('channels: none, or one that cannot be reached', async () => {
    failed((await run('')).row('channels'), 'nobody is told', 'under alerts.channels', 'warn');
    const server = createServer();
    const port = await listen(server);
    await closing.pop()?.();
    const { row } = await run(channelsTo(port, port), { env: { HOOK: `http://127.0.0.1:${port}/services/secret-part` } });
    failed(row('slack ops'), `127.0.0.1:${port} cannot be reached: connection refused`, 'firewall');
    failed(row('email mail'), `127.0.0.1:${port} cannot be reached: connection refused`, 'firewall');
    expect(JSON.stringify(row('slack ops'))).not.toContain('secret-part');
  });
});

describe('--send', () => {
  test('sends a marked sample to every channel, and says when it is not taken', async () => {
    const posts: string[] = [];
    let status = 200;
    const http = createHttpServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        posts.push(body);
        response.writeHead(status).end(status === 200 ? 'ok' : 'no_service');
      });
    });
    const slackPort = await listen(http);
    const mails: string[] = [];
    const smtp = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      onData(stream, _session, done) {
        let mail = '';
        stream.on('data', (chunk: Buffer) => (mail += chunk.toString()));
        stream.on('end', () => {
          mails.push(mail);
          done();
        });
      },
    });
    const mailPort = await listen(smtp.server);
    const send = () => run(channelsTo(slackPort, mailPort), { flags: ['--send'], env: { HOOK: `http://127.0.0.1:${slackPort}/services/x` } });

    const { row } = await send();
    expect(row('slack ops')).toMatchObject({ state: 'ok', evidence: expect.stringContaining('took a sample message') });
    expect(row('email mail')).toMatchObject({ state: 'ok' });
    expect(posts).toHaveLength(1);
    expect(posts[0]).toContain('test message from keywatch doctor');
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatch(/test message/i);

    status = 404;
    const refused = await send();
    expect(refused.row('slack ops')).toMatchObject({ state: 'fail', evidence: expect.stringContaining('HTTP 404') });
    expect(refused.ran.code).toBe(1);
  });

  test('without it nothing is sent', async () => {
    let requests = 0;
    const port = await listen(createHttpServer(() => requests++));
    const { row } = await run(channelsTo(port, port), { env: { HOOK: `http://127.0.0.1:${port}/x` } });
    expect(row('slack ops')?.state).toBe('ok');
    expect(requests).toBe(0);
  });
});

test('as text: a mark in words, what was seen, and an arrow to what to do, within the width', async () => {
  const ran = await runCli(['doctor', '--data-dir', data], { env: { HOME: root }, columns: 72 });
  const text = stripVTControlCharacters(ran.stdout);
  expect(text).toMatch(/^ok {4}node +Node 24/m);
  expect(text).toMatch(/^warn {2}sources +no sources are configured/m);
  expect(text).toContain('-> name your logs under sources');
  expect(text).toMatch(/\d+ ok, 2 to look at, 0 failed\n$/);
  for (const line of text.split('\n')) if (!line.includes(data)) expect(line.length).toBeLessThanOrEqual(72);
});
