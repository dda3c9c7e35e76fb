import type { Alert, AuditRow, MessageRecord } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import { actorText } from '../../core/operator.ts';
import type { JournalViews } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import { alertJson } from '../json/alert.ts';
import type { Dossier } from '../json/dossier.ts';
import { auditJson, incidentJson, messageJson } from '../json/operator.ts';
import { isoTime } from '../json/time.ts';
import { auditOf, messagesOf } from './find.ts';

/** Everything that is stored of an incident, in the order of a report: facts only, and null for what nobody knows. */
export async function dossierOf(views: JournalViews, incident: Incident): Promise<Dossier> {
  const alerts = await views.alerts({ incident: incident.id });
  const messages = (await messagesOf(views, incident.id)).toReversed();
  const history = await auditOf(views, [incident.id, ...alerts.map(({ id }) => id)]);
  const head = history.at(-1);
  const times = timesOf({ incident, alerts, messages, history });
  return {
    schemaVersion: 1,
    id: incident.id,
    title: `${incident.severity} on ${incident.label}`,
    status: incident.state,
    severity: incident.severity,
    auditHead: head === undefined ? null : { seq: head.seq },
    times,
    incident: incidentJson(incident),
    detection: alerts.map((alert) => ({
      ...alertJson(alert),
      peak: alert.peak,
      unit: alert.finding.unit,
      windows: alert.findings,
      evidence: {
        from: isoTime(alert.finding.window.start),
        to: isoTime(alert.finding.window.end),
        sources: alert.finding.contributions.map(({ dimension, value, share }) => ({ dimension, value, share })),
      },
    })),
    key: { entity: incident.lineage, label: incident.label, keys: incident.lineages },
    actions: history.map(auditJson),
    notifications: messages.map(messageJson),
    verdict:
      incident.feedback === undefined
        ? null
        : { verdict: incident.feedback.verdict, by: actorText(incident.feedback.actor), note: incident.feedback.note ?? null },
    notKnown: ['affected systems', 'verification by probes', 'impact', 'rotation', 'root cause and follow-ups'],
  };
}

function timesOf(known: {
  readonly incident: Incident;
  readonly alerts: readonly Alert[];
  readonly messages: readonly MessageRecord[];
  readonly history: readonly AuditRow[];
}): Dossier['times'] {
  const { incident, alerts, messages, history } = known;
  const first = (times: readonly (EpochMs | undefined)[]): EpochMs | undefined => {
    const found = times.filter((time) => time !== undefined);
    return found.length === 0 ? undefined : Math.min(...found);
  };
  const detectedAt = first(alerts.map(({ firedAt }) => firedAt)) ?? incident.openedAt;
  const notifiedAt = first(messages.filter(({ result }) => result === 'sent').map(({ at }) => at));
  // The oldest one: an acknowledgement that ended is no part of the incident any more, but of its history.
  const triagedAt = first([incident.acknowledged?.at, ...history.filter(({ action }) => action.startsWith('acknowledge')).map(({ at }) => at)]);
  const seconds = (to: EpochMs | undefined, from: EpochMs): number | null => (to === undefined ? null : Math.max(0, Math.round((to - from) / 1000)));
  return {
    firstSuspicious: isoTime(incident.startedAt),
    detectedAt: isoTime(detectedAt),
    notifiedAt: isoTime(notifiedAt),
    triagedAt: isoTime(triagedAt),
    closedAt: isoTime(incident.resolvedAt),
    secondsToDetect: seconds(detectedAt, incident.startedAt),
    secondsToNotify: seconds(notifiedAt, detectedAt),
    secondsToTriage: seconds(triagedAt, detectedAt),
    secondsToClose: seconds(incident.resolvedAt, detectedAt),
  };
}
