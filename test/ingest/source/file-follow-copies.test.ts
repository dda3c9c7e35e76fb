import { appendFileSync, copyFileSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { FollowHarness } from './follow-harness.ts';
import { end, follow, lines, old, story } from './follow-story.ts';
import { problemsOf, tempDirectory } from './support.ts';

function split(text: string): string[] {
  return text.trimEnd().split('\n');
}

describe('telling copies from logs', () => {
  test('a file that is rewritten between being found and being read is read as it is then, and found again as that', async () => {
    using directory = tempDirectory();
    const path = directory.path('access.log');
    writeFileSync(path, lines(0, 5));
    const harness = new FollowHarness({ patterns: [path] });
    let isRewritten = false;
    harness.onEvent = (event) => {
      if (event.kind === 'assigned' && !isRewritten) writeFileSync(path, lines(50, 60));
      isRewritten = true;
    };
    harness.start();
    await harness.pass(30_000);
    harness.flush();
    await harness.kill();
    harness.start();
    await harness.pass(30_000);
    expect(await end(harness)).toEqual(split(lines(50, 60)));
  });

  test('two stored logs that begin alike each go on in their own file', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('a.log'), 'same\n');
    const harness = follow(directory, ['*.log']);
    await harness.pass(1000);
    appendFileSync(directory.path('a.log'), 'only a\n');
    writeFileSync(directory.path('b.log'), 'same\n');
    await harness.pass(3000);
    appendFileSync(directory.path('b.log'), 'only b\n');
    await harness.pass(3000);
    truncateSync(directory.path('a.log'), 0);
    appendFileSync(directory.path('a.log'), 'same\n');
    await harness.pass(30_000);
    harness.flush();
    await harness.kill();
    const { length } = harness.events;
    // The shorter one is looked at first: the other could be taken for what follows in it.
    const now = harness.clock.now() / 1000;
    utimesSync(directory.path('a.log'), now - 100, now - 100);
    utimesSync(directory.path('b.log'), now - 50, now - 50);
    harness.start();
    await harness.pass(3000);
    expect(story(harness.events.slice(length), directory)).not.toContainEqual(expect.stringContaining('same'));
    appendFileSync(directory.path('b.log'), 'more b\n');
    appendFileSync(directory.path('a.log'), 'more a\n');
    await harness.pass(5000);
    expect((await end(harness)).sort()).toEqual(['more a', 'more b', 'only a', 'only b', 'same', 'same', 'same']);
  });

  test('a file that was truncated and began anew with the same lines is read at once, not after a wait', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), `# a first line that every file has\n${lines(0, 100)}`);
    const harness = follow(directory, ['access.log'], { settleMs: 3_600_000 });
    await harness.pass(1000);
    writeFileSync(directory.path('access.log'), '# a first line that every file has\n');
    utimesSync(directory.path('access.log'), harness.clock.now() / 1000, harness.clock.now() / 1000);
    await harness.pass(3000);
    const told = story(harness.events, directory);
    expect(told.at(-1)).toBe('2 caught up at 35');
    await harness.kill();
  });

  test('a copy in the making of a file that is gone is waited for: what was counted of it is not counted again', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 1000));
    const harness = follow(directory);
    await harness.pass(1000);
    harness.flush();
    await harness.kill();
    // The file system may give its inode to the copy: that proves nothing.
    rmSync(directory.path('access.log'));
    const whole = lines(0, 1500);
    for (const share of [0.2, 0.4, 0.6, 1]) {
      writeFileSync(directory.path('access.log.1'), whole.slice(0, whole.length * share));
      utimesSync(directory.path('access.log.1'), harness.clock.now() / 1000, harness.clock.now() / 1000);
      if (share === 0.2) harness.start();
      await harness.pass(1500);
    }
    await harness.pass(5000);
    expect(await end(harness)).toEqual(split(whole));
  });

  test('a copy that was made while a backlog is read holds the rest when the file is truncated before its end', async () => {
    using directory = tempDirectory();
    const path = directory.path('access.log');
    const whole = lines(0, 400_000);
    writeFileSync(path, whole);
    const harness = new FollowHarness({ patterns: [`${path}*`] });
    let blocks = 0;
    harness.onEvent = (event) => {
      if (event.kind !== 'block') return;
      blocks++;
      if (blocks === 2) {
        copyFileSync(path, `${path}.1`);
        // Time for a scan in the middle of reading: it sees a true copy.
        void harness.clock.advance(3000);
      }
      if (blocks === 20) truncateSync(path);
    };
    harness.start();
    await harness.pass(30_000);
    expect((await end(harness)).length).toBe(400_000);
    expect(blocks).toBeGreaterThan(25);
    expect(problemsOf(harness.events)).toEqual([]);
  });

  test('an archive that gets another member goes on where it ended', async () => {
    using directory = tempDirectory();
    old(directory, 'access.log.gz', gzipSync(lines(0, 1000)));
    const harness = follow(directory);
    await harness.pass(3000);
    expect(harness.kinds().at(-1)).toBe('finished');
    appendFileSync(directory.path('access.log.gz'), gzipSync(lines(1000, 1200)));
    await harness.pass(10_000);
    expect(await end(harness)).toEqual(split(lines(0, 1200)));
    expect(story(harness.events, directory).filter((text) => text.includes('assigned'))).toEqual([
      '1 assigned access.log.gz from 0',
      `1 assigned access.log.gz from ${lines(0, 1000).length}`,
    ]);
  });

  test('a packed copy of an older archive is not counted, while that one is being read and after it', async () => {
    using directory = tempDirectory();
    const packed = gzipSync(lines(0, 60_000));
    old(directory, 'access.log.2.gz', packed);
    old(directory, 'access.log.3.gz', gzipSync(lines(0, 60_000), { level: 1 }));
    const harness = follow(directory);
    await harness.pass(5000);
    copyFileSync(directory.path('access.log.2.gz'), directory.path('access.log.4.gz'));
    old(directory, 'access.log.5', readFileSync(directory.path('access.log.2.gz')));
    await harness.pass(10_000);
    expect(await end(harness)).toEqual(split(lines(0, 60_000)));
  });
});
