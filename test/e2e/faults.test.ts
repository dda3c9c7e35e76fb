import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { BIN, type Ended, keywatch, runKeywatch, scratch } from './support/command.ts';
import { combinedLine, combinedLines } from './support/lines.ts';
import { storedCounts, untilStored } from './support/store.ts';

const isRoot = process.getuid?.() === 0;
/** Somebody without rights. Only root can become them, and only where they may read this checkout. */
const NOBODY = 65_534;
const nobody = isRoot && spawnSync(process.execPath, [BIN, '--version'], { uid: NOBODY, gid: NOBODY, cwd: tmpdir() }).status === 0 ? NOBODY : undefined;
/** Root may read everything: files that nobody may read are no test then. */
const areRightsBinding = !isRoot || nobody !== undefined;
if (!areRightsBinding) process.stderr.write('tests of missing rights are skipped: root has them all, and nobody else may read this checkout\n');

/** One clear line, no stack trace. */
function oneLine(text: string): string {
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text).not.toMatch(/\n\s+at /);
  return text.trimEnd();
}

/** The messages of the log that `run` writes on stderr. */
function messages(ended: Ended): readonly string[] {
  return ended.stderr
    .trimEnd()
    .split('\n')
    .map((line) => (line.startsWith('{') ? (JSON.parse(line) as { msg: string }).msg : line));
}

/** Whether this process may mount a small file system of its own. */
const canMount = ((): boolean => {
  if (!isRoot) return false;
  using folder = scratch();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder.path], { stdio: 'ignore' });
    execFileSync('umount', [folder.path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!canMount) process.stderr.write('tests with a full and a read-only disk are skipped: they need the right to mount\n');

/** A file system of its own, of which the size is known. */
function tmpfs(path: string, options: string): Disposable & { readonly path: string } {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  return { path, [Symbol.dispose]: () => void execFileSync('umount', [path]) };
}

describe('the data directory', () => {
  test('a second process on it refuses by name and changes nothing', async () => {
    using folder = scratch();
    const log = folder.write('access.log', combinedLines(100));
    await using first = keywatch(['run', log, '--data-dir', folder.join('data')]);
    await first.says('watching');
    const second = await runKeywatch(['run', log, '--data-dir', folder.join('data')]);
    expect(second).toMatchObject({ code: 1, signal: null, stdout: '' });
    expect(oneLine(second.stderr)).toBe(
      `keywatch run: another keywatch (process ${first.pid}) writes to the data directory ${folder.join('data')}; stop it or choose another directory`,
    );
    await untilStored(folder.join('data'), 100);
    expect(await first.stop('SIGTERM')).toMatchObject({ code: 0, signal: null });
    expect(await storedCounts(folder.join('data'))).toMatchObject({ records: 100, requests: 100 });
    // Nothing is left that would keep the next one out, also after a kill.
    await using third = keywatch(['run', log, '--data-dir', folder.join('data')]);
    await third.says('watching');
    await third.stop('SIGKILL');
    await using fourth = keywatch(['run', log, '--data-dir', folder.join('data')]);
    await fourth.says('watching');
    expect(await fourth.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await storedCounts(folder.join('data'))).toMatchObject({ records: 100, requests: 100 });
  });

  test('a reader beside the writer sees what is stored', async () => {
    using folder = scratch();
    const log = folder.write('access.log', combinedLines(700));
    await using run = keywatch(['run', log, '--data-dir', folder.join('data')]);
    await untilStored(folder.join('data'), 700);
    const listed = await runKeywatch(['keys', 'list', '--json', '--since', '2026-11-01', '--until', '2026-12-01', '--data-dir', folder.join('data')]);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    const { keys } = JSON.parse(listed.stdout) as { keys: { requests: number }[] };
    expect(keys.map(({ requests }) => requests)).toEqual(Array.from({ length: 7 }, () => 100));
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
  });

  test.skipIf(!canMount)('on a read-only disk it says so and stops', async () => {
    using folder = scratch();
    const log = folder.write('access.log', combinedLines(10));
    using disk = tmpfs(folder.join('data'), 'size=1m,ro');
    const ended = await runKeywatch(['run', log, '--data-dir', disk.path]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(oneLine(ended.stderr)).toMatch(/^keywatch run: .*read-only/);
  });

  test.skipIf(!canMount)('on a full disk: nothing more is read until there is room, then everything is counted once', async () => {
    using folder = scratch();
    const log = folder.write('access.log', combinedLines(50));
    using disk = tmpfs(folder.join('data'), 'size=10m');
    const data = disk.path;
    await using run = keywatch(['run', log, '--data-dir', data]);
    await untilStored(data, 50);
    // Everything that is left is taken away.
    const ballast = folder.join('data', 'ballast');
    for (let size = 4 * 2 ** 20; size >= 512; size >>= 1) {
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(size));
      } catch {
        // Full at this step; a smaller one may still fit.
      }
    }
    const more = 3000;
    // Every line another key and minute: the store must grow.
    const fresh = Array.from({ length: more }, (_, i) => combinedLine(i, { key: `fresh-key-${i}-not-real`, at: Date.UTC(2026, 10, 23, 22) + i * 60_000 })).join(
      '',
    );
    appendFileSync(log, fresh);
    await run.says(/nothing more is read, since the store refuses: disk full/);
    // What fitted before the disk was full may be there; the rest waits.
    expect((await storedCounts(data)).requests).toBeLessThan(50 + more);
    rmSync(ballast);
    await run.says('the store accepts again');
    await untilStored(data, 50 + more);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    const stored = await storedCounts(data);
    expect(stored).toMatchObject({ records: 50 + more, requests: 50 + more });
    expect(stored.owners.size).toBe(7 + more);
  });

  test.skipIf(nobody === undefined)('of somebody else: no permission, in one line', async () => {
    using folder = scratch();
    chmodSync(folder.path, 0o755);
    const log = folder.write('access.log', combinedLines(10));
    mkdirSync(folder.join('data'), { mode: 0o700 });
    const ended = await runKeywatch(['run', log, '--data-dir', folder.join('data')], nobody === undefined ? {} : { uid: nobody });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(oneLine(ended.stderr)).toContain('permission');
  });
});

