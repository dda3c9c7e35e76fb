import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPTS = {
  'write-batches': new URL('./child/write-batches.ts', import.meta.url),
  'read-totals': new URL('./child/read-totals.ts', import.meta.url),
  'without-rights': new URL('./child/without-rights.ts', import.meta.url),
} as const;
export type Script = keyof typeof SCRIPTS;

export type Child = { readonly process: ChildProcess; readonly lines: AsyncIterableIterator<string>; readonly ended: Promise<number | null> };

/** Starts one of `child/*.ts`; `under` is a shell prefix such as `ulimit -f 2000;`. */
export function startChild(name: Script, args: readonly string[], under = ''): Child {
  const script = fileURLToPath(SCRIPTS[name]);
  const child = spawn('bash', ['-c', `${under} exec "$0" "$@"`, process.execPath, script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  return { process: child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](), ended };
}

/** All that a child prints. */
export async function outputOf(name: Script, args: readonly string[]): Promise<string> {
  const child = startChild(name, args);
  child.process.stdin?.end();
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  await child.ended;
  return lines.join('\n');
}
