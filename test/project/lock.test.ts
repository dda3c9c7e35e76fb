import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../scripts/lock.mjs';
import { startChild, temporaryFolder } from './child.ts';

const LOCK = JSON.stringify(new URL('../../scripts/lock.mjs', import.meta.url).href);

test('only one holds the lock at a time', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  let holders = 0;
  let holdersMax = 0;
  const work = async (): Promise<void> => {
    holdersMax = Math.max(holdersMax, ++holders);
    await new Promise((resolve) => setImmediate(resolve));
    holders--;
  };
  await Promise.all(Array.from({ length: 6 }, () => withLock({ path, waitMsMax: 60_000, onWait: () => {} }, work)));
  expect(holdersMax).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test('many processes find a dead owner, and one of them at a time takes its place', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  const dead = startChild(process.execPath, ['-e', '']);
  await dead.end();
  mkdirSync(path);
  writeFileSync(join(path, `${dead.process.pid}@${hostname()}@x`), '');
  // Each one writes a line when it begins and one when it ends, into a file that it must have alone.
  const script = `import { withLock } from ${LOCK}; import fs from 'node:fs';
    await withLock({ path: process.argv[1], waitMsMax: 60000, onWait() {} }, async () => {
      fs.writeFileSync(process.argv[1] + '.alone', '', { flag: 'wx' });
      await new Promise((resolve) => setImmediate(resolve));
      fs.unlinkSync(process.argv[1] + '.alone');
    });`;
  const children = Array.from({ length: 5 }, () => startChild(process.execPath, ['--input-type=module', '-e', script, path]));
  const ended = await Promise.all(children.map((child) => child.end()));
  expect(ended.map(({ code, output }) => `${code}${output}`)).toEqual(['0', '0', '0', '0', '0']);
});

test('the lock of another machine is waited for, then named', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  mkdirSync(path);
  writeFileSync(join(path, '1@another-machine@x'), '');
  await expect(withLock({ path, waitMsMax: -1, onWait: () => {} }, async () => {})).rejects.toThrow(/^process 1 has held .*lock for too long/);
});

test('an error of the work frees the lock', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  await expect(withLock({ path, waitMsMax: 0, onWait: () => {} }, () => Promise.reject(new Error('the work failed')))).rejects.toThrow('the work failed');
  expect(await withLock({ path, waitMsMax: 0, onWait: () => {} }, async () => 'free')).toBe('free');
});
