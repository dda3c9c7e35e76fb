import { SLACK_MIN_SEVERITY } from '../../route.ts';
import { channelKind } from '../channel.ts';
import { webhookConfig, webhookFields, webhookTargets } from './config.ts';
import { WebhookNotifier } from './notifier.ts';

export const webhookChannel = channelKind({
  kind: 'webhook',
  summary: 'A signed POST of JSON to a program of yours, in the form of Standard Webhooks.',
  minSeverity: SLACK_MIN_SEVERITY,
  hasDigest: false,
  fields: webhookFields,
  config: webhookConfig,
  targets: webhookTargets,
  open: (config, { name, clock }) => new WebhookNotifier(config, { name, now: () => clock.now() }),
  advice: 'look at what the receiver logged, and whether both sides have the same secret',
});
