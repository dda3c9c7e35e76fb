import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HttpReceiver } from '../support/http-receiver.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { keywatch, runKeywatch, scratch } from './support/command.ts';
import { type Output, filesOf, leaks, mailOutputs } from './support/secret-search.ts';
import { untilStored } from './support/store.ts';

/** Invented, one of each kind that people use. */
const SECRETS = {
  prefixed: 'kw_live_9sVqT2mXbR4kLzH7cWnY1dPa',
  uuid: '7b1e64c2-93d4-4f0a-8c55-2f9a0d1e6b73',
  hex: '5f2b9c0de1a74836b2c95d0f7e8a1b64',
  stripe: 'sk_live_51HqLyjWDarjtT1zdp7dcEf8',
  aws: 'AKIAQ3EXAMPLE7ZKPWLN',
  bearer: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r',
  short: 'p7Xq-42-Zk9',
} as const;
const ALL = Object.values(SECRETS);

type Place = (secret: string, at: number, i: number) => string;
const clf = (at: number): string => {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(at).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
};

/** Every place of a line in which a key was ever seen, in each format. */
const COMBINED: readonly Place[] = [
  (secret, at, i) => `198.18.1.1 - - [${clf(at)}] "GET /v1/orders/${i}?api_key=${secret} HTTP/1.1" 200 10 "-" "curl/8.5.0"`,
  (secret, at) =>
    `198.18.1.1 - - [${clf(at)}] "GET /v1/orders?API-Key=${encodeURIComponent(secret).replaceAll('-', '%2D')}&page=2 HTTP/1.1" 200 10 "-" "curl/8.5.0"`,
  (secret, at) =>
    `198.18.1.2 - - [${clf(at)}] "GET /v1/orders?next=/x?token=${secret} HTTP/1.1" 404 10 "https://console.example.test/keys?api_key=${secret}" "curl/8.5.0"`,
  (secret, at) => `198.18.1.3 - - [${clf(at)}] "GET /v1/keys/${secret.length < 20 ? 'x' : secret}/rotate HTTP/1.1" 401 10 "-" "sdk/1 (token=${secret})"`,
  (secret, at) => `198.18.1.4 - token=${secret} [${clf(at)}] "GET /v1/orders HTTP/1.1" 403 10 "-" "Bearer=${secret}"`,
  (secret, at) =>
    `10.0.0.1 - - [${clf(at)}] "GET https://api.example.test/v1/orders?access_token=${secret}#${secret} HTTP/2.0" 500 10 "-" "curl/8.5.0" "198.51.100.7, 10.0.0.9"`,
  (secret, at) => `198.18.1.5 - - [${clf(at)}] "GET /v1/orders?api_key=${secret.slice(0, -2)}`,
  (secret, at) => `198.18.1.5 - - [${clf(at)}] "GET /v1/orders?api_key=${secret} HTTP/1.1" 999 10 "-" "curl/8.5.0"`,
  (secret) => `garbage with ${secret} in it`,
];
const JSON_LINES: readonly Place[] = [
  (secret, at, i) =>
    JSON.stringify({
      ts: at,
      ip: '198.18.2.1',
      method: 'GET',
      path: `/v1/orders/${i}`,
      status: 200,
      bytes: 10,
      ms: 3,
      ua: 'curl/8.5.0',
      key: secret,
      endpoint: 'orders',
    }),
  (secret, at) =>
    JSON.stringify({
      ts: at,
      ip: '198.18.2.2',
      method: 'GET',
      path: `/v1/orders?key=${secret}`,
      status: 200,
      bytes: 10,
      ms: 3,
      ua: `sdk api_key=${secret}`,
      endpoint: `/v1/orders?api_key=${secret}`,
    }),
  (secret, at) =>
    JSON.stringify({
      ts: at,
      ip: '198.18.2.3',
      path: '/v1/orders',
      status: 401,
      key: secret,
      user: `alice token: ${secret}`,
      password: secret,
      note: secret,
      endpoint: `https://api.example.test/v1/x?key=${secret}`,
    }),
  (secret, at) => JSON.stringify({ ts: at, ip: '198.18.2.4', path: '/v1/orders', status: 200, authorization: `Bearer ${secret}` }),
  (secret, at) => `{"ts":${at},"ip":"198.18.2.5","path":"/v1/orders","status":"${secret}"}`,
  (secret) => `{"ts":"${secret}","path":"/v1/orders","status":200}`,
];
const KONG: readonly Place[] = [
  (secret, at, i) =>
    JSON.stringify({
      request: {
        method: 'GET',
        uri: `/v1/orders/${i}?apikey=${secret}`,
        url: `https://x.test/?apikey=${secret}`,
        querystring: { apikey: secret },
        headers: { apikey: secret, 'user-agent': 'acme/1', referer: `https://x.test/?k=${secret}`, cookie: secret },
        size: 90,
      },
      response: { status: i % 5 === 0 ? 401 : 200, size: 300, headers: { 'set-cookie': secret } },
      latencies: { request: 4 },
      client_ip: '198.18.3.1',
      started_at: at,
      consumer: { username: `acme apikey=${secret}` },
      route: { name: `orders?apikey=${secret}` },
    }),
];
const CADDY: readonly Place[] = [
  (secret, at) =>
    JSON.stringify({
      level: 'info',
      ts: at / 1000,
      logger: 'http.log.access.log0',
      request: {
        remote_ip: '198.18.4.1',
        method: 'GET',
        uri: `/v1/orders?api_key=${secret}`,
        headers: {
          'X-Api-Key': [secret, secret],
          'User-Agent': [`sdk/1 secret=${secret}`],
          Referer: [`https://x.test/?k=${secret}`],
          'X-Forwarded-For': [`${secret}, 198.51.100.7`],
        },
      },
      bytes_read: 0,
      duration: 0.01,
      size: 10,
      status: 200,
    }),
];

