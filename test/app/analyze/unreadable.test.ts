import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { runCli } from '../cli/capture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch unreadable '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const path = (name: string): string => join(directory, name);

const LINE = '192.0.2.1 - - [23/Nov/2026:21:20:05 +0000] "GET /v1/status HTTP/1.1" 200 7 "-" "curl/8.5.0"\n';
const HUNDRED = LINE.repeat(100);
const THREE_THOUSAND = Array.from({ length: 3000 }, (_, i) => LINE.replace('status', `status/${i * 7919}`)).join('');
const gzip = gzipSync(THREE_THOUSAND);
const zstd = zstdCompressSync(Buffer.from(THREE_THOUSAND));

writeFileSync(path('good.log'), HUNDRED);
writeFileSync(path('empty.log'), '');
writeFileSync(path('image.log'), Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167) % 256)));
writeFileSync(path('zeros.log'), Buffer.alloc(5000));
writeFileSync(path('utf16.log'), Buffer.from(`\ufeff${HUNDRED}`, 'utf16le'));
writeFileSync(path('packed.xz'), Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2, 3, 4]));
writeFileSync(path('cut.gz'), gzip.subarray(0, gzip.length >> 1));
writeFileSync(path('damaged.gz'), Buffer.concat([gzip.subarray(0, gzip.length - 8), Buffer.alloc(8, 9)]));
writeFileSync(path('trailing.gz'), Buffer.concat([gzipSync(HUNDRED), Buffer.from('not gzip')]));
writeFileSync(path('cut.zst'), zstd.subarray(0, Math.floor(zstd.length * 0.7)));
writeFileSync(path('nothing.gz'), gzipSync(''));
writeFileSync(path('words.log'), 'dear diary\ntoday I was no log\n');
mkdirSync(path('nobody'));
symlinkSync(path('loop'), path('loop'));
mkdirSync(path('not-a-file.log'));

async function analyze(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return runCli(['analyze', ...args], { env: { HOME: directory, XDG_STATE_HOME: directory } });
}

describe('what cannot be read is one line, and the rest goes on', () => {
  test.each([
    ['empty.log', 'is empty: nothing to read'],
    ['image.log', 'is not a text file'],
    ['zeros.log', 'is not a text file'],
    ['utf16.log', 'is UTF-16 text: convert it first, for instance with iconv -t utf-8'],
    ['packed.xz', 'is an xz file: unpack it first, for instance with unxz'],
    ['nothing.gz', 'is empty once unpacked: nothing to read'],
    ['missing.log', 'no such file: check the name'],
    ['missing*.log', 'no file matches: check the pattern'],
    ['loop', 'the symbolic link leads to itself: point it at a file'],
    [
      'words.log',
      'the first lines are in no format that Keywatch knows (combined, common, json, kong, caddy); say which: --format, or format: under its source in the configuration',
    ],
    ['good.log/below', 'no such file: a part of the path is not a directory'],
  ])('%s', async (name, message) => {
    const ran = await analyze(path(name), path('good.log'), '--json');
    expect(ran).toMatchObject({ code: 0, stderr: `keywatch analyze: ${path(name)}: ${message}\n` });
    expect(JSON.parse(ran.stdout)).toMatchObject({ source: { files: 1, records: 100 }, totals: { events: 100 } });
    const alone = await analyze(path(name), '--json');
    expect(alone).toMatchObject({ code: 1, stderr: `keywatch analyze: ${path(name)}: ${message}\n` });
    expect(JSON.parse(alone.stdout)).toMatchObject({ source: { files: 0, records: 0 } });
  });

  test.each([
    ['cut.gz', 'ends in the middle of its compressed data: what could be read is counted'],
    ['damaged.gz', 'holds damaged compressed data: what could be read before it is counted'],
    ['trailing.gz', 'holds other bytes after its compressed data: they are ignored'],
    ['cut.zst', 'ends in the middle of its compressed data: what could be read is counted'],
  ])('%s gives what can be had', async (name, message) => {
    const ran = await analyze(path(name), '--json');
    expect(ran).toMatchObject({ code: 0, stderr: `keywatch analyze: ${path(name)}: ${message}\n` });
    const { events } = (JSON.parse(ran.stdout) as { totals: { events: number } }).totals;
    const all = { 'cut.gz': [500, 2999], 'damaged.gz': [3000, 3000], 'trailing.gz': [100, 100], 'cut.zst': [500, 2999] }[name] ?? [0, 0];
    expect(events).toBeGreaterThanOrEqual(all[0] ?? 0);
    expect(events).toBeLessThanOrEqual(all[1] ?? 0);
  });

  test('a socket is named as one', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path('socket'), resolve));
    try {
      const ran = await analyze(path('socket'), path('good.log'), '--json');
      expect(ran.code).toBe(0);
      expect(ran.stderr).toContain('is a socket, not a file');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a directory is its files; those that are none are named, each on one line', async () => {
    const ran = await analyze(directory, '--json');
    expect(ran.code).toBe(0);
    const lines = ran.stderr.trimEnd().split('\n');
    for (const name of [
      'empty.log',
      'image.log',
      'zeros.log',
      'utf16.log',
      'packed.xz',
      'cut.gz',
      'damaged.gz',
      'trailing.gz',
      'nothing.gz',
      'words.log',
      'loop',
    ]) {
      expect(lines.filter((line) => line.includes(`${path(name)}:`))).toHaveLength(1);
    }
  });

  test('the terminal report and the page say the same', async () => {
    const html = path('report.html');
    const ran = await analyze(path('good.log'), path('image.log'), '--html', html);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('is not a text file');
    expect(readFileSync(html, 'utf8')).toContain('is not a text file');
  });

  test('a file name with control characters changes no terminal', async () => {
    const ran = await analyze(path('a\u001b[31mred\nname.log'), path('good.log'), '--json');
    expect(ran.stderr).not.toContain('\u001b');
    expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
