import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decideNode, findLocalNode, isAtLeast } from '../../bin/node-version.mjs';
import { sourceSignature } from '../../bin/sources.mjs';
import { startChild, temporaryFolder } from './child.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A system Node that is too old to run the program, if this machine has one. */
const oldNode = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .filter((path) => !path.includes('node_modules') && existsSync(path))
  .find((path) => !isAtLeast(execFileSync(path, ['--version'], { encoding: 'utf8' }).trim(), '24.15.0'));

describe('which Node runs the program', () => {
  test.each([
    ['24.15.0', true],
    ['v24.21.0', true],
    ['25.0.0', true],
    ['100.0.0-nightly', true],
    ['24.14.9', false],
    ['22.99.99', false],
    ['9.0.0', false],
    ['something else', false],
  ])('%s is new enough: %s', (version, isNewEnough) => {
    expect(isAtLeast(version, '24.15.0')).toBe(isNewEnough);
  });

  test('a new enough Node runs it itself, even where npm brought another', () => {
    expect(decideNode({ running: '24.15.0', local: '/x/node', isHandedOver: false })).toEqual({ kind: 'run' });
  });

  test('an old Node hands over to the one from npm', () => {
    expect(decideNode({ running: '20.20.2', local: '/x/node', isHandedOver: false })).toEqual({ kind: 'hand-over', node: '/x/node' });
  });

  test('an old Node without another says in one line what is wrong and what to do', () => {
    const decision = decideNode({ running: '18.1.0', local: undefined, isHandedOver: false });
    expect(decision).toEqual({
      kind: 'refuse',
      message: expect.stringMatching(/^keywatch needs Node 24\.15\.0 or newer and this is 18\.1\.0: run `npm start` .*or install Node 24\.15\.0 or newer$/),
    });
  });

  test('a Node from npm that is too old itself is refused, not started for ever', () => {
    expect(decideNode({ running: '20.0.0', local: '/x/node', isHandedOver: true }).kind).toBe('refuse');
  });

  test('the Node from npm is found in the package and hoisted above it', () => {
    using folder = temporaryFolder();
    const inside = join(folder.path, 'node_modules', 'keywatch');
    folder.write('node_modules/keywatch/package.json', '{}');
    expect(findLocalNode(inside)).not.toBe(join(folder.path, 'node_modules/node/bin/node'));
    folder.write('node_modules/node/bin/node', '');
    expect(findLocalNode(inside)).toBe(join(folder.path, 'node_modules/node/bin/node'));
    folder.write('node_modules/keywatch/node_modules/node/bin/node', '');
    expect(findLocalNode(inside)).toBe(join(inside, 'node_modules/node/bin/node'));
  });
});

describe('handing over', () => {
  const script = `import { handOver } from ${JSON.stringify(new URL('../../bin/hand-over.mjs', import.meta.url).href)};
    process.exitCode = await handOver({ node: process.execPath, args: ['-e', process.env.CHILD, '--', 'two words', '--for=1'] });`;
  const start = (child: string, input = '') =>
    startChild(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, CHILD: child }, input });

  test('passes arguments, input, output and the exit code through', async () => {
    const child = start(`process.stdin.on('data', (b) => { console.log(process.argv.slice(1).join('|'), String(b)); process.exit(7); })`, 'hello');
    expect(await child.end()).toEqual({ code: 7, signal: null, output: 'two words|--for=1 hello\n' });
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on and lets the program end in its own way', async (signal) => {
    const child = start(`process.on('${signal}', () => { console.log('bye'); process.exit(5); }); setInterval(() => {}, 1000); console.log('ready')`);
    await child.says('ready');
    child.process.kill(signal);
    expect(await child.end()).toEqual({ code: 5, signal: null, output: 'ready\nbye\n' });
  });

  test('a program that a signal ended gives the code that a shell gives', async () => {
    const child = start(`process.kill(process.pid, 'SIGKILL')`);
    expect((await child.end()).code).toBe(137);
  });
});