describe('the end', () => {
  test('SIGTERM in the middle of a backlog ends within 5 s; what was read is stored and the rest follows later, once', async () => {
    using folder = scratch();
    const data = folder.join('data');
    const lines = 150_000;
    const log = folder.write('access.log', combinedLines(lines));
    const text = readFileSync(log, 'latin1');
    await using first = keywatch(['run', log, '--data-dir', data]);
    await first.says('watching');
    const kill = setTimeout(() => first.process.kill('SIGKILL'), 5000);
    const ended = await first.stop('SIGTERM');
    clearTimeout(kill);
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: '' });
    expect(messages(ended).at(-1)).toBe('stopped; everything that was read is stored');
    const half = await storedCounts(data);
    const next = half.positions[0]?.next ?? 0;
    expect(half.records).toBe(text.slice(0, next).split('\n').length - 1);
    expect(half.requests).toBe(half.records);
    await using second = keywatch(['run', log, '--data-dir', data]);
    await untilStored(data, lines);
    expect(await second.stop('SIGINT')).toMatchObject({ code: 0 });
    const whole = await storedCounts(data);
    expect(whole).toMatchObject({ records: lines, requests: lines, rejected: 0 });
    expect([...whole.owners.values()].sort((a, b) => a - b)).toEqual([21_428, 21_428, 21_428, 21_429, 21_429, 21_429, 21_429]);
  });

  test('a pipe that ends is the end, and everything of it is stored', async () => {
    using folder = scratch();
    const ended = await runKeywatch(['run', '-', '--data-dir', folder.join('data')], { stdin: combinedLines(500) });
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: '' });
    expect(await storedCounts(folder.join('data'))).toMatchObject({ records: 500, requests: 500 });
  });

  test.each(['run', 'analyze'] as const)('%s without an open stdin ends by itself', async (command) => {
    using folder = scratch();
    const ended = await runKeywatch([command, '-', '--data-dir', folder.join('data')], { stdin: { kind: 'closed' } });
    expect(ended.signal).toBeNull();
    expect(ended.stderr).not.toMatch(/this should not have happened|\n\s+at /);
    expect(ended.code).toBe(command === 'run' ? 0 : 1);
  });

  test('a reader that has seen enough is no failure', async () => {
    using folder = scratch();
    const many = Array.from({ length: 30_000 }, (_, i) => combinedLine(i, { key: `demo-key-${i}-not-real` })).join('');
    const log = folder.write('access.log', many);
    const script = '"$@" | head -1 >/dev/null; echo "$PIPESTATUS"';
    const ended = await runKeywatch(['analyze', log, '--json', '--data-dir', folder.join('data')], { under: ['bash', '-c', script, 'bash'] });
    expect({ ...ended, stderr: ended.stderr.replace(/^made a new pepper[^\n]*\n/, '') }).toEqual({ code: 0, signal: null, stdout: '0\n', stderr: '' });
  });
});

