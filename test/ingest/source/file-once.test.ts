import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { SourceEvent } from '../../../core/ports.ts';
import { expandInputs } from '../../../ingest/source/expand.ts';
import { decodeCursor } from '../../../ingest/source/file-identity.ts';
import { type FileOnceConfig, type FileOnceSource, fileOnce } from '../../../ingest/source/file-once.ts';
import { collect, ids, problemsOf, tempDirectory, textOf } from './support.ts';

async function open(names: readonly string[], config: Partial<FileOnceConfig> = {}, stdin?: Readable): Promise<FileOnceSource> {
  const { inputs } = await expandInputs(names);
  return fileOnce({ inputs, ...config }, { newId: ids(), stdin });
}

function lines(count: number, name = 'line'): string {
  return Array.from({ length: count }, (_, i) => `${name} ${i} ${'x'.repeat(i % 90)}\n`).join('');
}

function labels(events: readonly SourceEvent[], root: string): string[] {
  return events.flatMap((event) => (event.kind === 'assigned' ? [event.label.slice(root.length + 1)] : []));
}

describe('reading files once', () => {
  test('rotated files are read oldest first, each from assigned to finished, packed or not, with the same content', async () => {
    using directory = tempDirectory();
    const parts = ['four', 'three', 'two', 'one'].map((name) => lines(9000, name));
    const [four = '', three = '', two = '', one = ''] = parts;
    writeFileSync(directory.path('access.log.3.gz'), Buffer.concat([gzipSync(four.slice(0, 7000)), gzipSync(four.slice(7000))]));
    writeFileSync(directory.path('access.log.2.zst'), Buffer.concat([zstdCompressSync(three.slice(0, 99)), zstdCompressSync(three.slice(99))]));
    writeFileSync(directory.path('access.log.1'), two);
    writeFileSync(directory.path('access.log'), one);
    const source = await open([directory.path('access.log*')]);
    const events = await collect(source);
    expect(labels(events, directory.root)).toEqual(['access.log.3.gz', 'access.log.2.zst', 'access.log.1', 'access.log']);
    expect(textOf(events)).toBe(parts.join(''));
    expect(problemsOf(events)).toEqual([]);
    for (const [index, text] of parts.entries()) {
      const partition = (index + 1).toString(16).padStart(16, '0');
      const own = events.filter((event) => 'partition' in event && event.partition === partition);
      expect(own[0]).toMatchObject({ kind: 'assigned', from: 0, head: new Uint8Array(Buffer.from(text.slice(0, 65_536))) });
      expect(own.at(-1)).toEqual({ kind: 'finished', partition, position: text.length });
      expect(textOf(own)).toBe(text);
    }
    expect(events.flatMap((event) => (event.kind === 'assigned' ? [event.sizeBytes] : []))).toEqual([undefined, undefined, two.length, one.length]);
    const { bytesRead, bytesTotal } = source.progress();
    expect(bytesRead).toBe(bytesTotal);
    expect(bytesTotal).toBeLessThan(parts.join('').length);
  });

  test('a last line without a line feed is delivered', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('a.log'), 'one\ntwo');
    writeFileSync(directory.path('b.log.gz'), gzipSync('three\nfour'));
    const events = await collect(await open([directory.path('*')]));
    expect(textOf(events)).toBe('one\ntwothree\nfour');
    expect(events.filter(({ kind }) => kind === 'finished')).toMatchObject([{ position: 7 }, { position: 10 }]);
  });

  test('what cannot be read as a log is one line each and the rest is read', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('1-empty.log'), '');
    writeFileSync(directory.path('2-picture.log'), Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i * 7) % 256)));
    writeFileSync(directory.path('3-good.log'), lines(10));
    writeFileSync(directory.path('4-cut.log.gz'), gzipSync(lines(9000)).subarray(0, 20_000));
    writeFileSync(directory.path('5-nothing.log.gz'), gzipSync('').subarray(0, 12));
    writeFileSync(directory.path('6-packed.log'), 'BZh91AY&SY');
    writeFileSync(directory.path('7-zeros.log'), Buffer.alloc(100_000));
    writeFileSync(directory.path('8-last.log'), 'last\n');
    const events = await collect(await open([directory.root]));
    expect(problemsOf(events, directory.root)).toEqual([
      '1-empty.log: is empty: nothing to read',
      '2-picture.log: is not a text file',
      '4-cut.log.gz: ends in the middle of its compressed data: what could be read is counted',
      '5-nothing.log.gz: ends in the middle of its compressed data: what could be read is counted',
      '6-packed.log: is a bzip2 file: unpack it first, for instance with bunzip2',
      '7-zeros.log: is not a text file',
    ]);
    expect(labels(events, directory.root)).toEqual(['3-good.log', '4-cut.log.gz', '8-last.log']);
    const cut = textOf(events, '0000000000000002');
    expect(cut.length).toBeGreaterThan(50_000);
    expect(lines(9000).startsWith(cut)).toBe(true);
    expect(textOf(events, '0000000000000003')).toBe('last\n');
  });

  test('content that was read under another name is counted once, packed or not, long or short', async () => {
    using directory = tempDirectory();
    const text = lines(5000);
    writeFileSync(directory.path('a.log'), text);
    writeFileSync(directory.path('b.log.gz'), gzipSync(text));
    writeFileSync(directory.path('c.log.zst'), zstdCompressSync(text));
    writeFileSync(directory.path('d.log'), `${text}one more\n`);
    writeFileSync(directory.path('e.log'), text.replace(/.$/m, 'Y'));
    writeFileSync(directory.path('f.log'), 'short\n');
    writeFileSync(directory.path('g.log'), 'short\n');
    const events = await collect(await open(['a.log', 'b.log.gz', 'c.log.zst', 'd.log', 'e.log', 'f.log', 'g.log'].map(directory.path)));
    expect(labels(events, directory.root).sort()).toHaveLength(4);
    expect(problemsOf(events)).toHaveLength(3);
    for (const problem of problemsOf(events)) expect(problem).toContain('has the same content as');
    expect(textOf(events).length).toBe(3 * text.length + 9 + 6);
  });

  test('a file that is cut while it is read gives what was there, one line, and the rest goes on', async () => {
    using directory = tempDirectory();
    const text = lines(40_000);
    writeFileSync(directory.path('a.log'), text);
    writeFileSync(directory.path('b.log'), 'next\n');
    const events = await collect(await open([directory.path('a.log'), directory.path('b.log')]), (event) => {
      if (event.kind === 'block' && event.offset === 0) truncateSync(directory.path('a.log'), 300_000);
    });
    expect(problemsOf(events, directory.root)).toEqual([
      `a.log: became shorter while it was read: 300000 of ${text.length} bytes were there; run again when nothing cuts it`,
    ]);
    expect(textOf(events, '0000000000000001')).toBe(text.slice(0, 300_000));
    expect(events.filter(({ kind }) => kind === 'finished')).toHaveLength(2);
    expect(textOf(events, '0000000000000002')).toBe('next\n');
  });

  test('a file that grows while it is read is read to the end it had, its last line whole', async () => {
    using directory = tempDirectory();
    const path = directory.path('a.log');
    writeFileSync(path, 'one\ntw');
    const events = await collect(await open([path]), (event) => {
      if (event.kind === 'assigned') appendFileSync(path, 'o\nthree\n');
    });
    expect(textOf(events)).toBe('one\ntwo\n');
  });

  test('a file that went away between two looks is one line', async () => {
    using directory = tempDirectory();
    writeFileSync(directory.path('a.log'), 'a\n');
    writeFileSync(directory.path('b.log'), 'b\n');
    const source = await open([directory.path('*.log')]);
    rmSync(directory.path('a.log'));
    const events = await collect(source);
    expect(problemsOf(events, directory.root)).toEqual(['a.log: no such file: check the name']);
    expect(textOf(events)).toBe('b\n');
  });

  test('a pipe is read to its end like a file, stdin too', async () => {
    using directory = tempDirectory();
    const pipe = directory.path('pipe');
    execFileSync('mkfifo', [pipe]);
    const source = await open([pipe, '-'], {}, Readable.from([Buffer.from('from '), Buffer.from('stdin\n')]));
    const reading = collect(source);
    const { open: openFile } = await import('node:fs/promises');
    const writer = await openFile(pipe, 'w');
    await writer.write('from a pipe\nand ');
    await writer.write('more\n');
    await writer.close();
    const events = await reading;
    expect(textOf(events)).toBe('from a pipe\nand more\nfrom stdin\n');
    expect(events.filter(({ kind }) => kind === 'finished')).toHaveLength(2);
  });

  test('blocks never cross a boundary of segments by the start of a line, and long lines are passed over', async () => {
    using directory = tempDirectory();
    const text = `${lines(50)}${'y'.repeat(400)}\n${lines(50)}`;
    writeFileSync(directory.path('a.log'), text);
    writeFileSync(directory.path('b.log.gz'), gzipSync(`${text}b\n`));
    for (const name of ['a.log', 'b.log.gz']) {
      const events = await collect(await open([directory.path(name)], { segmentBytes: 256, lineBytesMax: 300 }));
      for (const event of events) {
        if (event.kind !== 'block') continue;
        const lastStart = event.offset + Buffer.from(event.bytes).lastIndexOf(10, event.bytes.length - 2) + 1;
        expect(Math.floor(lastStart / 256)).toBe(Math.floor(event.offset / 256));
      }
      expect(events.filter(({ kind }) => kind === 'oversized')).toMatchObject([{ offset: lines(50).length, length: 401 }]);
      expect(textOf(events).length).toBe((name === 'a.log' ? text.length : text.length + 2) - 401);
    }
  });

  test('the cursor tells how far it came, and that the end was reached', async () => {
    using directory = tempDirectory();
    const path = directory.path('a.log');
    writeFileSync(path, lines(20_000));
    const source = await open([path]);
    let next = 0;
    const cursors: (string | undefined)[] = [];
    await collect(source, (event) => {
      if (event.kind === 'block') next = event.offset + event.bytes.length;
      if (event.kind === 'block' || event.kind === 'finished') cursors.push(source.cursor('0000000000000001', next));
    });
    const decoded = cursors.map((cursor) => decodeCursor(cursor ?? ''));
    expect(decoded.at(-1)).toMatchObject({ next: lines(20_000).length, isDone: true, path });
    expect(decoded[0]).toMatchObject({ isDone: false, headLength: 4096, tailLength: 4096 });
  });

  test('it ends at once when told to', async () => {
    using directory = tempDirectory();
    mkdirSync(directory.path('d'));
    writeFileSync(directory.path('d/a.log'), lines(60_000));
    copyFileSync(directory.path('d/a.log'), directory.path('d/b.log'));
    appendFileSync(directory.path('d/b.log'), 'b\n');
    const source = await open([directory.path('d')]);
    const stop = new AbortController();
    let blocks = 0;
    for await (const event of source.events(stop.signal)) {
      if (event.kind === 'block') blocks++;
      expect(event.kind).not.toBe('finished');
      stop.abort();
    }
    expect(blocks).toBeLessThanOrEqual(1);
  });
});
