import { z } from 'zod';
import { matchersText } from '../../alerts/matchers.ts';
import type { Why } from '../../alerts/why.ts';
import type { AuditRow, MessageRecord } from '../../core/alert.ts';
import { type Exception, type Incident, type Maintenance, type Silence, isInForce } from '../../core/incident.ts';
import { type CommandResult, actorText } from '../../core/operator.ts';
import type { EpochMs } from '../../core/types.ts';
import { isoTime } from './time.ts';

const time = z.iso.datetime();
const severity = z.enum(['info', 'low', 'medium', 'high', 'critical']);
const actor = z.string().describe('Who, and by which way: cli:ada, api:ci-bot, slack:U012AB3CD, or keywatch itself.');

export const matcherSchema = z.strictObject({
  label: z.string().describe('rule, severity, entity, kind, key (the label of the key), owner, plan, environment.'),
  op: z.enum(['=', '!=', '=~', '!~']).describe('Equal, not equal, the whole value fits the expression, does not fit it.'),
  value: z.string(),
});

export const incidentSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(['key', 'fleet']),
  entity: z.string(),
  label: z.string(),
  rule: z.string().nullable().describe('Of a fleet.'),
  state: z.enum(['firing', 'acknowledged', 'recovering', 'resolved', 'archived']),
  severity,
  score: z.number(),
  risk: z.number(),
  start: time,
  opened: time,
  changed: time,
  end: time.nullable(),
  reopens: z.int(),
  alerts: z.array(z.string()).describe('Ids, worst first; alertsTotal says how many there are.'),
  alertsTotal: z.int(),
  keys: z.int(),
  fleet: z.string().nullable(),
  acknowledged: z.strictObject({ by: actor, at: time, until: time, note: z.string().nullable() }).nullable(),
  resolution: z.strictObject({ cause: z.string(), reason: z.string().nullable(), by: actor.nullable(), note: z.string().nullable() }).nullable(),
  feedback: z.strictObject({ verdict: z.enum(['expected', 'false', 'true']), by: actor, at: time, note: z.string().nullable() }).nullable(),
  suppressed: z.int(),
});
export type IncidentJson = z.infer<typeof incidentSchema>;

export function incidentJson(incident: Incident): IncidentJson {
  const { acknowledged, resolution, feedback } = incident;
  return {
    id: incident.id,
    kind: incident.kind,
    entity: incident.lineage,
    label: incident.label,
    rule: incident.rule ?? null,
    state: incident.state,
    severity: incident.severity,
    score: incident.score,
    risk: incident.risk,
    start: isoTime(incident.startedAt),
    opened: isoTime(incident.openedAt),
    changed: isoTime(incident.changedAt),
    end: isoTime(incident.resolvedAt),
    reopens: incident.reopens,
    alerts: [...incident.alerts],
    alertsTotal: incident.alertsTotal,
    keys: incident.lineages,
    fleet: incident.fleet ?? null,
    acknowledged:
      acknowledged === undefined
        ? null
        : { by: actorText(acknowledged.actor), at: isoTime(acknowledged.at), until: isoTime(acknowledged.until), note: acknowledged.note ?? null },
    resolution:
      resolution === undefined
        ? null
        : {
            cause: resolution.cause,
            reason: resolution.reason ?? null,
            by: resolution.actor === undefined ? null : actorText(resolution.actor),
            note: resolution.note ?? null,
          },
    feedback:
      feedback === undefined ? null : { verdict: feedback.verdict, by: actorText(feedback.actor), at: isoTime(feedback.at), note: feedback.note ?? null },
    suppressed: incident.suppressed,
  };
}

/** A silence or a maintenance. */
export const overlaySchema = z.strictObject({
  id: z.string(),
  matchers: z.array(matcherSchema),
  what: z.string().describe('The matchers in words.'),
  start: time,
  end: time,
  by: actor,
  created: time,
  reason: z.string(),
  includeCritical: z.boolean(),
  endedAt: time.nullable(),
  endedBy: actor.nullable(),
  isInForce: z.boolean(),
});