describe('bin/keywatch.mjs', () => {
  const MAIN = `export async function main(argv) { console.log('source', argv.join('|')); return 3; }`;

  /** A package with the real `bin`, in a path with a space. */
  function packageFolder() {
    const folder = temporaryFolder();
    cpSync(join(ROOT, 'bin'), join(folder.path, 'bin'), { recursive: true });
    folder.write('package.json', '{"type":"module"}');
    const run = (node: string, ...args: string[]) =>
      startChild(node, [join(folder.path, 'bin/keywatch.mjs'), ...args], { env: { ...process.env, XDG_CACHE_HOME: join(folder.path, 'cache') } }).end();
    return { ...folder, run };
  }

  test('runs the sources of a clone that was never built, and its exit code is theirs', async () => {
    using folder = packageFolder();
    folder.write('app/main.ts', MAIN.replace('(argv)', '(argv: readonly string[]): Promise<number>'));
    expect(await folder.run(process.execPath, 'demo', '--for=1')).toEqual({ code: 3, signal: null, output: 'source demo|--for=1\n' });
  });

  test('runs the build where there are no sources', async () => {
    using folder = packageFolder();
    folder.write('dist/app/main.js', MAIN.replace('source', 'built'));
    expect((await folder.run(process.execPath)).output).toBe('built \n');
  });

  test('runs the build of these sources, and never an old one', async () => {
    using folder = packageFolder();
    folder.write('app/main.ts', MAIN.replace('(argv)', '(argv: readonly string[])'));
    folder.write('dist/app/main.js', MAIN.replace('source', 'built'));
    folder.write('dist/.built', sourceSignature(folder.path));
    expect((await folder.run(process.execPath)).output).toBe('built \n');
    folder.write('core/new.ts', '');
    expect((await folder.run(process.execPath)).output).toBe('source \n');
  });

  test('an incomplete package says so in one line', async () => {
    using folder = packageFolder();
    const ended = await folder.run(process.execPath);
    expect(ended).toEqual({ code: 2, signal: null, output: expect.stringMatching(/^keywatch is incomplete: [^\n]*install it again\n$/) });
  });

  test('missing dependencies say in one line how to install them', async () => {
    using folder = packageFolder();
    folder.write('app/main.ts', `import 'a-package-that-is-not-here'; export async function main() { return 0; }`);
    const ended = await folder.run(process.execPath);
    expect(ended).toEqual({
      code: 2,
      signal: null,
      output: expect.stringMatching(/^the dependencies of keywatch are not installed: run `npm run bootstrap` in [^\n]*\n$/),
    });
  });

  test('a fault of the program itself is not taken for a missing dependency', async () => {
    using folder = packageFolder();
    folder.write('app/main.ts', `import './not-there.ts'; export async function main() { return 0; }`);
    const ended = await folder.run(process.execPath);
    expect(ended.code).toBe(1);
    expect(ended.output).toContain('not-there.ts');
  });

  test.runIf(oldNode !== undefined)('an old system Node is replaced by the one from npm, or told apart in one line', async () => {
    using folder = packageFolder();
    folder.write(
      'app/main.ts',
      `export async function main(argv: readonly string[]): Promise<number> { console.log(process.version, argv.join('|')); return 4; }`,
    );
    const alone = await folder.run(oldNode ?? '');
    expect(alone).toEqual({ code: 2, signal: null, output: expect.stringMatching(/^keywatch needs Node 24\.15\.0 or newer and this is [^\n]*\n$/) });
    mkdirSync(join(folder.path, 'node_modules/node/bin'), { recursive: true });
    symlinkSync(process.execPath, join(folder.path, 'node_modules/node/bin/node'));
    expect(await folder.run(oldNode ?? '', 'a b')).toEqual({ code: 4, signal: null, output: `${process.version} a b\n` });
  });
});
