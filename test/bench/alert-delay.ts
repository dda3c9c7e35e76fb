/** From a line appended to a followed file to the request that Slack's receiver gets, through `keywatch run` as users start it. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export type Delays = { readonly count: number; readonly p50Ms: number; readonly p99Ms: number };

/** Requests of a minute that are critical, and one. */
const BURST = 1001;
const WAIT_MS = 20_000;

export async function alertDelay(count: number): Promise<Delays> {
  const folder = mkdtempSync(join(tmpdir(), 'keywatch-delay-'));
  const log = join(folder, 'access.json');
  let received: ((text: string) => void) | undefined;
  const server = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end('ok');
      received?.(`${at} ${Buffer.concat(chunks).toString('utf8')}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(log, '');
  writeFileSync(
    join(folder, 'keywatch.yml'),
    [
      'sources:',
      `  - file: ${JSON.stringify(log)}`,
      'alerts:',
      '  survey: 0',
      '  channels:',
      '    slack:',
      '      - {name: slack, webhookUrl: {env: KEYWATCH_BENCH_HOOK}, minSeverity: critical}',
      '',
    ].join('\n'),
  );
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../bin/keywatch.mjs'), 'run', '-c', join(folder, 'keywatch.yml'), '--data-dir', join(folder, 'data')],
    {
      env: { ...process.env, KEYWATCH_BENCH_HOOK: `http://127.0.0.1:${port}/hook` },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const isReady = new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      if (said.includes('watching')) resolve();
    });
    child.on('exit', (code) => reject(new Error(`keywatch ended with ${code}: ${said}`)));
  });
  const delays: number[] = [];
  try {
    await isReady;
    for (let i = 0; i < count; i++) {
      const key = `bench-key-${i}`;
      const line = (): string => `{"ts":${Date.now()},"key":"${key}","ip":"198.51.100.7","method":"GET","path":"/v1/orders","status":200,"bytes":100,"ms":3}\n`;
      // The minute must hold the whole burst.
      const left = 60_000 - (Date.now() % 60_000);
      if (left < 3000) await pause(left + 50);
      appendFileSync(log, line().repeat(BURST - 1));
      await pause(300);
      const answer = new Promise<string>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no message for ${key} within ${WAIT_MS} ms`)), WAIT_MS);
        received = (text) => {
          if (!text.includes('FIRING') && !text.includes('firing')) return;
          clearTimeout(timer);
          resolve(text);
        };
      });
      const appended = performance.now();
      appendFileSync(log, line());
      delays.push(Number((await answer).split(' ', 1)[0]) - appended);
      // The channel sends one message a second in the long run: its own limit is not what is measured.
      await pause(1100);
    }
  } finally {
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const sorted = [...delays].sort((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
