import type { RuleInfo, ThresholdRule } from './rule.ts';
import { dataTransfer } from './threshold/data-transfer.ts';
import { entityLimit } from './threshold/entity-limit.ts';
import { errorRate } from './threshold/error-rate.ts';
import { failedAuth } from './threshold/failed-auth.ts';
import { guessing } from './threshold/guessing.ts';
import { requestRate } from './threshold/request-rate.ts';

/** In the order in which they are listed and in which the findings of one minute come. */
export const THRESHOLD_RULES: readonly ThresholdRule[] = [requestRate, errorRate, dataTransfer, failedAuth, guessing, entityLimit];

/** Every rule there is. The configuration knows no other id. */
export const RULES: readonly RuleInfo[] = THRESHOLD_RULES;

export const ruleIds: readonly string[] = RULES.map((rule) => rule.id);
