import type { ChannelKind } from './channel.ts';
import { alertmanagerChannel } from './alertmanager/index.ts';
import { emailChannel } from './email/index.ts';
import { pagerdutyChannel } from './pagerduty/index.ts';
import { slackChannel } from './slack/index.ts';
import { splunkChannel } from './splunk/index.ts';
import { webhookChannel } from './webhook/index.ts';

/** Every kind of channel. A further one is a folder beside these and a line here. */
export const CHANNEL_KINDS: readonly ChannelKind[] = [slackChannel, emailChannel, webhookChannel, pagerdutyChannel, alertmanagerChannel, splunkChannel];

export function channelKindOf(kind: string): ChannelKind {
  const found = CHANNEL_KINDS.find((candidate) => candidate.kind === kind);
  if (found === undefined) throw new Error(`BUG: no such kind of channel: ${kind}`);
  return found;
}
