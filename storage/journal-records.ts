import type { AuditRow, JournalBody, MessageRecord, OutboxRow } from '../core/alert.ts';
import type { Incident } from '../core/incident.ts';
import { KEYWATCH, type Actor } from '../core/operator.ts';
import type { EpochMs } from '../core/types.ts';

/** Small things that the journal holds beside alerts, incidents and messages, one by one under kind and id; newest wins. */
export const RECORD_KINDS = ['silence', 'maintenance', 'exception', 'command', 'audit'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export type JournalRecord = {
  readonly kind: RecordKind;
  readonly id: string;
  /** What lists are sorted by. */
  readonly at: EpochMs;
  /** It holds until then; of what never ends, its time. */
  readonly ends: EpochMs;
  /** Of an audit row: what it was done to. */
  readonly subject: string;
  readonly value: object;
};

export function recordsOf(seq: number, body: JournalBody): readonly JournalRecord[] {
  return [
    ...(body.silences ?? []).map((value) => record('silence', value.id, value.createdAt, { value, ends: endOf(value) })),
    ...(body.maintenances ?? []).map((value) => record('maintenance', value.id, value.createdAt, { value, ends: endOf(value) })),
    ...(body.exceptions ?? []).map((value) => record('exception', value.id, value.createdAt, { value, ends: endOf(value) })),
    ...(body.commands ?? []).map((value) => record('command', value.id, value.at, { value })),
    ...auditRows(seq, body).map((value, index) => record('audit', `${seq}.${index}`, value.at, { value, subject: value.subject })),
  ];
}

/** The acts of an entry, each with who did it. */
export function auditRows(seq: number, body: Pick<JournalBody, 'at' | 'actor' | 'audit'>): readonly AuditRow[] {
  return (body.audit ?? []).map((note, index) => ({ ...note, seq, index, at: body.at, actor: note.actor ?? actorOf(body.actor) }));
}

/** When an incident last changed. */
export function incidentUpdatedAt(incident: Incident): EpochMs {
  return Math.max(incident.changedAt, incident.startedAt);
}

export function messageOf(row: OutboxRow): MessageRecord {
  const { id, channel, kind, createdAt, incident } = row;
  return { id, channel, kind, createdAt, attempts: 0, result: 'waiting', ...(incident === undefined ? {} : { incident: incident.id }) };
}

function actorOf(name: string): Actor {
  return name === KEYWATCH.name ? KEYWATCH : { way: 'keywatch', name };
}

function endOf(overlay: { readonly endsAt?: EpochMs; readonly until?: EpochMs; readonly endedAt?: EpochMs }): EpochMs {
  return Math.min(overlay.endsAt ?? Number.MAX_SAFE_INTEGER, overlay.until ?? Number.MAX_SAFE_INTEGER, overlay.endedAt ?? Number.MAX_SAFE_INTEGER);
}

function record(
  kind: RecordKind,
  id: string,
  at: EpochMs,
  more: { readonly value: object; readonly ends?: EpochMs; readonly subject?: string },
): JournalRecord {
  return { kind, id, at, ends: more.ends ?? at, subject: more.subject ?? '', value: more.value };
}
