import { createHmac } from 'node:crypto';
import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { SLACK_PATH, mountSlack } from '../../../../app/http/api/slack.ts';
import { ACTIONS } from '../../../../alerts/notify/slack/message.ts';
import { systemClock } from '../../../../core/clock.ts';
import { Secret } from '../../../../core/secret.ts';
import { Directory } from '../../../../keys/directory.ts';
import { memoryCommandInbox } from '../../../../storage/memory/command-inbox.ts';
import { memoryJournal } from '../../../../storage/memory/journal.ts';

test('a signed click of a listed user becomes one command in their name; any other click changes nothing', async () => {
  const inbox = memoryCommandInbox();
  const directory = new Directory({ keys: [], plans: {} });
  await using app = fastify();
  const context = {
    operator: { views: memoryJournal(), inbox, clock: systemClock },
    clock: systemClock,
    directory: () => directory,
    channels: () => [],
    waitMs: 0,
  };
  mountSlack(
    app,
    context,
    () => [{ signingSecret: new Secret('right'), users: { U012AB3CD: 'operator', U222AB3CD: 'viewer' } }],
    () => undefined,
  );
  const click = async (user: string, secret = 'right', ageSeconds = 0): Promise<number> => {
    const payload = {
      type: 'block_actions',
      user: { id: user },
      actions: [{ type: 'button', block_id: 'b', action_id: ACTIONS.acknowledge, value: 'INC-7', action_ts: '1.5' }],
    };
    const body = `payload=${encodeURIComponent(JSON.stringify(payload))}`;
    const timestamp = String(Math.floor(Date.now() / 1000) - ageSeconds);
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature };
    return (await app.inject({ method: 'POST', url: SLACK_PATH, headers, payload: body })).statusCode;
  };
  expect([await click('U012AB3CD', 'wrong'), await click('U012AB3CD', 'right', 400), await click('U222AB3CD'), await click('U333AB3CD')]).toEqual([
    401, 401, 200, 200,
  ]);
  expect(await inbox.pending()).toEqual([]);
  expect([await click('U012AB3CD'), await click('U012AB3CD')]).toEqual([200, 200]);
  expect(await inbox.pending()).toMatchObject([{ kind: 'acknowledge', target: 'INC-7', actor: { way: 'slack', name: 'U012AB3CD' } }]);
});
