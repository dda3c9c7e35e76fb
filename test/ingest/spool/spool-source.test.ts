import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { SourceEvent } from '../../../core/ports.ts';
import { spoolSource } from '../../../ingest/spool/spool-source.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { tempDirectory } from '../source/support.ts';
import { linesOf, openWriter, readSpool } from './support.ts';

function pull(events: AsyncIterable<SourceEvent>): () => Promise<SourceEvent | undefined> {
  const iterator = events[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    return done === true ? undefined : value;
  };
}

describe('reading the spool', () => {
  test('an empty spool is assigned and waited at; an append of the same process is delivered when it is durable, without polling', async () => {
    using directory = tempDirectory();
    const clock = new VirtualClock(5000);
    await using writer = await openWriter(directory.root, {}, clock);
    const stop = new AbortController();
    const next = pull(spoolSource({ directory: directory.root, pollMs: 3_600_000 }, { clock, known: [], writer }).events(stop.signal));
    expect(await next()).toEqual({ kind: 'assigned', partition: writer.partition, label: 'http', from: 0, head: new Uint8Array(0) });
    expect(await next()).toEqual({ kind: 'caught_up', partition: writer.partition, position: 0 });
    const block = next();
    await clock.settle();
    await writer.append({ lines: linesOf('one', 'two'), count: 2 });
    // What follows within a few milliseconds is read together.
    await clock.advance(10);
    expect(await block).toMatchObject({ kind: 'block', receivedAt: 5000, bytes: Buffer.from('one\ntwo\n') });
    expect(await next()).toEqual({ kind: 'caught_up', partition: writer.partition, position: writer.end });
    const end = next();
    stop.abort();
    expect(await end).toBeUndefined();
  });

  test('the sample for format detection is the first lines that are to be read', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root);
    await writer.append({ lines: linesOf('one', 'two'), count: 2 });
    const whole = await readSpool(directory.root, { writer });
    expect(whole.events[0]).toMatchObject({ kind: 'assigned', head: new Uint8Array(linesOf('one', 'two')) });
    const second = await readSpool(directory.root, { writer, from: whole.lines[1]?.offset ?? 0 });
    expect(second.events[0]).toMatchObject({ kind: 'assigned', head: new Uint8Array(linesOf('two')) });
  });

  test('a spool that somebody else writes is found when it is begun and followed by looking; nothing of it is deleted', async () => {
    using directory = tempDirectory();
    const path = directory.path('later');
    const source = spoolSource({ directory: path, pollMs: 1 }, { clock: systemClock, known: [] });
    const next = pull(source.events(new AbortController().signal));
    const assigned = next();
    await using writer = await openWriter(path, { segmentBytes: 64 });
    expect(await assigned).toMatchObject({ kind: 'assigned', from: 0 });
    const texts: string[] = [];
    for (let i = 0; i < 20; i++) {
      await writer.append({ lines: linesOf(`line ${i}`), count: 1 });
      for (let event = await next(); event?.kind !== 'block' || void texts.push(Buffer.from(event.bytes).toString()); event = await next()) {
        expect(event?.kind).toBe('caught_up');
      }
    }
    expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i}\n`));
    await source.stored?.(writer.partition, { next: writer.end, isSealed: false });
    expect((await readSpool(path)).lines).toHaveLength(20);
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
  });

  test('a line that is too long is passed over with its length, and the lines around it keep their places', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root);
    await writer.append({ lines: linesOf('short', 'l'.repeat(200), 'end'), count: 3 });
    const { lines, events } = await readSpool(directory.root, { writer, lineBytesMax: 100 });
    expect(lines.map(({ text }) => text)).toEqual(['short', 'end']);
    const [first, last] = lines;
    expect(events.find(({ kind }) => kind === 'oversized')).toMatchObject({ offset: (first?.offset ?? 0) + 6, length: 201 });
    expect(last?.offset).toBe((first?.offset ?? 0) + 6 + 201);
  });

  test('it ends at once when told to, also while it waits', async () => {
    using directory = tempDirectory();
    await using writer = await openWriter(directory.root);
    const source = spoolSource({ directory: directory.root }, { clock: systemClock, known: [], writer });
    const next = pull(source.events(new AbortController().signal));
    await next();
    await next();
    const end = next();
    await source[Symbol.asyncDispose]();
    expect(await end).toBeUndefined();
  });
});
