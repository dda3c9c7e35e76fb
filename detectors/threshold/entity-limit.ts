import type { ThresholdRule } from '../rule.ts';
import { counted, timeOfDay } from '../wording.ts';

/** More entities than `limits.entities` in one segment: some traffic can no longer be told apart. For the operator. */
export const entityLimit: ThresholdRule = {
  id: 'entity_limit',
  family: 'threshold',
  description:
    'A stretch of the log held more keys, clients or networks than limits.entities; what came after is counted together and cannot be judged one by one.',
  formula: 'requests in one minute that were counted together because limits.entities was reached > limit',
  unit: 'requests',
  defaults: { warning: 0 },
  action: 'raise limits.entities or block the source',
  minutes: 1,
  subjects: ['overflow'],
  warningSeverity: 'medium',
  isAtLeast: false,
  isMonotone: false,
  isDistinct: false,
  basis: 'none',
  value: (sums, entity) => sums.requests[entity] as number,
  why: ({ observed, window }) =>
    `Because limits.entities was reached, ${counted(observed, 'request')} in the minute from ${timeOfDay(window.start)} could not be told apart and nobody in them is judged.`,
};
