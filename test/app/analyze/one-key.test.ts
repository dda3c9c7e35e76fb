import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCli } from '../cli/capture.ts';
import { analyzeJson } from '../../e2e/support/analyze.ts';
import { TEST_PEPPER, writePepper } from '../../e2e/support/pepper.ts';
import { testFingerprinter } from '../../support/ingest.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch one key '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SECRET = 'a-key-of-two-gateways-not-real';
const CREDENTIAL = '3c7f0a52-6a0f-4f58-9d1c-8a51c0f4b001';
const AT = 1_795_468_805_000;

const kong = (i: number): string =>
  JSON.stringify({
    request: { method: 'GET', uri: '/v1/orders', headers: { apikey: SECRET }, querystring: {}, size: 100 },
    response: { status: 200, size: 300 },
    latencies: { request: 4 },
    client_ip: `198.18.3.${i % 3}`,
    started_at: AT + i,
    authenticated_entity: { id: CREDENTIAL },
  });
const combined = (i: number): string =>
  `198.18.9.${i % 2} - - [23/Nov/2026:21:20:05 +0000] "GET /v1/orders?api_key=${SECRET} HTTP/1.1" ${i % 4 === 0 ? 404 : 200} 50 "-" "curl/8.5.0"`;

function write(name: string, lines: readonly string[]): string {
  const path = join(directory, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
const gateway = write(
  'kong.json',
  Array.from({ length: 30 }, (_, i) => kong(i)),
);
const server = write(
  'access.log',
  Array.from({ length: 20 }, (_, i) => combined(i)),
);

test('a key that one log shows by its id and another by itself is one key, whichever is read first', async () => {
  for (const logs of [
    [gateway, server],
    [server, gateway],
  ]) {
    const { keys, totals } = await analyzeJson(logs, { pepper: TEST_PEPPER });
    expect(keys).toMatchObject([
      {
        id: `key:${CREDENTIAL}`,
        kind: 'key',
        requests: 50,
        status: { '2xx': 45, '4xx': 5 },
        errors: 5,
        bytesIn: 3000,
        bytesOut: 30 * 300 + 20 * 50,
        clients: 5,
      },
    ]);
    expect(totals.requests).toBe(50);
  }
  // Nothing says so where only one of them is read.
  expect((await analyzeJson([server], { pepper: TEST_PEPPER })).keys).toMatchObject([{ id: `key:${testFingerprinter.fingerprint(SECRET)}`, requests: 20 }]);
});

test('a key and its successor are one key too, as everywhere else', async () => {
  const successor = 'the-key-that-came-after-not-real';
  const later = write(
    'later.log',
    Array.from({ length: 7 }, (_, i) => combined(i).replace(SECRET, successor)),
  );
  const data = join(directory, 'data');
  writePepper(data);
  const config = write('keywatch.yml', [
    'keys:',
    `  - { id: ${testFingerprinter.fingerprint(SECRET)}, label: billing, successor: ${testFingerprinter.fingerprint(successor)} }`,
    `  - { id: ${testFingerprinter.fingerprint(successor)}, label: billing-2027 }`,
  ]);
  const ran = await runCli(['analyze', server, later, '--json', '-c', config, '--data-dir', data], { env: { HOME: directory } });
  expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: '' });
  const { keys } = JSON.parse(ran.stdout) as { keys: { requests: number }[] };
  expect(keys.map(({ requests }) => requests)).toEqual([27]);
});
