import { z } from 'zod';
import { type ChannelTarget, PROGRAM_FIELDS, type SettingFields, isSafeUrl, targetOf } from '../channel.ts';

/** What a Slack user may do by buttons. */
export const SLACK_ROLES = ['viewer', 'operator', 'admin'] as const;
export type SlackRole = (typeof SLACK_ROLES)[number];

/** `U0123…`, `W0123…` a person · `S0123…` a user group · `here`, `channel`. */
const MENTION = /^(?:[UWS][A-Z0-9]{2,}|here|channel)$/;
const USER = /^[UW][A-Z0-9]{2,}$/;
const CHANNEL = /^[CGD][A-Z0-9]{2,}$/;

/** By incoming webhook, or with a bot token: then there are threads, the first post is kept up to date, and buttons. */
export function slackFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    webhookUrl: fields.secret('The incoming webhook; whoever has it can post.').optional(),
    bot: z
      .strictObject({
        token: fields.secret('The bot token (xoxb-…) with the scope chat:write.'),
        channel: z
          .string()
          .regex(CHANNEL, { error: 'expected the id of a channel such as C0123ABCD; Slack shows it at the end of “About” of the channel' })
          .describe('Id of the channel; the bot must be a member.'),
        signingSecret: fields.secret('Checks that a click comes from Slack. Without it there are no buttons that act.').optional(),
        users: z
          .record(z.string().regex(USER, { error: 'expected the id of a Slack user such as U0123ABCD' }), z.enum(SLACK_ROLES))
          .describe('Who may do what by buttons: Slack user id to viewer, operator or admin. Who is not listed may nothing.')
          .prefault({}),
        apiUrl: z
          .string()
          .refine(isSafeUrl, { error: 'expected an https:// address' })
          .describe('Where the Slack API is; another one for GovSlack.')
          .prefault('https://slack.com/api'),
      })
      .describe('Posts with a bot token instead of a webhook: threads, one living message, buttons.')
      .optional(),
    mention: z
      .array(z.string().regex(MENTION, { error: 'expected a user id (U…), a group id (S…), here or channel' }))
      .max(10)
      .describe('Who is mentioned when an alert escalates.')
      .prefault([]),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '10s' }),
  };
}

/** One Slack channel. The URL and the token are secrets: whoever has them can post. */
export const slackConfig = z
  .strictObject(slackFields(PROGRAM_FIELDS))
  .refine((config) => (config.webhookUrl === undefined) !== (config.bot === undefined), { error: 'give exactly one of webhookUrl and bot' })
  .refine((config) => config.webhookUrl === undefined || isSafeUrl(config.webhookUrl.reveal()), {
    error: 'not an https:// URL of an incoming webhook (http:// only to this machine)',
    path: ['webhookUrl'],
  });
export type SlackConfig = z.infer<typeof slackConfig>;
export type SlackBotConfig = NonNullable<SlackConfig['bot']>;

export function slackTargets(config: SlackConfig): readonly ChannelTarget[] {
  return [targetOf(config.webhookUrl === undefined ? (config.bot?.apiUrl ?? '') : config.webhookUrl.reveal())];
}
