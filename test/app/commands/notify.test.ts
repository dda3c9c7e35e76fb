import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../../../app/commands/notify.ts';
import { systemClock } from '../../../core/clock.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';

let receiver: HttpReceiver;
let folder: string;
beforeAll(async () => {
  receiver = await new HttpReceiver().listen();
  folder = mkdtempSync(join(tmpdir(), 'keywatch-notify-'));
  writeFileSync(join(folder, 'keywatch.yml'), 'alerts: { channels: { slack: [{ name: api-alerts, webhookUrl: { env: HOOK } }] } }\n');
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function notify(...args: readonly string[]): Promise<string> {
  const stdout = new PassThrough();
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: { HOOK: `${receiver.origin}/very-secret` }, clock: systemClock };
  const text = (): string => ((stdout.read() as Buffer | null) ?? Buffer.alloc(0)).toString();
  try {
    await command(io)
      .exitOverride()
      .parseAsync([...args, '-c', join(folder, 'keywatch.yml')], { from: 'user' });
  } catch (error) {
    return `${text()}! ${String(error)}`;
  }
  return text();
}

describe('keywatch notify test', () => {
  test('sends one message that says it is a test', async () => {
    expect(await notify('test', 'api-alerts')).toBe('api-alerts (slack) took a sample message\n');
    expect(receiver.posts).toHaveLength(1);
    expect(receiver.posts[0]?.body).toContain('This is a test message from keywatch notify test. No key misbehaved');
    expect(JSON.parse(await notify('test', 'api-alerts', '--json'))).toEqual({ channel: 'api-alerts', kind: 'slack', sent: true });
  });

  test('a refusal ends with the reason and what to do, for programs too, and without the address', async () => {
    receiver.answer = (response, { path }) => void response.writeHead(404).end(`no_service ${path}`);
    const said = await notify('test', 'api-alerts');
    expect(said).toContain('api-alerts did not take a sample message: Slack answered HTTP 404: no_service <secret>; make a new webhook');
    const json = await notify('test', 'api-alerts', '--json');
    expect(JSON.parse(json.slice(0, json.indexOf('\n')))).toEqual({
      channel: 'api-alerts',
      kind: 'slack',
      sent: false,
      reason: 'Slack answered HTTP 404: no_service <secret>',
      retryable: false,
    });
    expect(said + json).not.toContain('very-secret');
  });

  test('a name that is not there is refused with those that are', async () => {
    expect(await notify('test', 'api-alert')).toContain("there is no channel 'api-alert'");
    expect(await notify('test', 'api-alert')).toContain('the channels are api-alerts');
  });
});
