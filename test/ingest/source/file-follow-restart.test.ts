import { appendFileSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { decodeCursor } from '../../../ingest/source/file-identity.ts';
import { fileFollow } from '../../../ingest/source/file-follow.ts';
import { end, follow, lines, old, story } from './follow-story.ts';
import { ids, problemsOf, tempDirectory } from './support.ts';

describe('following after a restart', () => {
  test('each file goes on where it was stored, under its name, renamed or packed meanwhile', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 2000));
    const harness = follow(directory);
    await harness.pass(1000);
    harness.flush();
    await harness.kill();
    appendFileSync(directory.path('access.log'), lines(2000, 2500));
    writeFileSync(directory.path('access.log.1.gz'), gzipSync(readFileSync(directory.path('access.log'))));
    writeFileSync(directory.path('access.log'), lines(2500, 2600));
    harness.start();
    await harness.pass(10_000);
    expect((await end(harness)).sort()).toEqual(lines(0, 2600).trimEnd().split('\n').sort());
    const assigned = harness.events.filter(({ kind }) => kind === 'assigned');
    expect(story(assigned, directory).sort()).toEqual([
      '1 assigned access.log from 0',
      `1 assigned access.log.1.gz from ${lines(0, 2000).length}`,
      '2 assigned access.log from 0',
    ]);
    expect(problemsOf(harness.events)).toEqual([]);
  });

  test('what was not stored is delivered again, and what was stored is not', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 10));
    const harness = follow(directory);
    await harness.pass(1000);
    harness.flush();
    appendFileSync(directory.path('access.log'), lines(10, 20));
    await harness.pass(1000);
    await harness.kill();
    harness.start();
    await harness.pass(1000);
    expect(await end(harness)).toEqual(lines(0, 20).trimEnd().split('\n'));
  });

  test('an archive that was read to its end is known by its size and time: it is not unpacked again, and nothing is said of it', async () => {
    using directory = tempDirectory();
    old(directory, 'access.log.1.gz', gzipSync(lines(0, 5000)));
    old(directory, 'access.log.2', lines(5000, 5001));
    const harness = follow(directory);
    await harness.pass(5000);
    harness.flush();
    await harness.kill();
    const { length } = harness.events;
    const cursor = harness.known.map(({ cursor }) => decodeCursor(cursor ?? '')).find((known) => known?.compression === 'gzip');
    expect(cursor).toMatchObject({ isDone: true, next: lines(0, 5000).length });
    // Same size, same time, and nothing in it can be unpacked: whoever tried would tell.
    old(directory, 'access.log.1.gz', readFileSync(directory.path('access.log.1.gz')).fill(7, 20));
    harness.start();
    await harness.pass(20_000);
    await harness.kill();
    expect(harness.events.slice(length)).toEqual([]);
  });

  test('a file that was removed before it was read to its end is told once; one that was finished is not', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), lines(0, 10));
    old(directory, 'access.log.1', lines(20, 30));
    const harness = follow(directory);
    await harness.pass(5000);
    harness.flush();
    await harness.kill();
    rmSync(directory.path('access.log'));
    rmSync(directory.path('access.log.1'));
    writeFileSync(directory.path('access.log'), lines(50, 51));
    harness.start();
    await harness.pass(60_000);
    await harness.kill();
    expect(problemsOf(harness.events, directory.root)).toEqual([
      'access.log: what followed byte 70 cannot be found: the file was removed or rewritten while keywatch did not run',
    ]);
  });

  test('a stored file that is found as a copy beside its own inode goes on in its own', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('b.log'), lines(0, 10));
    const harness = follow(directory, ['*.log']);
    await harness.pass(1000);
    harness.flush();
    await harness.kill();
    copyFileSync(directory.path('b.log'), directory.path('a.log'));
    appendFileSync(directory.path('b.log'), lines(10, 20));
    harness.start();
    await harness.pass(5000);
    appendFileSync(directory.path('b.log'), lines(20, 30));
    await harness.pass(5000);
    expect(await end(harness)).toEqual(lines(0, 30).trimEnd().split('\n'));
  });

  test('a cursor of another version or of stdin is as if there were none', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('access.log'), 'one\n');
    const known = [
      { name: 'a', next: 5, cursor: '{"v":99}' },
      { name: 'b', next: 5 },
    ];
    const source = fileFollow({ patterns: [directory.path('access.log')], usesHints: false }, { clock: systemClock, newId: ids(), known });
    for await (const event of source.events(new AbortController().signal)) {
      expect(event).toMatchObject({ kind: 'assigned', partition: '0000000000000001', from: 0 });
      break;
    }
    await source[Symbol.asyncDispose]();
  });
});
