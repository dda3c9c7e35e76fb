import type { ThresholdRule } from '../rule.ts';
import { count, timeOfDay } from '../wording.ts';

/** One network tries many credentials: guessing or stuffing. One alert on the network, however many credentials. */
export const guessing: ThresholdRule = {
  id: 'guessing',
  family: 'threshold',
  description: 'Many different credentials fail to authenticate from one client network: somebody is guessing keys or trying stolen ones.',
  formula: 'distinct credentials that failed to authenticate from one network (/24 or /48) over the last 60 minutes >= limit',
  unit: 'credentials',
  defaults: { warning: 10, critical: 50 },
  action: 'block the network',
  minutes: 60,
  subjects: ['network'],
  warningSeverity: 'high',
  isAtLeast: true,
  isMonotone: true,
  isDistinct: true,
  basis: 'failures',
  value: (sums, entity) => sums.distinct60[entity] as number,
  why: ({ observed, limit, window, isExact }) =>
    `${isExact ? '' : 'About '}${count(observed)} different credentials failed to authenticate from this network in the hour to ${timeOfDay(window.end)}, limit ${count(limit)}.`,
};
