import { PassThrough, Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceEvent } from '../../../core/ports.ts';
import { stdinSource } from '../../../ingest/source/stdin.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { collect, ids, problemsOf, textOf } from './support.ts';

function source(stream: Readable, isLive = false, lineBytesMax?: number) {
  return stdinSource({ isLive, lineBytesMax }, { stream, clock: new VirtualClock(5000), newId: ids() });
}

describe('standard input', () => {
  test('whatever the pipe cuts the text into, its lines come out whole and once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 10 }),
        fc.constantFrom('none', 'gzip', 'zstd'),
        async (parts, packing) => {
          const text = Buffer.from(parts.join(''));
          const bytes = packing === 'none' ? text : packing === 'gzip' ? gzipSync(text) : zstdCompressSync(text);
          const chunks = parts.map((_, i) =>
            bytes.subarray(Math.floor((i * bytes.length) / parts.length), Math.floor(((i + 1) * bytes.length) / parts.length)),
          );
          const events = await collect(source(Readable.from(chunks.filter(({ length }) => length > 0))));
          expect(textOf(events)).toBe(text.toString());
          expect(events[0]).toMatchObject({ kind: 'assigned', partition: '0000000000000001', label: 'stdin', from: 0 });
          expect(events.at(-1)).toEqual({ kind: 'finished', partition: '0000000000000001', position: text.length });
          expect(problemsOf(events)).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a live line is delivered as soon as its line feed is there, with the time it came, and then nothing more is said to be waiting', async () => {
    const pipe = new PassThrough();
    const events = source(pipe, true).events(new AbortController().signal)[Symbol.asyncIterator]();
    const next = async (): Promise<SourceEvent | undefined> => {
      const { value, done } = await events.next();
      return done === true ? undefined : value;
    };
    const first = next();
    pipe.write('one\ntw');
    expect(await first).toMatchObject({ kind: 'assigned', head: new Uint8Array(Buffer.from('one\ntw')) });
    expect(await next()).toMatchObject({ kind: 'block', offset: 0, receivedAt: 5000, bytes: Buffer.from('one\n') });
    expect(await next()).toMatchObject({ kind: 'caught_up', position: 4 });
    const second = next();
    pipe.write('o\n');
    expect(await second).toMatchObject({ kind: 'block', offset: 4, bytes: Buffer.from('two\n') });
    expect(await next()).toMatchObject({ kind: 'caught_up', position: 8 });
    pipe.end('last');
    expect(await next()).toMatchObject({ kind: 'caught_up', position: 8 });
    expect(await next()).toMatchObject({ kind: 'block', offset: 8, bytes: Buffer.from('last') });
    expect(await next()).toMatchObject({ kind: 'finished', position: 12 });
    expect(await next()).toBeUndefined();
  });

  test('nothing, a program, cut data and a broken pipe are one line each', async () => {
    expect(problemsOf(await collect(source(Readable.from([]))))).toEqual(['stdin: is empty: nothing to read']);
    expect(problemsOf(await collect(source(Readable.from([Buffer.from('\x7fELF\x01\x02\0\0\0', 'latin1')]))))).toEqual(['stdin: is not a text file']);
    const cut = await collect(source(Readable.from([gzipSync('a line\n'.repeat(900)).subarray(0, 30)])));
    expect(problemsOf(cut)).toEqual(['stdin: ends in the middle of its compressed data: what could be read is counted']);
    const broken = new PassThrough();
    const reading = collect(source(broken));
    broken.write('one\n');
    setImmediate(() => broken.destroy(Object.assign(new Error('the disk is gone'), { code: 'EIO' })));
    const events = await reading;
    expect(problemsOf(events)).toEqual(['stdin: the disk reports a read error: check it and its cable or volume']);
    expect(textOf(events)).toBe('one\n');
    expect(events.at(-1)).toMatchObject({ kind: 'finished', position: 4 });
  });

  test('it ends at once when told to, though the pipe stays open', async () => {
    const pipe = new PassThrough();
    const stop = new AbortController();
    pipe.write('one\n');
    const kinds: string[] = [];
    for await (const event of source(pipe).events(stop.signal)) {
      kinds.push(event.kind);
      if (event.kind === 'caught_up') stop.abort();
    }
    expect(kinds).toEqual(['assigned', 'block', 'caught_up']);
    const disposed = source(new PassThrough());
    const reading = collect(disposed);
    await disposed[Symbol.asyncDispose]();
    expect(await reading).toEqual([]);
  });
});
