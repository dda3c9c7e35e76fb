import { z } from 'zod';
import type { Alert } from '../../core/alert.ts';
import { isoTime } from './time.ts';

/** One alert: `analyze --json`, `alerts list --json`. */
export const alertSchema = z.strictObject({
  id: z.string().describe('Stable over restarts.'),
  rule: z.string(),
  entity: z.string().describe('The same text as `id` of a key; `network:<cidr>` for a client network.'),
  severity: z.enum(['info', 'low', 'medium', 'high', 'critical']),
  score: z.number().min(0).max(100),
  start: z.iso.datetime().describe('Start of the first window over the limit, RFC 3339, UTC.'),
  end: z.iso.datetime().nullable().describe('When it was resolved; null while it is not.'),
  state: z.enum(['pending', 'firing', 'acknowledged', 'recovering', 'resolved', 'archived']),
  why: z.string().describe('One sentence.'),
  observed: z.number().describe('In the unit of the rule: requests, share 0..1, bytes, failures, credentials.'),
  expected: z.number().describe('The limit, or the middle of the expected band.'),
});
export type AlertJson = z.infer<typeof alertSchema>;

export function alertJson(alert: Alert): AlertJson {
  return {
    id: alert.id,
    rule: alert.rule,
    entity: alert.entity,
    severity: alert.severity,
    score: alert.score,
    start: isoTime(alert.startedAt),
    end: isoTime(alert.resolvedAt),
    state: alert.state,
    why: alert.finding.why,
    observed: alert.finding.observed,
    expected: alert.finding.expected,
  };
}
