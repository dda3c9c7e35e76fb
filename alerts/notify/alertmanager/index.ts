import { SLACK_MIN_SEVERITY } from '../../route.ts';
import { channelKind } from '../channel.ts';
import { alertmanagerConfig, alertmanagerFields, alertmanagerTargets } from './config.ts';
import { AlertmanagerNotifier } from './notifier.ts';

export const alertmanagerChannel = channelKind({
  kind: 'alertmanager',
  summary: 'Prometheus Alertmanager, so that an on-call tree that is there is used.',
  minSeverity: SLACK_MIN_SEVERITY,
  hasDigest: false,
  fields: alertmanagerFields,
  config: alertmanagerConfig,
  targets: alertmanagerTargets,
  open: (config, { name, clock, cards, onProblem }) => new AlertmanagerNotifier(config, { name, now: () => clock.now(), cards, onProblem }),
  advice: 'check the address and its path before /api/v2, and the token where a proxy asks for one',
});
