import type { ThresholdRule } from '../rule.ts';
import { count, counted, timeOfDay } from '../wording.ts';

/** Too many requests in one minute. */
export const requestRate: ThresholdRule = {
  id: 'request_rate',
  family: 'threshold',
  description: 'A key sends more requests in one minute than it may.',
  formula: 'requests in one minute > limit',
  unit: 'requests',
  defaults: { warning: 500, critical: 1000 },
  action: 'apply rate limiting',
  minutes: 1,
  subjects: ['key', 'user', 'client'],
  warningSeverity: 'medium',
  isAtLeast: false,
  isMonotone: true,
  isDistinct: false,
  basis: 'requests',
  value: (sums, entity) => sums.requests[entity] as number,
  why: ({ observed, limit, window }) => `${counted(observed, 'request')} in the minute from ${timeOfDay(window.start)}, limit ${count(limit)}.`,
};
