import { PassThrough, Readable, Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import type { Clock } from '../../../core/clock.ts';
import type { Io, Output } from '../../../app/cli/io.ts';
import { main } from '../../../app/main.ts';

/** A stream that keeps what is written to it; a terminal when `columns` is given. */
export function sink(columns?: number): { readonly stream: Output; readonly text: () => string } {
  let text = '';
  const stream: Output = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString('utf8');
        done();
      },
    }),
    // As a real terminal does, NO_COLOR included.
    columns === undefined ? {} : { isTTY: true, columns, getColorDepth: () => WriteStream.prototype.getColorDepth(process.env) },
  );
  return { stream, text: () => text };
}

export const NOW = Date.parse('2026-11-23T12:00:00Z');

/** A clock that stands still. */
export const stillClock: Clock = { now: () => NOW, monotonic: () => 0, sleep: async () => undefined };

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs the command line in this process. */
export async function runCli(
  argv: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly stdin?: string | undefined;
    readonly isTerminal?: boolean;
    readonly columns?: number;
    readonly clock?: Clock;
  } = {},
): Promise<Ran> {
  const stdout = sink(options.columns);
  const stderr = sink(options.columns);
  const stdin =
    options.isTerminal === true ? Object.assign(new PassThrough(), { isTTY: true }) : Readable.from(options.stdin === undefined ? [] : [options.stdin]);
  if (stdin instanceof PassThrough) stdin.end(options.stdin ?? '');
  const io: Io = { stdin, stdout: stdout.stream, stderr: stderr.stream, env: options.env ?? {}, clock: options.clock ?? stillClock };
  const code = await main(argv, io);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}
