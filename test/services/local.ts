import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { type Runner, ended } from './server.ts';

export type LocalOptions = {
  readonly program: string;
  readonly args: readonly string[];
  /** Everything it stores, and its log; removed at the end. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whom to run it as; default the user of the tests. */
  readonly account?: Account | undefined;
};

const STOP_MS_MAX = 60_000;

/** A server as a process group of its own, so that its helpers end with it. It does not outlive these tests, even if they are killed. */
export function local(options: LocalOptions): Runner {
  const { program, args, folder, env = {}, account } = options;
  const logPath = join(folder, 'server.log');
  let child: ChildProcess | undefined;
  let guard: ChildProcess | undefined;

  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    if (child?.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // The group is gone.
    }
  };
  const end = async (how: 'orderly' | 'at once'): Promise<void> => {
    if (child === undefined) return;
    // While somebody waits for its end this process must not run out of things to do.
    child.ref();
    signal('SIGCONT');
    if (isRunning() && how === 'orderly') {
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), STOP_MS_MAX);
      await ended(child);
      clearTimeout(timer);
    }
    // Always: a helper may be left of a leader that is gone.
    signal('SIGKILL');
    await ended(child);
    guard?.kill('SIGKILL');
    child = undefined;
    guard = undefined;
  };

  return {
    isRunning,
    end,
    start: async () => {
      const log = await open(logPath, 'a');
      try {
        child = spawn(program, args, {
          cwd: folder,
          env: { ...process.env, ...env },
          detached: true,
          stdio: ['ignore', log.fd, log.fd],
          ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
        });
        await new Promise<void>((resolve, reject) => child?.once('spawn', resolve).once('error', reject));
      } finally {
        await log.close();
      }
      guard = guardOf(child, folder);
    },
    freeze: () => Promise.resolve(signal('SIGSTOP')),
    thaw: () => Promise.resolve(signal('SIGCONT')),
    log: () => readFile(logPath, 'utf8').catch(() => ''),
    remove: async () => {
      await end('at once');
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/**
 * Tests can be killed, or run out of memory, and then stop nothing. This shell waits for the end of its input, which
 * comes with the end of the process that holds the other end, and stops the server.
 */
function guardOf(child: ChildProcess, folder: string): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read -r never; kill -9 -- "-$1"; sleep 1; rm -rf -- "$2"', 'keywatch-test-guard', String(child.pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.stdin.on('error', () => {
    // It was ended with the server.
  });
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  child.unref();
  return guard;
}
