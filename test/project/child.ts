import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A child process under test, with what it wrote so far. */
export type Child = {
  readonly process: ChildProcess;
  output(): string;
  /** Resolves when stdout and stderr together contain `text`, rejects when the child ends without it. */
  says(text: string): Promise<void>;
  end(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly output: string }>;
};

export function startChild(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string } = {},
): Child {
  const child = spawn(command, [...args], { cwd: options.cwd, env: options.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.stdin.end(options.input ?? '');
  const closed = once(child, 'close');
  return {
    process: child,
    output: () => output,
    says: (text) =>
      new Promise((resolve, reject) => {
        const listener = (): void => {
          if (output.includes(text)) resolve();
        };
        listeners.add(listener);
        listener();
        void closed.then(() => reject(new Error(`ended without saying ${JSON.stringify(text)}: ${output}`)));
      }),
    end: async () => {
      await closed;
      return { code: child.exitCode, signal: child.signalCode, output };
    },
  };
}

/** A new folder whose path has a space in it; gone when disposed. */
export function temporaryFolder(): Disposable & { readonly path: string; write(name: string, text: string, mode?: number): void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'key watch ')));
  return {
    path,
    write: (name, text, mode = 0o644) => {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text, { mode });
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
