import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { expandInputs } from '../../../ingest/source/expand.ts';
import { oldestFirst } from '../../../ingest/source/rotation-order.ts';
import { problemsOf, tempDirectory } from './support.ts';

type Directory = ReturnType<typeof tempDirectory>;

async function names(directory: Directory, inputs: readonly string[]): Promise<string[]> {
  const found = await expandInputs(inputs.map((input) => (input === '-' ? input : directory.path(input))));
  return [
    ...found.inputs.map((input) => (input.kind === 'stdin' ? '-' : input.path.slice(directory.root.length + 1))),
    ...problemsOf(found.problems, directory.root),
  ];
}

function touch(directory: Directory, name: string, second = 0): void {
  writeFileSync(directory.path(name), `${name}\n`);
  utimesSync(directory.path(name), 1_700_000_000 + second, 1_700_000_000 + second);
}

describe('finding the files that a person means', () => {
  test('files, globs and directories are each taken once, hidden files only by name', async () => {
    using directory = tempDirectory();
    mkdirSync(directory.path('sub/deep'), { recursive: true });
    mkdirSync(directory.path('sub/.git'));
    for (const name of ['a.log', 'b.log', '.hidden.log', 'sub/c.log', 'sub/deep/d.txt', 'sub/.git/e.log']) touch(directory, name);
    expect(await names(directory, ['a.log', '*.log', './a.log'])).toEqual(['a.log', 'b.log']);
    expect(await names(directory, ['sub'])).toEqual(['sub/c.log', 'sub/deep/d.txt']);
    expect(await names(directory, ['**/*.log'])).toEqual(['a.log', 'b.log', 'sub/c.log']);
    expect(await names(directory, ['.hidden.log'])).toEqual(['.hidden.log']);
    expect(await names(directory, ['-', '{a,b}.log', '-'])).toEqual(['a.log', 'b.log', '-']);
  });

  test('two names of one file, by hard or symbolic link, are one file', async () => {
    using directory = tempDirectory();
    touch(directory, 'a.log');
    linkSync(directory.path('a.log'), directory.path('b.log'));
    symlinkSync('a.log', directory.path('c.log'));
    expect(await names(directory, ['*.log'])).toEqual(['a.log']);
  });

  test('a name with the signs of a pattern is taken as it is when such a file exists', async () => {
    using directory = tempDirectory();
    touch(directory, 'access[1].log');
    touch(directory, 'access1.log');
    expect(await names(directory, ['access[1].log'])).toEqual(['access[1].log']);
  });

  test('what is not there or cannot be read is one line each and the rest is found', async () => {
    using directory = tempDirectory();
    touch(directory, 'a.log');
    symlinkSync('loop', directory.path('loop'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(directory.path('socket'), resolve));
    const found = await names(directory, ['absent.log', '*.txt', 'nowhere/*.log', 'loop', 'socket', 'a.log/b', 'a.log']);
    await new Promise((resolve) => server.close(resolve));
    expect(found).toEqual([
      'a.log',
      'absent.log: no such file: check the name',
      '*.txt: no file matches: check the pattern',
      'nowhere/*.log: no file matches: check the pattern',
      'loop: the symbolic link leads to itself: point it at a file',
      'socket: is a socket, not a file: read a file, or pipe into keywatch and name the input -',
      'a.log/b: no such file: a part of the path is not a directory',
    ]);
  });

  test('a directory that links to its parent is not entered twice', async () => {
    using directory = tempDirectory();
    mkdirSync(directory.path('sub'));
    touch(directory, 'sub/a.log');
    symlinkSync('..', directory.path('sub/up'));
    expect(await names(directory, ['sub'])).toEqual(['sub/a.log']);
  });
});

describe('order of files', () => {
  const order = (files: readonly (readonly [string, number])[]): string[] =>
    oldestFirst(files.map(([path, modifiedAt]) => ({ path, modifiedAt }))).map(({ path }) => path);

  test('a higher number is older, whatever the change times say, and the live file is the newest', () => {
    const copied = ['access.log', 'access.log.1', 'access.log.10.gz', 'access.log.2.gz', 'access.log.3.zst'].map((path) => [path, 5] as const);
    expect(order(copied)).toEqual(['access.log.10.gz', 'access.log.3.zst', 'access.log.2.gz', 'access.log.1', 'access.log']);
  });

  test('dates order by date, in the middle of a name too', () => {
    expect(
      order([
        ['a.log', 1],
        ['a.log-20240502', 2],
        ['a.log-20240501.gz', 3],
      ]),
    ).toEqual(['a.log-20240501.gz', 'a.log-20240502', 'a.log']);
    expect(
      order([
        ['a-2024-05-10.log', 1],
        ['a-2024-05-09.log', 2],
        ['a.log', 0],
      ]),
    ).toEqual(['a-2024-05-09.log', 'a-2024-05-10.log', 'a.log']);
  });

  test('logs of different names stay together, the one with the oldest content first', () => {
    expect(
      order([
        ['b.log', 50],
        ['b.log.1', 10],
        ['a.log', 40],
        ['a.log.1', 20],
        ['c.log', 5],
      ]),
    ).toEqual(['c.log', 'b.log.1', 'b.log', 'a.log.1', 'a.log']);
  });

  test('the same name in two directories is two logs', () => {
    expect(
      order([
        ['x/a.log.1', 1],
        ['y/a.log.2', 2],
        ['x/a.log', 3],
        ['y/a.log', 4],
      ]),
    ).toEqual(['x/a.log.1', 'x/a.log', 'y/a.log.2', 'y/a.log']);
  });
});
