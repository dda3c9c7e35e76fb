import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tempDirectory } from '../../ingest/source/support.ts';
import { readSpool } from '../../ingest/spool/support.ts';
import { type Answer, send } from './support.ts';

const CHILD = fileURLToPath(new URL('./child/intake.ts', import.meta.url));
const KILLS = 6;
const SENDERS = 8;
const REQUESTS_PER_LIFE = 250;

type Child = AsyncDisposable & { readonly url: string; kill(): Promise<void> };

async function start(directory: string): Promise<Child> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the child ended with ${code}`)));
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { url: `http://127.0.0.1:${port}/v1/events`, kill, [Symbol.asyncDispose]: kill };
}

/** Undefined when the process was gone before it had answered. */
async function trySend(url: string, text: string, key: string | undefined): Promise<Answer | undefined> {
  try {
    return await send(url, { body: text, headers: key === undefined ? {} : { 'idempotency-key': key } });
  } catch {
    return undefined;
  }
}

describe('kill -9 of the process that accepts', () => {
  test('every request that was answered with 202 is in the spool once; one that is repeated with its key until it is answered counts once', async () => {
    using directory = tempDirectory();
    const path = directory.path('spool');
    /** By line: whether it was answered, and whether it had a key. */
    const sent = new Map<string, { readonly hasKey: boolean; readonly isAnswered: boolean }>();
    let unanswered: string[] = [];
    let next = 0;
    for (let life = 0; life <= KILLS; life++) {
      await using child = await start(path);
      const again = unanswered;
      unanswered = [];
      let answers = 0;
      let isOver = false;
      const sender = async (): Promise<void> => {
        while (!isOver) {
          const repeat = again.pop();
          if (repeat === undefined && life === KILLS) return;
          const line = repeat ?? JSON.stringify({ n: next++, text: 'x'.repeat(next % 300) });
          // Every third one has no key and is not sent again.
          const hasKey = repeat !== undefined || next % 3 !== 0;
          const answer = await trySend(child.url, line, hasKey ? `key-${line.slice(0, 20)}` : undefined);
          if (answer !== undefined) expect(answer.status).toBe(202);
          sent.set(line, { hasKey, isAnswered: answer !== undefined });
          if (answer === undefined) {
            if (hasKey) unanswered.push(line);
            return;
          }
          // In the middle of whatever the others are at.
          if (++answers === REQUESTS_PER_LIFE && life < KILLS) {
            isOver = true;
            await child.kill();
          }
        }
      };
      await Promise.all(Array.from({ length: SENDERS }, sender));
      unanswered.push(...again);
    }
    expect(unanswered).toEqual([]);
    const counts = new Map<string, number>();
    for (const { text } of (await readSpool(path)).lines) counts.set(text, (counts.get(text) ?? 0) + 1);
    let lost = 0;
    let doubled = 0;
    for (const [line, { hasKey, isAnswered }] of sent) {
      const count = counts.get(line) ?? 0;
      counts.delete(line);
      if (count > 1) doubled++;
      if (count === 0 && (isAnswered || hasKey)) lost++;
    }
    expect({ lost, doubled, madeUp: counts.size }).toEqual({ lost: 0, doubled: 0, madeUp: 0 });
    expect(sent.size).toBeGreaterThan(KILLS * REQUESTS_PER_LIFE * 0.9);
  });
});
