import { EMAIL_MIN_SEVERITY } from '../../route.ts';
import { channelKind } from '../channel.ts';
import { pagerdutyConfig, pagerdutyFields, pagerdutyTargets } from './config.ts';
import { PagerdutyNotifier } from './notifier.ts';

export const pagerdutyChannel = channelKind({
  kind: 'pagerduty',
  summary: 'PagerDuty, by its Events API v2.',
  minSeverity: EMAIL_MIN_SEVERITY,
  hasDigest: false,
  fields: pagerdutyFields,
  config: pagerdutyConfig,
  targets: pagerdutyTargets,
  open: (config, { name, clock, cards }) => new PagerdutyNotifier(config, { name, now: () => clock.now(), cards }),
  advice: 'look at the integration key: it must be one of the Events API v2',
});
