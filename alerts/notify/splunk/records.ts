import type { JournalEntry, Notification } from '../../../core/alert.ts';
import { actorText } from '../../../core/operator.ts';
import { safeText } from '../../../core/text.ts';
import type { EpochMs } from '../../../core/types.ts';
import { alertJson, findingJson, incidentJson, noticeJson } from '../event.ts';

const NOTE_CHARS_MAX = 500;

export type SplunkRecord = {
  readonly at: EpochMs;
  readonly type: 'finding' | 'alert' | 'incident' | 'audit' | 'notification';
  /** Stable: a record that comes twice has the same. */
  readonly id: string;
  readonly event: Readonly<Record<string, unknown>>;
};

export function notificationRecord(notification: Notification): SplunkRecord {
  return { at: notification.at, type: 'notification', id: notification.id, event: noticeJson(notification) };
}

/** What one entry of the journal decided. A finding stands in the alerts that it changed: it comes again with each, under its own id. */
export function recordsOf(entry: JournalEntry): readonly SplunkRecord[] {
  const { seq, at, alerts, transitions } = entry;
  const causes = new Map(transitions.map((transition) => [transition.alert, transition]));
  return [
    ...alerts.map((alert): SplunkRecord => ({
      at: alert.finding.window.end,
      type: 'finding',
      id: alert.finding.id,
      event: { ...findingJson(alert), rule: safeText(alert.rule), entity: safeText(alert.entity), label: safeText(alert.label), alert: alert.id },
    })),
    ...alerts.map((alert): SplunkRecord => {
      const transition = causes.get(alert.id);
      return {
        at,
        type: 'alert',
        id: `${alert.id}@${seq}`,
        event: {
          ...alertJson(alert),
          seq,
          ...(transition === undefined ? {} : { transition: { from: transition.from, to: transition.to, cause: transition.cause } }),
        },
      };
    }),
    ...(entry.incidents ?? []).map((incident): SplunkRecord => ({
      at,
      type: 'incident',
      id: `${incident.id}@${seq}`,
      event: { ...incidentJson(incident), seq },
    })),
    ...(entry.audit ?? []).map((note, index): SplunkRecord => ({
      at,
      type: 'audit',
      id: `audit-${seq}-${index}`,
      event: {
        seq,
        action: safeText(note.action),
        subject: safeText(note.subject),
        ...(note.note === undefined ? {} : { note: safeText(note.note, NOTE_CHARS_MAX) }),
        actor: note.actor === undefined ? safeText(entry.actor) : safeText(actorText(note.actor)),
        ...(note.command === undefined ? {} : { command: safeText(note.command) }),
        // The chain: whoever has these can prove that none was changed or left out.
        entryHash: entry.hash,
        previousHash: entry.prevHash,
      },
    })),
  ];
}
