import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { SourceEvent } from '../../../core/ports.ts';
import { problemsOf, tempDirectory } from './support.ts';

const run = promisify(execFile);

async function inChild(command: 'once' | 'follow', directory: string): Promise<(SourceEvent | string)[]> {
  const { stdout } = await run(process.execPath, [fileURLToPath(new URL('unreadable.ts', import.meta.url)), command, directory]);
  return JSON.parse(stdout) as (SourceEvent | string)[];
}

function events(result: readonly (SourceEvent | string)[]): SourceEvent[] {
  return result.filter((item) => typeof item !== 'string');
}

describe('files that may not be read', () => {
  test('one line for each file and directory, and the rest is read', async () => {
    using directory = tempDirectory();
    chmodSync(directory.root, 0o755);
    mkdirSync(directory.path('closed'));
    writeFileSync(directory.path('closed/a.log'), 'closed\n');
    writeFileSync(directory.path('open.log'), 'open\n');
    writeFileSync(directory.path('secret.log'), 'secret\n');
    chmodSync(directory.path('secret.log'), 0o600);
    chmodSync(directory.path('closed'), 0o700);
    // Without root the owner takes the rights from himself.
    if (process.getuid?.() !== 0) for (const name of ['secret.log', 'closed']) chmodSync(directory.path(name), 0);
    const found = events(await inChild('once', directory.root));
    expect(problemsOf(found, directory.root).sort()).toEqual([
      'closed/*.log: the directory closed: permission denied: give the user who runs keywatch the right to read it',
      'closed: permission denied: give the user who runs keywatch the right to read it',
      'secret.log: permission denied: give the user who runs keywatch the right to read it',
    ]);
    expect(found.filter(({ kind }) => kind === 'finished')).toHaveLength(1);
    if (process.getuid?.() !== 0) chmodSync(directory.path('closed'), 0o700);
  });

  test('a followed file is told once when it cannot be read and once when it can, and then read from its beginning', async () => {
    using directory = tempDirectory();
    chmodSync(directory.root, 0o755);
    writeFileSync(directory.path('secret.log'), 'secret\n');
    chmodSync(directory.path('secret.log'), process.getuid?.() === 0 ? 0o600 : 0);
    const result = await inChild('follow', directory.root);
    expect(problemsOf(events(result), directory.root)).toEqual([
      'secret.log: permission denied: give the user who runs keywatch the right to read it',
      'secret.log: can be read again',
    ]);
    expect(result.filter((item) => typeof item === 'string')).toEqual(['secret']);
  });
});
