import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const BIN = join(ROOT, 'bin/keywatch.mjs');

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly stdout: string; readonly stderr: string };

/** The command as people start it, in a process of its own: the build, where `npm test` has made one. */
export type Command = AsyncDisposable & {
  readonly process: ChildProcess;
  readonly pid: number;
  stderr(): string;
  /** Resolves when stderr holds `text`; rejects when the process ends without having said it. */
  says(text: string | RegExp): Promise<void>;
  end(): Promise<Ended>;
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<Ended>;
};

export type CommandOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** Text for stdin; 'open' leaves it open and empty, 'closed' starts without one. Nothing unless told. */
  readonly stdin?: string | { readonly kind: 'open' | 'closed' };
  readonly uid?: number;
  readonly cwd?: string;
  /** A program with arguments that is started before node, for instance a shell that sets a limit. */
  readonly under?: readonly [program: string, ...args: string[]];
};

/** No hand-over process in between: a signal reaches the program itself. */
export function keywatch(args: readonly string[], options: CommandOptions = {}): Command {
  const line = [...(options.under ?? []), process.execPath, BIN, ...args];
  const { stdin } = options;
  const stdio: StdioOptions = [typeof stdin === 'object' && stdin.kind === 'closed' ? 'ignore' : 'pipe', 'pipe', 'pipe'];
  const child = spawn(line[0] ?? '', line.slice(1), {
    stdio,
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', XDG_CACHE_HOME: CACHE, ...options.env },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  const text = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      text[name] += chunk.toString('utf8');
      for (const listener of listeners) listener();
    });
  }
  if (typeof stdin !== 'object') child.stdin?.end(stdin ?? '');
  child.stdin?.on('error', () => undefined);
  const closed = once(child, 'close');
  const end = async (): Promise<Ended> => {
    await closed;
    return { code: child.exitCode, signal: child.signalCode, ...text };
  };
  return {
    process: child,
    pid: child.pid ?? -1,
    stderr: () => text.stderr,
    says: (wanted) =>
      new Promise((resolve, reject) => {
        const listener = (): void => {
          if (typeof wanted === 'string' ? text.stderr.includes(wanted) : wanted.test(text.stderr)) {
            listeners.delete(listener);
            resolve();
          }
        };
        listeners.add(listener);
        listener();
        void closed.then(() => reject(new Error(`ended without saying ${String(wanted)}: ${text.stderr}${text.stdout}`)));
      }),
    end,
    stop: async (signal) => {
      child.kill(signal);
      return end();
    },
    // A test that failed leaves no process behind.
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await closed;
    },
  };
}

/** Compiled code of the command, shared by the tests of one run. */
const CACHE = join(tmpdir(), `keywatch-e2e-cache-${process.getuid?.() ?? 0}`);

/** Runs to the end. */
export function runKeywatch(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return keywatch(args, options).end();
}

/** A new folder whose path has a space in it; gone when disposed. */
export function scratch(): Disposable & { readonly path: string; join(...names: string[]): string; write(name: string, content: string | Uint8Array): string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'key watch e2e ')));
  return {
    path,
    join: (...names) => join(path, ...names),
    write: (name, content) => {
      const target = join(path, name);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
      return target;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
