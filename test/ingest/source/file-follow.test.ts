import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { fileFollow } from '../../../ingest/source/file-follow.ts';
import { FollowHarness } from './follow-harness.ts';
import { end, follow, lines, old, story } from './follow-story.ts';
import { ids, problemsOf, tempDirectory } from './support.ts';

describe('following files', () => {
  test('a file that is not there yet is waited for, told once, and read when it comes', async () => {
    using directory = tempDirectory();
    const harness = follow(directory, ['access.log', '*.txt']);
    await harness.pass(10_000);
    writeFileSync(directory.path('access.log'), 'one\n');
    await harness.pass(3000);
    await harness.kill();
    expect(story(harness.events, directory)).toEqual([
      'access.log: nothing of that name is there yet: waiting for it',
      '*.txt: nothing of that name is there yet: waiting for it',
      '1 assigned access.log from 0',
      '1 one',
      '1 caught up at 4',
    ]);
  });

  test('a partial last line waits for its line feed, and the position waits with it', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), 'one\ntw');
    const harness = follow(directory);
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), 'o, still');
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), ' two\nth');
    await harness.pass(1000);
    await harness.kill();
    expect(story(harness.events, directory)).toEqual(['1 assigned access.log from 0', '1 one', '1 caught up at 4', '1 two, still two', '1 caught up at 19']);
  });

  test('a first line that is being written is waited for: nobody could tell its format', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), '203.0.113.24 - - [30/D');
    const harness = follow(directory);
    await harness.pass(5000);
    expect(harness.events).toEqual([]);
    appendFileSync(directory.path('access.log'), 'ec/2025]\n');
    await harness.pass(3000);
    await harness.kill();
    expect(harness.events[0]).toMatchObject({ kind: 'assigned', head: new Uint8Array(Buffer.from('203.0.113.24 - - [30/Dec/2025]\n')) });
  });

  test('after a rename the old file is read to its end before the new one, and is finished when its writer let go', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 2));
    const harness = follow(directory);
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), lines(2, 3));
    renameSync(directory.path('access.log'), directory.path('access.log.1'));
    writeFileSync(directory.path('access.log'), lines(4, 5));
    await harness.pass(3000);
    // A writer that has not reopened yet.
    appendFileSync(directory.path('access.log.1'), lines(3, 4));
    await harness.pass(90_000);
    await harness.kill();
    expect(story(harness.events, directory)).toEqual([
      '1 assigned access.log from 0',
      '1 line 0, line 1',
      '1 caught up at 14',
      '1 line 2',
      '1 caught up at 21',
      '2 assigned access.log from 0',
      '2 line 4',
      '2 caught up at 7',
      '1 line 3',
      '1 caught up at 28',
      '1 finished at 28',
    ]);
  });

  test('the first lines of all files that were there at the start come oldest first, the live file last', async () => {
    using directory = tempDirectory();
    for (const [name, from] of [
      ['access.log', 9],
      ['access.log.1', 6],
      ['access.log.2.gz', 3],
      ['access.log.10', 0],
    ] as const) {
      const text = lines(from, from + 3);
      writeFileSync(directory.path(name), name.endsWith('.gz') ? gzipSync(text) : text);
    }
    const harness = follow(directory, ['access.log*'], { settleMs: 0 });
    await harness.pass(1000);
    await harness.kill();
    const blocks = harness.events.filter(({ kind }) => kind === 'block');
    expect(story(blocks, directory).map((text) => text.slice(2))).toEqual([
      'line 0, line 1, line 2',
      'line 3, line 4, line 5',
      'line 6, line 7, line 8',
      'line 9, line 10, line 11',
    ]);
  });

  test('a file that was deleted before it was read to its end is read to its end', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 100_000));
    const harness = new FollowHarness({ patterns: [directory.path('access.log')] });
    let isDeleted = false;
    harness.onEvent = (event) => {
      if (event.kind === 'block' && !isDeleted) unlinkSync(directory.path('access.log'));
      isDeleted ||= event.kind === 'block';
    };
    harness.start();
    await harness.pass(100_000);
    expect(await end(harness)).toHaveLength(100_000);
    expect(harness.events.at(-1)).toMatchObject({ kind: 'finished', position: lines(0, 100_000).length });
  });

  test('copytruncate: what was not read yet is read from the copy, and the file goes on as another partition', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 2));
    const harness = follow(directory);
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), lines(2, 4));
    copyFileSync(directory.path('access.log'), directory.path('access.log.1'));
    truncateSync(directory.path('access.log'));
    appendFileSync(directory.path('access.log'), lines(4, 5));
    await harness.pass(5000);
    await harness.kill();
    const told = story(harness.events, directory);
    expect(told).toContain('1 line 2, line 3');
    expect(told).toContain('2 line 4');
    expect(told.filter((text) => text.includes('line'))).toHaveLength(3);
    expect(problemsOf(harness.events)).toEqual([]);
  });

  test('a truncation is seen though the file grew beyond the old position at once, with the same first line', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), `#head\n${lines(0, 3)}`);
    const harness = follow(directory);
    await harness.pass(1000);
    writeFileSync(directory.path('access.log'), `#head\n${lines(10, 40)}`);
    await harness.pass(20_000);
    expect((await end(harness)).sort()).toEqual(
      ['#head', '#head', ...[0, 1, 2].map((i) => `line ${i}`), ...Array.from({ length: 30 }, (_, i) => `line ${10 + i}`)].sort(),
    );
    expect(problemsOf(harness.events)).toEqual([]);
  });

  test('a file that was cut before it was read to its end says what may be lost', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 100_000));
    const harness = new FollowHarness({ patterns: [directory.path('access.log')] });
    harness.onEvent = (event) => {
      if (event.kind === 'block' && event.offset === 0) truncateSync(directory.path('access.log'));
    };
    harness.start();
    await harness.pass(30_000);
    await harness.kill();
    expect(problemsOf(harness.events, directory.root)).toEqual([
      expect.stringMatching(/^access\.log: was truncated before .* no copy of it was found: lines may be lost$/),
    ]);
    expect(harness.kinds().at(-1)).toBe('finished');
  });

  test('copies, hard links, links and archives of what is followed are not counted again', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 1000));
    const harness = follow(directory);
    await harness.pass(1000);
    copyFileSync(directory.path('access.log'), directory.path('access.log.bak'));
    linkSync(directory.path('access.log'), directory.path('access.log.link'));
    symlinkSync('access.log', directory.path('access.log.symlink'));
    writeFileSync(directory.path('access.log.gz'), gzipSync(readFileSync(directory.path('access.log'))));
    appendFileSync(directory.path('access.log'), lines(1000, 1001));
    await harness.pass(10_000);
    expect(await end(harness)).toEqual(lines(0, 1001).trimEnd().split('\n'));
    expect(harness.kinds().filter((kind) => kind === 'assigned')).toHaveLength(1);
  });

  test('two logs that begin with the same line are two logs as soon as they differ', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('a.log'), 'same\n');
    const harness = follow(directory, ['*.log']);
    await harness.pass(1000);
    writeFileSync(directory.path('b.log'), 'same\n');
    appendFileSync(directory.path('a.log'), 'only a\n');
    await harness.pass(5000);
    appendFileSync(directory.path('b.log'), 'only b\n');
    await harness.pass(5000);
    expect((await end(harness)).sort()).toEqual(['only a', 'only b', 'same', 'same']);
  });

  test('a link that is pointed at another file leads to that file; the old one is finished', async () => {
    using directory = tempDirectory();
    mkdirSync(directory.path('d'));
    writeFileSync(directory.path('d/1'), 'one\n');
    writeFileSync(directory.path('d/2'), 'two\n');
    symlinkSync('d/1', directory.path('access.log'));
    const harness = follow(directory, ['access.log'], { movedMs: 5000 });
    await harness.pass(1000);
    rmSync(directory.path('access.log'));
    symlinkSync('d/2', directory.path('access.log'));
    appendFileSync(directory.path('d/1'), 'last of one\n');
    await harness.pass(20_000);
    expect(await end(harness)).toEqual(['one', 'last of one', 'two']);
    expect(story(harness.events, directory)).toContain('1 finished at 16');
  });

  test('no log starves another: each file gets its turn after a chunk', async () => {
    using directory = tempDirectory();
    const harness = follow(directory, ['a.log', 'b.log', 'c.log']);
    await harness.pass(1000);
    for (const name of ['a.log', 'b.log', 'c.log']) writeFileSync(directory.path(name), lines(0, 150_000).replaceAll('line', name));
    await harness.pass(5000);
    await harness.kill();
    const order = harness.events.flatMap((event) => (event.kind === 'block' ? [event.partition.at(-1)] : []));
    const firstOfLast = Math.max(...['1', '2', '3'].map((partition) => order.indexOf(partition)));
    expect(firstOfLast).toBeLessThan(8);
    expect(order.length).toBeGreaterThan(20);
  });

  test('lines that are too long are passed over, also while they are being written', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), `one\n${'x'.repeat(500)}`);
    const harness = follow(directory, ['access.log'], { lineBytesMax: 100 });
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), 'x'.repeat(600_000));
    await harness.pass(1000);
    appendFileSync(directory.path('access.log'), '\ntwo\n');
    await harness.pass(1000);
    expect(await end(harness)).toEqual(['one', 'oversized 600501', 'two']);
  });

  test('what is no log is one line and not looked at again; a log beside it is read', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log.db'), Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i * 7) % 256)));
    writeFileSync(directory.path('access.log.empty'), '');
    old(directory, 'access.log.xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]));
    mkdirSync(directory.path('access.log.d'));
    writeFileSync(directory.path('access.log'), 'one\n');
    const harness = follow(directory);
    await harness.pass(20_000);
    expect(problemsOf(harness.events, directory.root).sort()).toEqual([
      'access.log.db: is not a text file',
      'access.log.xz: is an xz file: unpack it first, for instance with unxz',
    ]);
    expect(await end(harness)).toEqual(['one']);
  });

  test('a log that begins with a hole, as a truncation under a careless writer leaves it, is followed', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), Buffer.concat([Buffer.alloc(100_000), Buffer.from('\none\n')]));
    const harness = follow(directory);
    await harness.pass(1000);
    expect((await end(harness)).at(-1)).toBe('one');
    expect(problemsOf(harness.events)).toEqual([]);
  });

  test('an archive that is being written is waited for, and one that stays cut is read as far as it goes, with one line', async () => {
    using directory = tempDirectory();
    const packed = gzipSync(lines(0, 3000));
    const harness = follow(directory);
    await harness.pass(1000);
    for (const length of [100, 2000, packed.length]) {
      writeFileSync(directory.path('access.log.1.gz'), packed.subarray(0, length));
      utimesSync(directory.path('access.log.1.gz'), harness.clock.now() / 1000, harness.clock.now() / 1000);
      await harness.pass(1000);
    }
    await harness.pass(5000);
    writeFileSync(directory.path('access.log.2.gz'), gzipSync(lines(5000, 9000)).subarray(0, 4000));
    utimesSync(directory.path('access.log.2.gz'), harness.clock.now() / 1000, harness.clock.now() / 1000);
    await harness.pass(30_000);
    const stored = await end(harness);
    expect(stored.slice(0, 3000)).toEqual(lines(0, 3000).trimEnd().split('\n'));
    expect(stored.length).toBeGreaterThan(3500);
    expect(problemsOf(harness.events, directory.root).slice(1)).toEqual([
      'access.log.2.gz: ends in the middle of its compressed data: what could be read is counted',
    ]);
  });
});

describe('with the real clock and the kernel', () => {
  test('appended lines, new files and rotation come through, and the source ends when told to', async () => {
    using directory = tempDirectory();
    const path = directory.path('access.log');
    const stop = new AbortController();
    const source = fileFollow({ patterns: [directory.path('access.log*')] }, { clock: systemClock, newId: ids(), known: [] });
    const seen: string[] = [];
    // Each step begins when the one before was seen: no sleeping.
    const steps: readonly (() => void)[] = [
      () => appendFileSync(path, 'line 1\n'),
      () => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, 'line 2\n');
      },
      () => appendFileSync(`${path}.1`, 'line 3\n'),
      () => {
        copyFileSync(path, `${path}.2`);
        truncateSync(path);
        appendFileSync(path, 'line 4\n');
      },
      () => stop.abort(),
    ];
    writeFileSync(path, 'line 0\n');
    for await (const event of source.events(stop.signal)) {
      if (event.kind !== 'block') continue;
      seen.push(Buffer.from(event.bytes).toString().trimEnd());
      steps[seen.length - 1]?.();
    }
    expect(seen).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4']);
  });
});
