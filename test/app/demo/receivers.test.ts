import { IncomingWebhook } from '@slack/webhook';
import { createTransport } from 'nodemailer';
import { describe, expect, test } from 'vitest';
import { startReceivers } from '../../../app/demo/receivers.ts';
import type { ReceivedMessage } from '../../../app/demo/types.ts';

describe('receivers on loopback', () => {
  test('a message of the Slack client arrives with its time and its lines', async () => {
    const told: ReceivedMessage[] = [];
    await using receivers = await startReceivers({ now: () => 1_234, onMessage: (message) => told.push(message) });
    await new IncomingWebhook(receivers.slackUrl).send({ text: 'short', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '*long*\nsecond' } }] });
    expect(told).toEqual([{ channel: 'slack', at: 1_234, subject: 'short', text: 'long\nsecond' }]);
    expect(receivers.messages).toEqual(told);
  });

  test('a mail of the mail client arrives with subject and text, and both receivers take many at a time', async () => {
    await using receivers = await startReceivers({ now: () => 5, onMessage: () => undefined });
    const mail = createTransport({ host: receivers.smtp.host, port: receivers.smtp.port, secure: false });
    const webhook = new IncomingWebhook(receivers.slackUrl);
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        await mail.sendMail({ from: 'k@example.test', to: 'o@example.test', subject: `mail ${index} ü`, text: `text ${index}`, html: '<b>x</b>' });
        await webhook.send(`slack ${index}`);
      }),
    );
    mail.close();
    expect(
      receivers.messages
        .filter((message) => message.channel === 'email')
        .map((message) => `${message.subject}: ${message.text}`)
        .sort((a, b) => a.localeCompare(b)),
    ).toEqual(Array.from({ length: 8 }, (_, index) => `mail ${index} ü: text ${index}`));
    expect(receivers.messages.filter((message) => message.channel === 'slack')).toHaveLength(8);
  });

  test('what is no message is refused as Slack would, and kept from nobody else', async () => {
    await using receivers = await startReceivers({ now: () => 0, onMessage: () => undefined });
    const post = async (path: string, body: string): Promise<number> => (await fetch(new URL(path, receivers.slackUrl), { method: 'POST', body })).status;
    expect(await post('/elsewhere', '{"text":"x"}')).toBe(404);
    expect(await post(new URL(receivers.slackUrl).pathname, 'no json')).toBe(400);
    expect(await post(new URL(receivers.slackUrl).pathname, '[]')).toBe(400);
    expect((await fetch(receivers.slackUrl)).status).toBe(405);
    expect(receivers.messages).toEqual([]);
  });

  test('they listen on loopback only, and after the end not at all', async () => {
    const receivers = await startReceivers({ now: () => 0, onMessage: () => undefined });
    expect(new URL(receivers.slackUrl).hostname).toBe('127.0.0.1');
    expect(receivers.smtp.host).toBe('127.0.0.1');
    await receivers[Symbol.asyncDispose]();
    await expect(fetch(receivers.slackUrl, { method: 'POST', body: '{}' })).rejects.toThrow('fetch failed');
  });
});
