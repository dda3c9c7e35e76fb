import { SLACK_MIN_SEVERITY } from '../../route.ts';
import { channelKind } from '../channel.ts';
import { slackConfig, slackFields, slackTargets } from './config.ts';
import { SlackBotNotifier } from './bot.ts';
import { SlackWebhookNotifier } from './webhook.ts';

export const slackChannel = channelKind({
  kind: 'slack',
  summary: 'A Slack channel, by incoming webhook or with a bot token.',
  minSeverity: SLACK_MIN_SEVERITY,
  hasDigest: true,
  fields: slackFields,
  config: slackConfig,
  targets: slackTargets,
  open: ({ webhookUrl, bot, ...rest }, { name, clock, cards, notes }) => {
    const now = () => clock.now();
    if (bot !== undefined) return new SlackBotNotifier({ ...rest, bot }, { name, now, notes, cards });
    if (webhookUrl === undefined) throw new Error('BUG: a Slack channel with neither a webhook nor a bot');
    return new SlackWebhookNotifier({ ...rest, webhookUrl }, { name, now, cards });
  },
  advice: 'make a new webhook in Slack if this one was removed; a bot must be a member of the channel',
});
