import type { Severity } from '../core/types.ts';

/** What channels hear of unless routes say otherwise. Slack hears warnings; mail is for what must not be overlooked. */
export const SLACK_MIN_SEVERITY: Severity = 'medium';
export const EMAIL_MIN_SEVERITY: Severity = 'high';
