import { channelKind } from '../channel.ts';
import { splunkConfig, splunkFields, splunkTargets } from './config.ts';
import { SplunkNotifier } from './notifier.ts';

export const splunkChannel = channelKind({
  kind: 'splunk',
  summary: 'Splunk, by its HTTP Event Collector: messages, and every finding, alert, incident and audit record.',
  minSeverity: 'info',
  hasDigest: false,
  fields: splunkFields,
  config: splunkConfig,
  targets: splunkTargets,
  open: (config, { name, clock }) => new SplunkNotifier(config, { name, clock }),
  advice: 'check the token, that it is enabled, and that it may write to the index',
});