export function overlayJson(overlay: Silence | Maintenance, now: EpochMs): z.infer<typeof overlaySchema> {
  return {
    id: overlay.id,
    matchers: [...overlay.matchers],
    what: matchersText(overlay.matchers),
    start: isoTime(overlay.startsAt),
    end: isoTime(overlay.endsAt),
    by: actorText(overlay.actor),
    created: isoTime(overlay.createdAt),
    reason: overlay.reason,
    includeCritical: overlay.includeCritical,
    endedAt: isoTime(overlay.endedAt),
    endedBy: overlay.endedBy === undefined ? null : actorText(overlay.endedBy),
    isInForce: isInForce(overlay, now),
  };
}

export const exceptionSchema = z.strictObject({
  id: z.string(),
  entity: z.string(),
  label: z.string(),
  rule: z.string(),
  upTo: z.number().describe('In the unit of the rule.'),
  until: time,
  reason: z.string(),
  by: actor,
  created: time,
  endedAt: time.nullable(),
  endedBy: actor.nullable(),
  isInForce: z.boolean(),
});

export function exceptionJson(exception: Exception, now: EpochMs): z.infer<typeof exceptionSchema> {
  return {
    id: exception.id,
    entity: exception.lineage,
    label: exception.label,
    rule: exception.rule,
    upTo: exception.upTo,
    until: isoTime(exception.until),
    reason: exception.reason,
    by: actorText(exception.actor),
    created: isoTime(exception.createdAt),
    endedAt: isoTime(exception.endedAt),
    endedBy: exception.endedBy === undefined ? null : actorText(exception.endedBy),
    isInForce: isInForce(exception, now),
  };
}

export const resultSchema = z.strictObject({
  id: z.string().describe('Of the command; GET /v1/commands/{id} answers the same.'),
  status: z.enum(['applied', 'refused', 'waiting']),
  reason: z.string().nullable(),
  made: z.string().nullable().describe('Id of the silence, maintenance or exception that was made.'),
  by: actor,
  at: time.nullable(),
});

export function resultJson(result: CommandResult): z.infer<typeof resultSchema> {
  return {
    id: result.id,
    status: result.status,
    reason: result.reason ?? null,
    made: result.made ?? null,
    by: actorText(result.actor),
    at: isoTime(result.at),
  };
}

export const whySchema = z.strictObject({
  channel: z.string(),
  told: z.boolean(),
  clause: z.string().describe('The deciding clause, for scripts: silence, below_severity, sent, queued, …'),
  text: z.string(),
});

export function whyJson({ channel, isTold, clause, text }: Why): z.infer<typeof whySchema> {
  return { channel, told: isTold, clause, text };
}

export const auditSchema = z.strictObject({
  seq: z.int().describe('Number of the journal entry, which is part of the chain of hashes.'),
  at: time,
  by: actor,
  action: z.string(),
  subject: z.string(),
  note: z.string().nullable(),
});

export function auditJson(row: AuditRow): z.infer<typeof auditSchema> {
  return { seq: row.seq, at: isoTime(row.at), by: actorText(row.actor), action: row.action, subject: row.subject, note: row.note ?? null };
}

export const messageSchema = z.strictObject({
  id: z.string(),
  channel: z.string(),
  kind: z.string(),
  created: time,
  attempts: z.int(),
  result: z.enum(['waiting', 'sent', 'dead', 'merged']),
  at: time.nullable(),
  reason: z.string().nullable(),
});

export function messageJson(message: MessageRecord): z.infer<typeof messageSchema> {
  return {
    id: message.id,
    channel: message.channel,
    kind: message.kind,
    created: isoTime(message.createdAt),
    attempts: message.attempts,
    result: message.result,
    at: isoTime(message.at),
    reason: message.reason ?? null,
  };
}