/** Each place with each secret, and enough of one to raise every kind of alert. */
function linesOf(places: readonly Place[], end: number): { readonly text: string; readonly count: number } {
  const lines = places.flatMap((place, p) => ALL.map((secret, s) => place(secret, end - 120_000 + (p * ALL.length + s) * 100, p + s)));
  const [first] = places;
  if (first !== undefined) {
    for (let i = 0; i < 1100; i++) lines.push(first(SECRETS.prefixed, end - 90_000 + i, i));
    for (let i = 0; i < 60; i++) lines.push((places[2] ?? first)(`${SECRETS.hex.slice(0, 30)}${String(i).padStart(2, '0')}`, end - 60_000 + i, 5 * i));
  }
  return { text: `${lines.join('\n')}\n`, count: lines.length };
}

describe('no raw secret is in anything that a run writes', () => {
  test('databases and their journals, reports, logs, messages: with keys in every place of a line', async () => {
    using folder = scratch();
    await using slack = await new HttpReceiver().listen();
    await using mail = await new SmtpReceiver().listen();
    const data = folder.join('data');
    const webhook = `${slack.origin}/services/T0SECRET0/B0SECRET0/wh7Qm2Zt9XvKc4RbLd81`;
    const end = Math.floor(Date.now() / 60_000) * 60_000;
    let lines = 0;
    for (const [name, places] of Object.entries({ 'combined.log': COMBINED, 'flat.json': JSON_LINES, 'kong.json': KONG, 'caddy.json': CADDY })) {
      const { text, count } = linesOf(places, end);
      writeFileSync(folder.join(name), text);
      lines += count;
    }
    folder.write('webhook', webhook);
    const config = folder.write(
      'keywatch.yml',
      `sources:
  - file: combined.log
  - file: flat.json
  - file: kong.json
  - file: caddy.json
alerts:
  survey: 0
  channels:
    slack: [{ name: slack, webhookUrl: { file: webhook }, minSeverity: info }]
    email: [{ name: mail, host: 127.0.0.1, port: ${mail.port}, tls: none, from: keywatch@example.test, to: [on-call@example.test], minSeverity: info }]
`,
    );
    const options = { cwd: folder.path, env: { KEYWATCH_DEBUG: '1' } };
    await using run = keywatch(['run', '-c', config, '--data-dir', data], options);
    await untilStored(data, lines);
    await run.says(/(?:told slack[^]*?){4}/);
    await run.says(/(?:told mail[^]*?){4}/);
    // Killed, so that the journals of the databases are still there.
    const ended = await run.stop('SIGKILL');

    const args = ['-c', config, '--data-dir', data];
    const logs = ['combined.log', 'flat.json', 'kong.json', 'caddy.json'];
    const commands = [
      ['keys', 'list', '--top', '1000', ...args],
      ['keys', 'list', '--json', ...args],
      ['alerts', 'list', '--state', 'all', ...args],
      ['alerts', 'list', '--state', 'all', '--json', ...args],
      ['config', 'show', ...args],
      ['doctor', ...args],
      ['analyze', ...logs, '--top', '1000', '--suggest', '--html', folder.join('report.html'), ...args],
      ['analyze', ...logs, '--json', ...args],
    ];
    const ran = [];
    for (const command of commands) ran.push({ command, ...(await runKeywatch(command, options)) });
    const listed = JSON.parse(ran[1]?.stdout ?? '') as { keys: { id: string }[] };
    const busiest = listed.keys.find(({ id }) => id.startsWith('key:'))?.id ?? '';
    ran.push({ command: ['keys', 'show'], ...(await runKeywatch(['keys', 'show', busiest, ...args], options)) });

    const outputs: readonly Output[] = [
      ...filesOf(data, { without: ['pepper'] }),
      { name: 'report.html', text: readFileSync(folder.join('report.html'), 'utf8') },
      { name: 'stderr of run', text: ended.stderr + ended.stdout },
      ...ran.flatMap(({ command, stdout, stderr }) => [
        { name: `${command.join(' ')}: stdout`, text: stdout },
        { name: `${command.join(' ')}: stderr`, text: stderr },
      ]),
      ...slack.posts.map(({ body }, i) => ({ name: `Slack message ${i}`, text: body })),
      ...mail.mails.flatMap(({ raw }, i) => mailOutputs(raw, `mail ${i}`)),
    ];
    for (const { command, code, stdout } of ran)
      expect({ command, isFine: code === 0 || command[0] === 'doctor', isThere: stdout.length > 100 }).toEqual({ command, isFine: true, isThere: true });
    expect(slack.posts.length).toBeGreaterThan(2);
    expect(mail.mails.length).toBeGreaterThan(2);
    expect(outputs.map(({ name }) => name).filter((name) => name.endsWith('-wal')).length).toBeGreaterThan(0);
    const pepper = readFileSync(folder.join('data', 'pepper'), 'utf8').trim();
    expect(leaks(outputs, [...ALL, SECRETS.hex.slice(0, 30), new URL(webhook).pathname, pepper])).toEqual([]);
    // The search finds what is there: the logs themselves are full of them.
    expect(leaks(filesOf(folder.path, { without: ['pepper'] }), ALL).length).toBeGreaterThan(ALL.length);
  });
});
