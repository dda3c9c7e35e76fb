import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, unlinkSync, utimesSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isBuilt } from '../../bin/sources.mjs';
import { bootstrap } from '../../scripts/bootstrap.mjs';
import { type Child, startChild, temporaryFolder } from './child.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Stands in for npm: notes that it was called, waits for the file `go` where `wait` exists, fails with the text in
 * `fail`, ends when its parent was killed, else leaves what `npm ci` leaves. Everything else in these tests is the real thing.
 */
const NPM = `
import fs from 'node:fs';
fs.appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n');
const parent = process.ppid;
while (fs.existsSync('wait') && !fs.existsSync('go') && process.ppid === parent) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
if (process.ppid !== parent) process.exit(1);
if (fs.existsSync('fail')) { fs.rmSync('node_modules/.package-lock.json', { force: true }); console.error(fs.readFileSync('fail', 'utf8')); process.exit(1); }
fs.rmSync('node_modules', { recursive: true, force: true });
fs.mkdirSync('node_modules/node/bin', { recursive: true });
fs.mkdirSync('node_modules/.bin');
if (!fs.existsSync('no-scripts')) fs.symlinkSync(process.execPath, 'node_modules/node/bin/node');
fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
`;

function lockfile(version: string): string {
  return JSON.stringify({ packages: { '': { name: 'x' }, 'node_modules/yaml': { version }, 'node_modules/for-another-system': { version, optional: true } } });
}

