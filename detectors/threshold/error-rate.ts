import type { Detail, ThresholdRule } from '../rule.ts';
import { count, percents, timeOfDay } from '../wording.ts';

/** Below so many requests a share says nothing: one failure of three is 33 %. */
export const ERROR_RATE_REQUESTS_MIN = 50;
/** A class of errors is named when it holds more than this share of them. */
const MOSTLY = 0.6;

/** A large share of a key's requests fails, for other reasons than authentication or throttling. */
export const errorRate: ThresholdRule = {
  id: 'error_rate',
  family: 'threshold',
  description: 'A large share of the requests of a key fails. 401, 403 and 429 do not count, nor do requests that the client gave up.',
  formula: `(4xx + 5xx - 401 - 403 - 429) / requests over the last 5 closed minutes > limit, from ${ERROR_RATE_REQUESTS_MIN} requests on`,
  unit: 'ratio',
  defaults: { warning: 0.05, critical: 0.1 },
  action: 'investigate',
  minutes: 5,
  subjects: ['key', 'user', 'client'],
  warningSeverity: 'medium',
  isAtLeast: false,
  isMonotone: false,
  isDistinct: false,
  basis: 'failures',
  value: (sums, entity) => {
    const requests = sums.requests5[entity] as number;
    return requests === 0 ? 0 : (sums.errors5[entity] as number) / requests;
  },
  isEnough: (sums, entity) => (sums.requests5[entity] as number) >= ERROR_RATE_REQUESTS_MIN,
  why: ({ observed, limit, requests, window, detail }) => {
    const [share, limitShare] = percents(observed, limit);
    return `${share} of ${count(requests)} requests in the 5 minutes to ${timeOfDay(window.end)} were errors, limit ${limitShare}${mostly(detail)}.`;
  },
};

function mostly(detail: Detail | undefined): string {
  if (detail === undefined) return '';
  const errors = detail.clientErrors + detail.serverErrors;
  if (detail.serverErrors > errors * MOSTLY) return ', mostly 5xx';
  if (detail.clientErrors > errors * MOSTLY) return ', mostly 4xx';
  return '';
}
