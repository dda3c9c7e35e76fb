import { z } from 'zod';
import { Secret } from '../../../core/secret.ts';
import { SEVERITIES } from '../../../core/types.ts';
import { SLACK_MIN_SEVERITY } from '../../route.ts';

/** One Slack channel, by incoming webhook. The URL is a secret: whoever has it can post. */
export const slackConfig = z.strictObject({
  webhookUrl: z
    .instanceof(Secret, { error: 'give the webhook URL as {file: …} or {env: …}' })
    .refine((url) => isPostUrl(url.reveal()), { error: 'not an https:// URL of an incoming webhook (http:// only to this machine)' }),
  /** Alerts below it are told in the digest only. */
  minSeverity: z.enum(SEVERITIES).default(SLACK_MIN_SEVERITY),
  /** Milliseconds that Slack gets to answer. */
  timeoutMs: z.int().min(100).max(25_000).default(10_000),
});
export type SlackConfig = z.infer<typeof slackConfig>;

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

function isPostUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.includes(url.hostname));
}
