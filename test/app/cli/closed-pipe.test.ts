import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'keywatch pipe '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a reader that goes away early, as head does, ends the command quietly with 0', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../../bin/keywatch.mjs'), 'fingerprint'], {
    env: { HOME: directory, PATH: process.env['PATH'] ?? '' },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  // The child may be gone before it has read everything: that is the point.
  child.stdin.on('error', () => undefined);
  child.stdin.end('a\n'.repeat(200_000));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(stderr.replace(/^made a new pepper .*\n/, '')).toBe('');
  expect(code).toBe(0);
});
