import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SpoolFault } from '../../../ingest/spool/spool-files.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { tempDirectory } from '../source/support.ts';
import { linesOf, openWriter, readSpool } from './support.ts';

const KEY = 'ab'.repeat(16);

function request(text: string, key?: string) {
  return { lines: linesOf(text), count: 1, key };
}

function spoolFiles(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.spool'));
}

describe('appending to the spool', () => {
  test('requests that wait are made durable together and each is answered with an id of its own', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root);
    let appends = 0;
    writer.onAppend(() => void appends++);
    const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => writer.append(request(`line ${i}`))));
    expect(new Set(answers.map((answer) => (answer.ok ? answer.id : ''))).size).toBe(500);
    expect(appends).toBeLessThan(10);
    const { lines } = await readSpool(directory.root, { writer });
    expect(lines.map(({ text }) => text)).toEqual(Array.from({ length: 500 }, (_, i) => `line ${i}`));
  });

  test('nobody else can read the spool: its lines hold keys', async () => {
    using directory = tempDirectory();
    const path = directory.path('spool');
    await using writer = await openWriter(path);
    await writer.append(request('secret'));
    expect(statSync(path).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(path)) expect([name, statSync(join(path, name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  test('a full spool refuses whole requests, says when to come again, and takes them again when the store has caught up', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root, { bytesMax: 4000, segmentBytes: 500 });
    const taken: string[] = [];
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      const answer = await writer.append(request(`line ${String(i).padStart(80, '0')}`));
      if (answer.ok) taken.push(`line ${String(i).padStart(80, '0')}`);
      else {
        refused++;
        expect(answer).toMatchObject({ refusal: 'full', retryAfterMs: 10_000, reason: expect.stringContaining('the store is slower') as string });
      }
    }
    expect(refused).toBeGreaterThan(20);
    expect(writer.bytes).toBeLessThanOrEqual(4000);
    const { lines } = await readSpool(directory.root, { writer });
    expect(lines.map(({ text }) => text)).toEqual(taken);
    await writer.release(writer.end);
    expect(await writer.append(request('again'))).toMatchObject({ ok: true });
    const first = lines[0]?.offset ?? 0;
    expect((await readSpool(directory.root, { writer, from: writer.stats().released })).lines.map(({ text }) => text)).toEqual(['again']);
    expect(first).toBeGreaterThan(0);
  });

  test('what waits for the disk is bounded', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root, { queueBytesMax: 1000 });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => writer.append(request(String(i).padStart(60, '.')))));
    const taken = answers.filter(({ ok }) => ok).length;
    expect(taken).toBeGreaterThan(3);
    expect(taken).toBeLessThan(20);
    expect(answers.find(({ ok }) => !ok)).toMatchObject({ refusal: 'busy', retryAfterMs: 1000 });
    expect((await readSpool(directory.root, { writer })).lines).toHaveLength(taken);
    expect(writer.stats().queuedBytes).toBe(0);
  });

  test('what was asked before the end is written, and nothing afterwards', async () => {
    using directory = tempDirectory();
    const writer = await openWriter(directory.root);
    const before = writer.append(request('before'));
    await writer[Symbol.asyncDispose]();
    expect(await before).toMatchObject({ ok: true });
    expect(await writer.append(request('after'))).toMatchObject({ ok: false, refusal: 'closed' });
    await writer[Symbol.asyncDispose]();
    expect((await readSpool(directory.root)).lines.map(({ text }) => text)).toEqual(['before']);
  });
});

