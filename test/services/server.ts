import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** One server under test. It keeps port and data until it is disposed of, whatever happens to its process. */
export interface Server extends AsyncDisposable {
  readonly port: number;
  /** Asks it to end, as an operator would, and waits until it has. */
  stop(): Promise<void>;
  /** Ends it at once (kill -9). */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, after stopping it if it still runs; resolves when it answers. */
  restart(): Promise<void>;
  /** Freezes it: connections stay open and nothing is answered (SIGSTOP). */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** What it logged so far. */
  log(): Promise<string>;
}

/** A way to run a server: as a process of this machine, or as a container. */
export interface Runner {
  start(): Promise<void>;
  isRunning(): boolean | Promise<boolean>;
  end(how: 'orderly' | 'at once'): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  log(): Promise<string>;
  /** Ends it and removes what it stored. */
  remove(): Promise<void>;
}

const READY_MS_MAX = 150_000;

/** Starts `runner` and waits until `answers` is true; what comes back does so after every restart. */
export async function serve(options: {
  readonly name: string;
  readonly port: number;
  readonly runner: Runner;
  readonly answers: () => Promise<boolean>;
  /** Nobody needs it any more: a start that is under way ends too. */
  readonly signal?: AbortSignal | undefined;
}): Promise<Server> {
  const { name, port, runner, answers, signal } = options;
  const start = async (): Promise<void> => {
    await runner.start();
    const started = performance.now();
    while (!(await answers())) {
      signal?.throwIfAborted();
      if (!(await runner.isRunning())) throw new Error(`${name} ended at its start:\n${lastLines(await runner.log())}`);
      if (performance.now() - started > READY_MS_MAX)
        throw new Error(`${name} does not answer on port ${port} after ${READY_MS_MAX / 1000} s:\n${lastLines(await runner.log())}`);
      await delay(100);
    }
  };
  const server: Server = {
    port,
    stop: () => runner.end('orderly'),
    kill: () => runner.end('at once'),
    restart: async () => {
      await runner.end('orderly');
      await start();
    },
    freeze: () => runner.freeze(),
    thaw: () => runner.thaw(),
    log: () => runner.log(),
    [Symbol.asyncDispose]: () => runner.remove(),
  };
  try {
    await start();
  } catch (error) {
    await runner.remove();
    throw error;
  }
  return server;
}

/** Resolves when the process is gone. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-15).join('\n');
}
