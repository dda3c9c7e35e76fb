import type { ThresholdRule } from '../rule.ts';
import { count, counted, timeOfDay } from '../wording.ts';

/** Authentication or authorisation fails again and again. */
export const failedAuth: ThresholdRule = {
  id: 'failed_auth',
  family: 'threshold',
  description:
    'Authentication fails too often within an hour: for a key, a user or a client, or from one client network. A key of the inventory that is only ever refused is counted from what networks attempted.',
  formula: "401 + 403 (and the gateway's own refusals) over the last 60 minutes > limit",
  unit: 'failures',
  defaults: { warning: 10, critical: 50 },
  action: 'security audit',
  minutes: 60,
  subjects: ['key', 'user', 'client', 'network'],
  warningSeverity: 'medium',
  isAtLeast: false,
  isMonotone: true,
  isDistinct: false,
  basis: 'failures',
  value: (sums, entity) => sums.failed60[entity] as number,
  why: ({ observed, limit, window }) => `${counted(observed, 'failed authentication')} in the hour to ${timeOfDay(window.end)}, limit ${count(limit)}.`,
};