/** A small project in a path with a space, and an npm that is all that is in the PATH. */
function project() {
  const folder = temporaryFolder();
  folder.write('tools/npm.mjs', NPM);
  folder.write('tools/npm', `#!/bin/sh\nexec "${process.execPath}" "${folder.path}/tools/npm.mjs" "$@"\n`, 0o755);
  folder.write('package.json', '{"type":"module"}');
  folder.write('package-lock.json', lockfile('1.0.0'));
  folder.write('tsconfig.json', '{"compilerOptions":{"module":"nodenext","types":[],"rootDir":".","rewriteRelativeImportExtensions":true}}');
  folder.write('tsconfig.build.json', '{"extends":"./tsconfig.json","include":["core","app"]}');
  folder.write('core/a.ts', 'export const a: number = 1;\n');
  folder.write('app/main.ts', `import { a } from '../core/a.ts';\nexport const worker = new URL('./worker.ts', import.meta.url);\nexport const b = a;\n`);
  folder.write('app/worker.ts', 'export {};\n');
  folder.write('app/simulate/data/day.log.gz', 'not text: \0\u0001');
  const env = { ...process.env, PATH: join(folder.path, 'tools') };
  const said: string[] = [];
  return {
    ...folder,
    said,
    env,
    run: () => bootstrap({ root: folder.path, env, say: (line) => said.push(line) }),
    calls: () => (existsSync(join(folder.path, 'calls')) ? readFileSync(join(folder.path, 'calls'), 'utf8').trim().split('\n') : []),
    read: (path: string) => readFileSync(join(folder.path, path), 'utf8'),
    start: (): Child =>
      startChild(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { bootstrap } from ${JSON.stringify(new URL('../../scripts/bootstrap.mjs', import.meta.url).href)};
        await bootstrap({ root: ${JSON.stringify(folder.path)}, env: process.env, say: (line) => console.log(line) });`,
        ],
        { env: { ...env, PATH: `${env.PATH}${delimiter}/usr/bin${delimiter}/bin` } },
      ),
  };
}

describe('bootstrap', () => {
  test('installs and builds a fresh clone, and does nothing and says nothing the second time', async () => {
    using clone = project();
    await clone.run();
    expect(clone.calls()).toHaveLength(1);
    expect(clone.calls()[0]).toMatch(/^ci --include=dev /);
    expect(clone.said).toEqual([expect.stringMatching(/^installing the dependencies/)]);
    expect(isBuilt(clone.path)).toBe(true);
    await clone.run();
    expect(clone.calls()).toHaveLength(1);
    expect(clone.said).toHaveLength(1);
  });

  test('installs again when the lockfile changed', async () => {
    using clone = project();
    await clone.run();
    clone.write('package-lock.json', lockfile('1.0.1'));
    await clone.run();
    expect(clone.calls()).toHaveLength(2);
  });

  test('installs again when node_modules was removed', async () => {
    using clone = project();
    await clone.run();
    rmSync(join(clone.path, 'node_modules'), { recursive: true });
    await clone.run();
    expect(clone.calls()).toHaveLength(2);
  });

  test('an install that failed half-way is not taken for the one before it', async () => {
    using clone = project();
    await clone.run();
    clone.write('package-lock.json', lockfile('1.0.1'));
    clone.write('fail', 'npm error code ENOSPC');
    await expect(clone.run()).rejects.toThrow('no space left');
    unlinkSync(join(clone.path, 'fail'));
    clone.write('package-lock.json', lockfile('1.0.0'));
    await clone.run();
    expect(clone.calls()).toHaveLength(3);
  });

  test('takes an install by hand for what it is: packages for other systems may be missing, others may not', async () => {
    using clone = project();
    await clone.run();
    unlinkSync(join(clone.path, 'node_modules/.keywatch-installed'));
    clone.write('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/yaml': { version: '1.0.0' } } }));
    await clone.run();
    expect(clone.calls()).toHaveLength(1);
    unlinkSync(join(clone.path, 'node_modules/.keywatch-installed'));
    clone.write('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/yaml': { version: '0.9.0' } } }));
    await clone.run();
    expect(clone.calls()).toHaveLength(2);
  });

  test.each([
    ['npm error code ENOTFOUND\nnpm error network request to https://example.test failed', /^the package registry cannot be reached: .* \(ENOTFOUND\)$/],
    ['npm error code EUSAGE\nnpm error `npm ci` can only install', /^package.json and package-lock.json do not agree: run `npm install` \(EUSAGE\)$/],
    ['npm error code ENOSPC', /^no space left on the disk/],
    ['npm error code EACCES', /^npm may not write here/],
    ['npm error something new\nnpm error more of it', /^npm ci failed with exit code 1: something new$/],
  ])('a failed install is one line that says what to do (%#)', async (output, line) => {
    using clone = project();
    clone.write('fail', output);
    const message = await clone.run().then(
      () => 'no error',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    );
    expect(message).toMatch(line);
    expect(message).not.toContain('\n');
    unlinkSync(join(clone.path, 'fail'));
    await clone.run();
    expect(isBuilt(clone.path)).toBe(true);
  });

  test('a PATH without npm is one line', async () => {
    using clone = project();
    rmSync(join(clone.path, 'tools'), { recursive: true });
    await expect(clone.run()).rejects.toThrow(/^npm is not in the PATH: install Node 20 or newer with npm$/);
  });

  test('install scripts that are switched off are one line, where no new enough system Node can help', async () => {
    using clone = project();
    clone.write('no-scripts', '');
    await expect(clone.run()).rejects.toThrow(/^npm did not run the install script of the package `node` .*install Node 24\.15\.0 or newer$/);
  });

  test('two at the same time install once, and the second waits for the first', async () => {
    using clone = project();
    clone.write('wait', '');
    const first = clone.start();
    await first.says('installing');
    const second = clone.start();
    await second.says(`waiting for process ${first.process.pid}`);
    clone.write('go', '');
    expect([(await first.end()).code, (await second.end()).code]).toEqual([0, 0]);
    expect(clone.calls()).toHaveLength(1);
    expect(existsSync(join(clone.path, '.bootstrap-lock'))).toBe(false);
  });

  test('a killed install is done again, and leaves no lock to remove by hand', async () => {
    using clone = project();
    clone.write('wait', '');
    const killed = clone.start();
    await killed.says('installing');
    killed.process.kill('SIGKILL');
    await killed.end();
    clone.write('go', '');
    await clone.run();
    expect(clone.said).toEqual([expect.stringMatching(/^installing/)]);
    expect(isBuilt(clone.path)).toBe(true);
  });
});

test('bootstrap works when its clone is reached through a symbolic link', async () => {
  using clone = project();
  cpSync(join(ROOT, 'scripts'), join(clone.path, 'scripts'), { recursive: true });
  cpSync(join(ROOT, 'bin'), join(clone.path, 'bin'), { recursive: true });
  clone.write('fail', 'npm error code ENOSPC');
  symlinkSync(clone.path, join(clone.path, 'link'));
  const ended = await startChild(process.execPath, [join(clone.path, 'link/scripts/bootstrap.mjs')], {
    env: { ...clone.env, PATH: `${clone.env.PATH}${delimiter}/usr/bin${delimiter}/bin` },
  }).end();
  expect(ended.code).toBe(1);
  expect(ended.output).toMatch(/^keywatch: installing .*\nkeywatch: no space left on the disk.*\n$/);
});

describe('the build', () => {
  test('turns imports and worker addresses into those of the built files, and copies what is not TypeScript', async () => {
    using clone = project();
    await clone.run();
    expect(clone.read('dist/app/main.js')).toContain(`'../core/a.js'`);
    expect(clone.read('dist/app/main.js')).toContain(`new URL('./worker.js', import.meta.url)`);
    expect(readFileSync(join(clone.path, 'dist/app/simulate/data/day.log.gz'))).toEqual(readFileSync(join(clone.path, 'app/simulate/data/day.log.gz')));
  });

  test('is made again when a source changed, and drops what has no source any more', async () => {
    using clone = project();
    clone.write('core/old.ts', 'export {};\n');
    await clone.run();
    expect(existsSync(join(clone.path, 'dist/core/old.js'))).toBe(true);
    unlinkSync(join(clone.path, 'core/old.ts'));
    clone.write('core/a.ts', 'export const a: number = 2;\n');
    expect(isBuilt(clone.path)).toBe(false);
    await clone.run();
    expect(existsSync(join(clone.path, 'dist/core/old.js'))).toBe(false);
    expect(clone.read('dist/core/a.js')).toContain('a = 2');
  });

  test('is made again when a source became older', async () => {
    using clone = project();
    await clone.run();
    utimesSync(join(clone.path, 'core/a.ts'), 1, 1);
    expect(isBuilt(clone.path)).toBe(false);
  });

  test('that fails does not stop the start: the sources can run', async () => {
    using clone = project();
    clone.write('core/a.ts', 'export const = ;\n');
    await clone.run();
    expect(clone.said[1]).toMatch(/^the build failed, so the sources are run instead/);
    expect(isBuilt(clone.path)).toBe(false);
  });
});
