import type { ThresholdRule } from './rule.ts';
import { dataTransfer } from './threshold/data-transfer.ts';
import { entityLimit } from './threshold/entity-limit.ts';
import { errorRate } from './threshold/error-rate.ts';
import { failedAuth } from './threshold/failed-auth.ts';
import { guessing } from './threshold/guessing.ts';
import { requestRate } from './threshold/request-rate.ts';

/** Every rule there is, in the order in which they are listed and in which the findings of one minute come. The configuration knows no other id. */
export const RULES: readonly ThresholdRule[] = [requestRate, errorRate, dataTransfer, failedAuth, guessing, entityLimit];

export const ruleIds: readonly string[] = RULES.map((rule) => rule.id);