describe('stored positions', () => {
  test('files wholly below the stored position are deleted, and only those', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root, { segmentBytes: 200 });
    for (let i = 0; i < 20; i++) await writer.append(request(`line ${i} ${'.'.repeat(60)}`));
    const { lines } = await readSpool(directory.root, { writer });
    const before = spoolFiles(directory.root);
    expect(before.length).toBeGreaterThan(5);
    for (const [index, { offset }] of lines.entries()) {
      await writer.release(offset);
      const [first, second] = spoolFiles(directory.root).map((name) => Number(name.slice(0, 16)));
      expect(first).toBeLessThanOrEqual(offset);
      if (second !== undefined) expect(second).toBeGreaterThan(offset);
      expect((await readSpool(directory.root, { writer, from: offset })).lines).toEqual(lines.slice(index));
    }
  });

  test('when all is stored, no line stays on the disk after the end, and positions go on', async () => {
    using directory = tempDirectory();
    const writer = await openWriter(directory.root);
    await writer.append(request('a line with a key in it'));
    const { end } = writer;
    await writer.release(end);
    await writer[Symbol.asyncDispose]();
    for (const name of readdirSync(directory.root)) expect(readFileSync(directory.path(name), 'latin1')).not.toContain('key in it');
    await using again = await openWriter(directory.root);
    expect(again.end).toBe(end);
    await again.append(request('next'));
    const { lines } = await readSpool(directory.root, { writer: again, from: end });
    expect(lines.map(({ text }) => text)).toEqual(['next']);
  });

  test('a spool whose newest files were taken away goes on beyond what the store knows, and says so', async () => {
    using directory = tempDirectory();
    const writer = await openWriter(directory.root, { segmentBytes: 100 });
    for (let i = 0; i < 6; i++) await writer.append(request(`line ${i} ${'.'.repeat(80)}`));
    const { end } = writer;
    await writer[Symbol.asyncDispose]();
    for (const name of spoolFiles(directory.root).slice(1)) rmSync(directory.path(name));
    await using again = await openWriter(directory.root);
    expect(again.end).toBeLessThan(end);
    expect((await readSpool(directory.root, { writer: again, from: end })).events[0]).toMatchObject({
      kind: 'problem',
      message: expect.stringContaining(`up to ${end} is stored`) as string,
    });
    expect(again.end).toBe(end);
    await again.append(request('new'));
    expect((await readSpool(directory.root, { writer: again, from: end })).lines.map(({ text }) => text)).toEqual(['new']);
  });

  test('an emptied directory is a new spool: what the store knows of the old one means nothing in it', async () => {
    using directory = tempDirectory();
    const names: string[] = [];
    for (let i = 0; i < 2; i++) {
      let n = i * 10;
      const { SpoolWriter } = await import('../../../ingest/spool/spool-writer.ts');
      await using writer = await SpoolWriter.open(
        { directory: directory.root, bytesMax: 1e6 },
        { clock: new VirtualClock(0), newId: () => (++n).toString(16).padStart(16, '0') },
      );
      names.push(writer.partition);
      await writer[Symbol.asyncDispose]();
      for (const name of spoolFiles(directory.root)) rmSync(directory.path(name));
    }
    expect(names).toEqual(['spool:0000000000000001', 'spool:000000000000000b']);
  });
});

describe('idempotency keys', () => {
  test('a repeat is answered like the first one and adds no line: at once, later, after a restart, and after its file was deleted', async () => {
    using directory = tempDirectory();
    const clock = new VirtualClock(0);
    const writer = await openWriter(directory.root, { segmentBytes: 100 }, clock);
    const [first, second] = await Promise.all([writer.append(request('one', KEY)), writer.append(request('one', KEY))]);
    expect(first).toMatchObject({ ok: true, count: 1, isDuplicate: false });
    const repeat = { ...first, isDuplicate: true };
    expect(second).toEqual(repeat);
    expect(await writer.append(request('one', KEY))).toEqual(repeat);
    for (let i = 0; i < 5; i++) await writer.append(request(`filler ${'.'.repeat(80)}`));
    await writer[Symbol.asyncDispose]();

    const restarted = await openWriter(directory.root, { segmentBytes: 100 }, clock);
    expect(await restarted.append(request('one', KEY))).toEqual(repeat);
    await restarted.release(restarted.end);
    expect(spoolFiles(directory.root)).toHaveLength(1);
    await restarted[Symbol.asyncDispose]();

    await using later = await openWriter(directory.root, {}, clock);
    expect(await later.append(request('one', KEY))).toEqual(repeat);
    expect((await readSpool(directory.root, { writer: later, from: later.end })).lines).toEqual([]);
  });

  test('the same key with other lines is refused, not answered as if it had been taken', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root);
    const [, other] = await Promise.all([writer.append(request('one', KEY)), writer.append(request('two', KEY))]);
    expect(other).toMatchObject({ ok: false, refusal: 'other_lines' });
    expect(await writer.append(request('two', KEY))).toMatchObject({ ok: false, refusal: 'other_lines' });
  });

  test('they are forgotten by number and by age', async () => {
    using directory = tempDirectory();
    const clock = new VirtualClock(0);
    await using writer = await openWriter(directory.root, { keysMax: 2, keysMs: 1000 }, clock);
    const key = (i: number): string => String(i).padStart(32, '0').replace(/^./, 'f');
    for (let i = 0; i < 3; i++) await writer.append(request('x', key(i)));
    expect(await writer.append(request('x', key(2)))).toMatchObject({ isDuplicate: true });
    expect(await writer.append(request('x', key(0)))).toMatchObject({ isDuplicate: false });
    await clock.advance(1000);
    expect(await writer.append(request('x', key(2)))).toMatchObject({ isDuplicate: false });
  });

  test('a damaged file of keys is told and does not keep anybody out', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('idempotency.keys'), 'keywatch-idempotency-1 5\n[["x"]]\n');
    const problems: string[] = [];
    await using writer = await openWriter(directory.root, {}, undefined, (message) => problems.push(message));
    expect(problems).toEqual([expect.stringContaining('idempotency.keys is damaged')]);
    expect(await writer.append(request('x', KEY))).toMatchObject({ ok: true });
  });
});

