import { copyFileSync, mkdirSync, readdirSync, truncateSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { tempDirectory } from '../source/support.ts';
import { linesOf, openWriter, readSpool } from './support.ts';

/** Groups of requests that are sent at once, and where the copy of the last file is cut when the process is killed. */
const history = fc.array(
  fc.record({
    groups: fc.array(
      fc.array(fc.array(fc.string({ unit: fc.constantFrom('a', 'K', 'W', 'S', '1', '{'), maxLength: 30 }), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 4,
      }),
      {
        maxLength: 5,
      },
    ),
    /** Of the bytes of the last file that were never answered: what a kill in the middle of a write leaves. */
    torn: fc.array(fc.array(fc.string({ maxLength: 40, unit: 'grapheme-ascii' }), { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 5 },
);

describe('the spool', () => {
  test('whatever is sent, killed and started again, from any stored position exactly the accepted lines come out, in order, at their places', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 60, max: 600 }), fc.integer({ min: 64, max: 512 }), async (lives, fileBytes, segmentBytes) => {
        using directory = tempDirectory();
        const clock = new VirtualClock(1_000_000);
        const want: string[] = [];
        let count = 0;
        let current = directory.path('0');
        for (const [life, { groups, torn, cut }] of lives.entries()) {
          const writer = await openWriter(current, { segmentBytes: fileBytes }, clock);
          for (const group of groups) {
            await clock.advance(7);
            const requests = group.map((texts) => texts.map((text) => `${count++} ${clock.now()} ${text}`));
            const answers = await Promise.all(requests.map((texts) => writer.append({ lines: linesOf(...texts), count: texts.length })));
            expect(answers.every(({ ok }) => ok)).toBe(true);
            want.push(...requests.flat());
          }
          // One more write is under way when the process dies: a part of it is on the disk.
          const before = sizes(current);
          const lost = torn.map((texts) => writer.append({ lines: linesOf(...texts.map((text) => text.replaceAll(/[\n\r]/g, ' '))), count: 1 }));
          await Promise.all(lost);
          const killed = directory.path(String(life + 1));
          copyCut(current, killed, { before, cut });
          await writer[Symbol.asyncDispose]();
          current = killed;
        }
        const writer = await openWriter(current, { segmentBytes: fileBytes }, clock);
        const { lines, events } = await readSpool(current, { writer, segmentBytes });
        expect(lines.map(({ text }) => text)).toEqual(want);
        for (const { text, receivedAt } of lines) expect(text.split(' ')[1]).toBe(String(receivedAt));
        expect(events.filter(({ kind }) => kind === 'problem')).toEqual([]);
        // A block never reaches over the end of a segment with the start of a line.
        for (const event of events) {
          if (event.kind !== 'block') continue;
          const starts = lines.filter(({ offset }) => offset >= event.offset && offset < event.offset + event.bytes.length);
          expect(new Set(starts.map(({ offset }) => Math.floor(offset / segmentBytes))).size).toBe(1);
        }
        for (const [index, { offset }] of lines.entries()) {
          const again = await readSpool(current, { writer, segmentBytes, from: offset });
          expect(again.lines).toEqual(lines.slice(index));
          expect(again.events[0]).toMatchObject({ kind: 'assigned', from: offset, partition: writer.partition });
        }
        await writer[Symbol.asyncDispose]();
      }),
      { numRuns: 40 },
    );
  });

  test('the end of the spool cut at every single byte loses whole frames only, and what is appended afterwards follows', async () => {
    using directory = tempDirectory();
    const source = directory.path('source');
    const writer = await openWriter(source);
    const ends: number[] = [];
    for (let i = 0; i < 4; i++) {
      await writer.append({ lines: linesOf(`line ${i}`, `and ${i}`), count: 2 });
      ends.push(writer.end);
    }
    const [file = ''] = spoolFiles(source);
    for (let length = 0; length <= writer.end; length++) {
      const copy = directory.path(`cut-${length}`);
      copyAll(source, copy);
      truncateSync(join(copy, file), length);
      const whole = ends.filter((end) => end <= length).length;
      await using reopened = await openWriter(copy);
      expect(reopened.end).toBe(whole === 0 ? 0 : ends[whole - 1]);
      expect(statSync(join(copy, file)).size).toBe(reopened.end);
      expect(await reopened.append({ lines: linesOf('after'), count: 1 })).toMatchObject({ ok: true });
      const { lines } = await readSpool(copy, { writer: reopened });
      const want = Array.from({ length: whole }, (_, i) => [`line ${i}`, `and ${i}`]).flat();
      expect(lines.map(({ text }) => text)).toEqual([...want, 'after']);
    }
    await writer[Symbol.asyncDispose]();
  });
});

function spoolFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.spool'))
    .sort();
}

function sizes(directory: string): ReadonlyMap<string, number> {
  return new Map(spoolFiles(directory).map((name) => [name, statSync(join(directory, name)).size]));
}

function copyAll(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name));
}

/** As after a kill: what was answered is there, of the rest some first part; never a whole request that was not answered, so that `want` is exact. */
function copyCut(from: string, to: string, at: { readonly before: ReadonlyMap<string, number>; readonly cut: number }): void {
  copyAll(from, to);
  for (const name of spoolFiles(to)) {
    const path = join(to, name);
    const { size } = statSync(path);
    const kept = at.before.get(name) ?? 0;
    // At least one byte of what was not answered is gone. All of it went into one frame.
    if (size > kept) truncateSync(path, kept + Math.floor(at.cut * (size - kept - 1)));
  }
}
