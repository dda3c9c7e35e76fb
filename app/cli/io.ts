import type { Readable, Writable } from 'node:stream';
import { type Clock, systemClock } from '../../core/clock.ts';

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
export type Input = Readable & { readonly isTTY?: boolean };

/** Everything a command may touch of the process it runs in, so that a test can run it inside its own. */
export type Io = {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
};

export const processIo: Io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env, clock: systemClock };

/** Columns to fit a report into: the terminal's, else COLUMNS, else no limit (a pipe or a file). */
export function widthOf(io: Io, stream: Output = io.stdout): number {
  const given = Number(io.env['COLUMNS']);
  if (stream.isTTY === true) return stream.columns ?? (given > 0 ? given : 80);
  return Number.isInteger(given) && given > 0 ? given : Number.POSITIVE_INFINITY;
}

/** Writes and waits when the reader is slow, so that a long report never piles up in memory. */
export async function write(stream: Output, text: string): Promise<void> {
  if (stream.write(text) || stream.destroyed || stream.writableEnded) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    stream.on('drain', done).on('close', done).on('error', done);
  });
}
