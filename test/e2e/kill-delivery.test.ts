import { appendFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../core/alert.ts';
import { openJournal } from '../../storage/sqlite/journal.ts';
import { HttpReceiver, type ReceivedPost } from '../support/http-receiver.ts';
import { type Command, keywatch, scratch } from './support/command.ts';
import { combinedLine } from './support/lines.ts';

/** Over the critical limit of 1,000 requests a minute, in one second of it. */
const BREACH = 1200;

/** What the journal says of one kind of message: how many rows there are, and how many of them were sent, how often. */
async function told(directory: string): Promise<{ readonly fired: readonly string[]; readonly sent: readonly string[] }> {
  const entries: JournalEntry[] = [];
  await using journal = await openJournal({ directory, readOnly: true });
  for await (const entry of journal.entries(0)) entries.push(entry);
  const fired = entries.flatMap(({ outbox }) => outbox.filter(({ kind }) => kind === 'fired').map(({ id }) => id));
  const sent = entries.flatMap(({ deliveries }) => deliveries.filter(({ result, row }) => result === 'sent' && fired.includes(row)).map(({ row }) => row));
  return { fired, sent };
}

/** The id of the alert, as people see it. */
function alertOf({ body }: ReceivedPost): string {
  return /Alert `([^`]+)`/.exec(body)?.[1] ?? '';
}

function titleOf({ body }: ReceivedPost): string {
  return (JSON.parse(body) as { text: string }).text;
}

/** A folder with a log and a configuration whose only channel is a webhook at `origin`. */
function installed(origin: string): ReturnType<typeof scratch> & { start(): Command; readonly data: string; breach(): void } {
  const folder = scratch();
  folder.write('webhook', `${origin}/services/T0/B0/x`);
  folder.write('access.log', combinedLine(1));
  const config = folder.write(
    'keywatch.yml',
    'sources: [{ file: access.log }]\nalerts: { survey: 0, channels: { slack: [{ name: slack, webhookUrl: { file: webhook } }] } }\n',
  );
  const data = folder.join('data');
  return {
    ...folder,
    data,
    start: () => keywatch(['run', '-c', config, '--data-dir', data], { cwd: folder.path }),
    breach: () => {
      const at = Date.now() - 2000;
      appendFileSync(folder.join('access.log'), Array.from({ length: BREACH }, (_, i) => combinedLine(i, { at, key: 'a-busy-key-not-real' })).join(''));
    },
  };
}

describe('kill -9 between a critical breach and its delivery', () => {
  test('while Slack has the message and has not answered: it comes again under the same id, and is recorded as sent once', async () => {
    await using slack = await new HttpReceiver().listen();
    const arrived = Promise.withResolvers<undefined>();
    slack.answer = () => arrived.resolve(undefined);
    using folder = installed(slack.origin);
    await using first = folder.start();
    await first.says('watching');
    folder.breach();
    await arrived.promise;
    await first.stop('SIGKILL');
    const before = await told(folder.data);
    expect(before.fired).toHaveLength(1);
    expect(before.sent).toEqual([]);

    slack.answer = (response) => void response.end('ok');
    await using second = folder.start();
    await second.says('told slack: fired');
    expect(await second.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(slack.posts.map(titleOf).every((title) => title.includes('FIRING'))).toBe(true);
    expect(slack.posts).toHaveLength(2);
    expect(new Set(slack.posts.map(alertOf)).size).toBe(1);
    expect(await told(folder.data)).toEqual({ fired: before.fired, sent: before.fired });

    // Whoever starts after that has nothing to say.
    await using third = folder.start();
    await third.says('watching');
    folder.breach();
    await third.stop('SIGKILL');
    await using fourth = folder.start();
    await fourth.says('watching');
    expect(await fourth.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(slack.posts).toHaveLength(2);
    expect(await told(folder.data)).toEqual({ fired: before.fired, sent: before.fired });
  });

  test('while Slack cannot be reached: nothing is lost, and once it is back it hears of it once', async () => {
    const port = await freePort();
    using folder = installed(`http://127.0.0.1:${port}`);
    await using first = folder.start();
    await first.says('watching');
    folder.breach();
    await first.says('did not take a message (retry)');
    await first.stop('SIGKILL');
    await using second = folder.start();
    await second.says('did not take a message (retry)');
    await second.stop('SIGKILL');

    await using slack = await new HttpReceiver().listen(port);
    await using third = folder.start();
    await third.says('told slack: fired');
    expect(await third.stop('SIGTERM')).toMatchObject({ code: 0 });
    const after = await told(folder.data);
    expect(after.fired).toHaveLength(1);
    expect(after.sent).toEqual(after.fired);
    const firing = slack.posts.filter((post) => titleOf(post).includes('FIRING'));
    expect(firing).toHaveLength(1);
    expect(alertOf(firing[0] ?? { path: '', headers: {}, body: '' })).not.toBe('');
  });

  test('at any moment around the breach, again and again: one alert, told at least once, recorded as sent once', async () => {
    await using slack = await new HttpReceiver().listen();
    using folder = installed(slack.origin);
    // Each moment is what the process says then, or what the receiver sees.
    const moments = ['watching', 'critical firing', 'watching', 'watching'] as const;
    let isBreached = false;
    for (const moment of moments) {
      await using run = folder.start();
      await run.says('watching');
      if (!isBreached) folder.breach();
      isBreached = true;
      if (moment !== 'watching') await run.says(moment);
      await run.stop('SIGKILL');
    }
    await using last = folder.start();
    await last.says('watching');
    while ((await told(folder.data)).sent.length === 0) await last.says(/told slack: fired/).catch(() => undefined);
    expect(await last.stop('SIGTERM')).toMatchObject({ code: 0 });
    const { fired, sent } = await told(folder.data);
    expect(fired).toHaveLength(1);
    expect(sent).toEqual(fired);
    expect(new Set(slack.posts.map(alertOf)).size).toBe(1);
    expect(slack.posts.length).toBeGreaterThan(0);
  });
});

/** A port of loopback on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