describe('logs', () => {
  test.skipIf(!areRightsBinding)(
    'in the way of a running one: unreadable, binary, empty, damaged, absent, each one line, and the good one is counted',
    async () => {
      using folder = scratch();
      chmodSync(folder.path, 0o777);
      const data = folder.join('data');
      mkdirSync(data);
      if (nobody !== undefined) chownSync(data, nobody, nobody);
      const good = folder.write('good.log', combinedLines(300));
      const secret = folder.write('unreadable.log', combinedLines(5, 5000));
      chmodSync(secret, 0);
      const image = folder.write('image.log', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167) % 256)));
      const empty = folder.write('empty.log', '');
      const words = folder.write('words.log', 'dear diary\ntoday I was no log\n'.repeat(20));
      const absent = folder.join('not-yet.log');
      mkdirSync(folder.join('locked'), { mode: 0 });
      await using run = keywatch(
        ['run', good, secret, image, empty, words, absent, folder.join('locked', '*.log'), '--data-dir', data],
        nobody === undefined ? {} : { uid: nobody },
      );
      await untilStored(data, 300);
      await Promise.all([
        run.says(/unreadable\.log: permission denied: give the user who runs keywatch the right to read it/),
        run.says(/image\.log: is not a text file/),
        run.says(/words\.log: the first lines are in no format that Keywatch knows/),
        run.says(/not-yet\.log: nothing of that name is there yet: waiting for it/),
        run.says(/locked.*permission denied/),
      ]);
      // What was in the way comes right, and is read.
      chmodSync(secret, 0o644);
      writeFileSync(absent, combinedLines(11, 6000));
      writeFileSync(empty, combinedLines(13, 7000));
      await untilStored(data, 300 + 5 + 11 + 13);
      const ended = await run.stop('SIGTERM');
      expect(ended).toMatchObject({ code: 0 });
      for (const name of ['unreadable.log: permission', 'image.log: is not', 'words.log: the first', 'not-yet.log: nothing']) {
        expect({ name, times: messages(ended).filter((message) => message.includes(name)).length }).toEqual({ name, times: 1 });
      }
      expect(await storedCounts(data)).toMatchObject({ records: 329, requests: 329 });
    },
  );

  test('a file that vanishes is read to where it was, and its successor from its beginning', async () => {
    using folder = scratch();
    const data = folder.join('data');
    const log = folder.write('access.log', combinedLines(200));
    await using run = keywatch(['run', folder.join('*.log'), '--data-dir', data]);
    await untilStored(data, 200);
    rmSync(log);
    writeFileSync(folder.join('draft'), combinedLines(70, 1000));
    renameSync(folder.join('draft'), log);
    await untilStored(data, 270);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await storedCounts(data)).toMatchObject({ records: 270, requests: 270 });
  });

  test('a log full of faults does not stop a running one', async () => {
    using folder = scratch();
    const data = folder.join('data');
    const bad = ['not a log line', '', '\u0000'.repeat(40), combinedLine(1).slice(0, 60), 'x'.repeat(3 * 2 ** 20), combinedLine(2, { status: 999 }).trimEnd()];
    const log = folder.write('access.log', combinedLines(10));
    await using run = keywatch(['run', log, '--data-dir', data]);
    await untilStored(data, 10);
    appendFileSync(log, `${bad.join('\n')}\n${combinedLines(10, 10)}`);
    await untilStored(data, 26);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(await storedCounts(data)).toMatchObject({ records: 26, requests: 20, rejected: 6 });
  });
});

describe('the command line', () => {
  test.each([
    [['run', '--dta-dir', 'x'], /unknown option '--dta-dir' \(did you mean --data-dir\?\)/],
    [['analyze', '--jsn', 'x'], /unknown option '--jsn' \(did you mean --json\?\)/],
    [['analyse', 'x'], /unknown command 'analyse'.*did you mean 'analyze'/],
    [['run'], /nothing to watch: name log files/],
    [['run', 'x.log', '-c', 'nowhere.yml'], /nowhere\.yml/],
  ])('%s: one line, a hint, exit code 2', async (args, hint) => {
    using folder = scratch();
    const ended = await runKeywatch(args, { cwd: folder.path, env: { HOME: folder.path } });
    expect(ended).toMatchObject({ code: 2, signal: null, stdout: '' });
    expect(oneLine(ended.stderr)).toMatch(hint);
  });

  test('a wrong configuration is shown with its places, all at once, and nothing is started', async () => {
    using folder = scratch();
    const file = folder.write(
      'keywatch.yml',
      'sources:\n  - file: access.log\n    formt: kong\nrules:\n  error_rate: { warning: 50%, critical: 10% }\nalerts:\n  channels:\n    slack:\n      - name: a\n        webhookUrl: https://hooks.example.test/services/T0/B0/secret\n',
    );
    const ended = await runKeywatch(['run', '-c', file, '--data-dir', folder.join('data')], { cwd: folder.path });
    expect(ended).toMatchObject({ code: 2, signal: null, stdout: '' });
    expect(ended.stderr).toMatch(/keywatch\.yml:3:5/);
    expect(ended.stderr).toMatch(/did you mean .*format/);
    expect(ended.stderr).toMatch(/keywatch\.yml:5:/);
    expect(ended.stderr).toMatch(/keywatch\.yml:10:/);
    expect(ended.stderr).not.toContain('hooks.example.test');
    expect(() => readFileSync(folder.join('data', 'metrics.db'))).toThrow('ENOENT');
  });
});