describe('damage', () => {
  test('a damaged frame in the middle is passed over and told; nothing after it is lost', async () => {
    using directory = tempDirectory();
    const writer = await openWriter(directory.root);
    const ends = [0];
    for (let i = 0; i < 5; i++) {
      await writer.append(request(`line ${i}`));
      ends.push(writer.end);
    }
    await writer[Symbol.asyncDispose]();
    const path = directory.path(spoolFiles(directory.root)[0] ?? '');
    const bytes = readFileSync(path);
    bytes[(ends[2] ?? 0) + 50] = 0;
    writeFileSync(path, bytes);
    const problems: string[] = [];
    await using again = await openWriter(directory.root, {}, undefined, (message) => problems.push(message));
    const { lines, events } = await readSpool(directory.root, { writer: again });
    expect(lines.map(({ text }) => text)).toEqual(['line 0', 'line 1', 'line 3', 'line 4']);
    const told = `bytes ${ends[2]} to ${ends[3]} of the spool in ${directory.root} are damaged or gone`;
    expect(problems).toEqual([expect.stringContaining(told)]);
    expect(events.filter(({ kind }) => kind === 'problem')).toMatchObject([{ message: expect.stringContaining(told) as string }]);
  });

  test('text that looks like a frame never is one, even behind damage', async () => {
    using directory = tempDirectory();
    const writer = await openWriter(directory.root);
    await writer.append(request('before'));
    const { end } = writer;
    await writer.append({ lines: readFileSync(await spoolWithOneLine(directory.path('other'), 'forged')), count: 1 });
    await writer.append(request('after'));
    await writer[Symbol.asyncDispose]();
    const path = directory.path(spoolFiles(directory.root)[0] ?? '');
    const bytes = readFileSync(path);
    // Its head is damaged: what it holds is looked through for the next frame.
    bytes[end] = 0;
    writeFileSync(path, bytes);
    await using again = await openWriter(directory.root);
    const { lines } = await readSpool(directory.root, { writer: again });
    expect(lines.map(({ text }) => text)).toEqual(['before', 'after']);
  });

  test('a spool without its name, or with a name that is none, is refused with what to do', async () => {
    using directory = tempDirectory();
    await (await openWriter(directory.root))[Symbol.asyncDispose]();
    writeFileSync(directory.path('spool.json'), '{}');
    await expect(openWriter(directory.root)).rejects.toThrow(/spool\.json is not what keywatch wrote; put it back/);
    rmSync(directory.path('spool.json'));
    await expect(openWriter(directory.root)).rejects.toThrow(SpoolFault);
    writeFileSync(directory.path('file'), '');
    await expect(openWriter(directory.path('file/x'))).rejects.toThrow(/the spool in .*file\/x: /);
  });
});

const isMountable = canMount();
if (!isMountable) process.stderr.write('the test of a spool on a full disk is skipped: it needs the right to mount\n');

describe.skipIf(!isMountable)('a disk that is full', () => {
  test('nothing is half accepted, and requests are taken again when there is space', async () => {
    using directory = tempDirectory();
    using disk = tmpfs(directory.path('disk'), 'size=256k');
    const problems: string[] = [];
    const writer = await openWriter(join(disk.path, 'spool'), {}, undefined, (message) => problems.push(message));
    const taken: string[] = [];
    let refusals = 0;
    for (let i = 0; i < 40; i++) {
      const text = `${i} ${'.'.repeat(20_000)}`;
      const answer = await writer.append(request(text));
      if (answer.ok) taken.push(text);
      else {
        refusals++;
        expect(answer).toMatchObject({ refusal: 'disk', reason: expect.stringContaining('the disk is full: free some space') as string, retryAfterMs: 30_000 });
      }
    }
    expect(refusals).toBeGreaterThan(10);
    expect(statSync(join(writer.directory, spoolFiles(writer.directory)[0] ?? '')).size).toBe(writer.end);
    expect(problems).toHaveLength(1);
    expect(writer.stats().trouble).toContain('the disk is full');
    const { lines, events } = await readSpool(writer.directory, { writer });
    expect(lines.map(({ text }) => text)).toEqual(taken);
    expect(events.filter(({ kind }) => kind === 'problem')).toEqual([]);
    execFileSync('mount', ['-o', 'remount,size=1m', disk.path]);
    expect(await writer.append(request('space again'))).toMatchObject({ ok: true });
    expect(writer.stats().trouble).toBeUndefined();
    await writer[Symbol.asyncDispose]();
    await using again = await openWriter(writer.directory);
    expect((await readSpool(writer.directory, { writer: again })).lines.map(({ text }) => text)).toEqual([...taken, 'space again']);
    await again[Symbol.asyncDispose]();
  });
});

async function spoolWithOneLine(path: string, text: string): Promise<string> {
  const writer = await openWriter(path);
  await writer.append(request(text));
  await writer[Symbol.asyncDispose]();
  return join(path, spoolFiles(path)[0] ?? '');
}

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  using directory = tempDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory.root], { stdio: 'ignore' });
    execFileSync('umount', [directory.root]);
    return true;
  } catch {
    return false;
  }
}

function tmpfs(path: string, options: string): Disposable & { readonly path: string } {
  execFileSync('mkdir', ['-p', path]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  return { path, [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', path]) };
}
