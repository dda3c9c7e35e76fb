import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { SlackRole } from '../../../alerts/notify/slack/config.ts';
import { parseSlackAction, verifySlackRequest } from '../../../alerts/notify/slack/interactivity.ts';
import type { OperatorCommand } from '../../../core/operator.ts';
import type { Secret } from '../../../core/secret.ts';
import { refusal } from '../answer.ts';
import { notesOf, send } from '../server.ts';
import type { ApiContext } from './route.ts';

/** A Slack channel whose buttons lead here. */
export type SlackDoor = { readonly signingSecret: Secret; readonly users: Readonly<Record<string, SlackRole>> };

export const SLACK_PATH = '/v1/slack/actions';
const BODY_BYTES_MAX = 262_144;

/**
 * Clicks on buttons. Slack shows no token: its signature over the body, not older than five minutes, is the proof. The
 * command is stored before Slack is answered, well within its three seconds, and the judge does it after that.
 */
export function mountSlack(app: FastifyInstance, context: ApiContext, doors: () => readonly SlackDoor[], onProblem: (message: string) => void): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
  app.post(SLACK_PATH, async (request, reply) => {
    const body = typeof request.body === 'string' ? request.body : '';
    const [timestamp, signature] = [request.headers['x-slack-request-timestamp'], request.headers['x-slack-signature']];
    if (Array.isArray(timestamp) || Array.isArray(signature)) return send(reply, refusal(400, 'a header is there twice', 'send it once'));
    const now = context.clock.now();
    const door = doors().find(({ signingSecret }) => verifySlackRequest({ body, timestamp, signature }, { signingSecret, now }).ok);
    if (door === undefined)
      return send(
        reply,
        refusal(401, 'the signature of Slack is missing, wrong or old', 'set bot.signingSecret of the channel to that of the Slack app, and check the clock'),
      );
    const click = parseSlackAction(body, door.users);
    if (click.kind !== 'ok') {
      if (click.kind === 'drop') return reply.code(200).send();
      onProblem(`a click in Slack was not done: ${click.reason}`);
      // Slack shows this to the person who clicked, and to nobody else.
      return reply
        .code(200)
        .type('application/json')
        .send(`${JSON.stringify({ response_type: 'ephemeral', replace_original: false, text: click.reason })}\n`);
    }
    const { user, id, incident, act } = click.value;
    notesOf(request).sender = `slack:${user}`;
    const command: OperatorCommand = {
      ...act,
      target: incident,
      // A click that Slack delivers twice is one command.
      id: createHash('sha256').update(id).digest('hex').slice(0, 32),
      at: now,
      actor: { way: 'slack', name: user },
    };
    await context.operator.inbox.submit(command);
    return reply.code(200).send();
  });
}
