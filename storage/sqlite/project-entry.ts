import { canonicalJson, updatedAt } from '../journal-chain.ts';
import { incidentUpdatedAt, messageOf, recordsOf } from '../journal-records.ts';
import { type Connection, text } from './connection.ts';
import type { Delivery, JournalBody, MessageRecord } from '../../core/alert.ts';

/** Brings the tables that people and senders read up to date with one entry, in the transaction that appends it. */
export function projectEntry(connection: Connection, seq: number, body: JournalBody): void {
  for (const alert of body.alerts) {
    connection.run(
      `insert into alert(id, state, rule, entity, severity, opened, updated, version, body, incident) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do update set state = excluded.state, severity = excluded.severity, opened = excluded.opened, updated = excluded.updated, version = excluded.version, body = excluded.body, incident = excluded.incident`,
      alert.id,
      alert.state,
      alert.rule,
      alert.entity,
      alert.severity,
      alert.startedAt,
      updatedAt(alert),
      seq,
      canonicalJson(alert),
      alert.incident ?? null,
    );
  }
  // A row's id is stable: one that is there already was decided before and is not sent again.
  for (const row of body.outbox) {
    connection.run('insert or ignore into outbox(row, attempts, next_at, done, body) values (?, 0, ?, 0, ?)', row.id, row.dueAt, canonicalJson(row));
  }
  for (const delivery of body.deliveries) {
    if (delivery.result === 'retry')
      connection.run('update outbox set attempts = ?, next_at = ? where row = ? and done = 0', delivery.attempt, delivery.nextAt ?? delivery.at, delivery.row);
    // The entries keep the message; here only its id is needed from now on.
    else connection.run(`update outbox set attempts = ?, done = 1, body = '' where row = ? and done = 0`, delivery.attempt, delivery.row);
  }
  projectIncidents(connection, seq, body);
  projectMessages(connection, body);
  for (const { kind, id, at, ends, subject, value } of recordsOf(seq, body)) {
    connection.run(
      `insert into record(kind, id, at, ends, subject, seq, body) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do update set at = excluded.at, ends = excluded.ends, subject = excluded.subject, seq = excluded.seq, body = excluded.body`,
      kind,
      id,
      at,
      ends,
      subject,
      seq,
      canonicalJson(value),
    );
  }
}

function projectIncidents(connection: Connection, seq: number, body: JournalBody): void {
  for (const incident of body.incidents ?? []) {
    connection.run(
      `insert into incident(id, state, lineage, opened, updated, version, body) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do update set state = excluded.state, lineage = excluded.lineage, opened = excluded.opened, updated = excluded.updated, version = excluded.version, body = excluded.body`,
      incident.id,
      incident.state,
      incident.lineage,
      incident.startedAt,
      incidentUpdatedAt(incident),
      seq,
      canonicalJson(incident),
    );
  }
}

/** What became of each message: kept when its text is gone. */
function projectMessages(connection: Connection, body: JournalBody): void {
  for (const row of body.outbox) {
    const message = messageOf(row);
    connection.run(
      'insert or ignore into message(id, channel, incident, created, body) values (?, ?, ?, ?, ?)',
      row.id,
      row.channel,
      message.incident ?? null,
      row.createdAt,
      canonicalJson(message),
    );
  }
  for (const delivery of body.deliveries) {
    const known = connection.get('select body from message where id = ?', delivery.row);
    if (known === undefined) continue;
    const message = parseMessage(text(known, 0));
    if (message.result === 'waiting')
      connection.run('update message set body = ? where id = ?', canonicalJson(settledMessage(message, delivery)), delivery.row);
  }
}

function settledMessage(message: MessageRecord, { at, attempt, result, reason }: Delivery): MessageRecord {
  return { ...message, at, attempts: attempt, result: result === 'retry' ? 'waiting' : result, ...(reason === undefined ? {} : { reason }) };
}

// Written by this file.
function parseMessage(json: string): MessageRecord {
  return JSON.parse(json) as MessageRecord;
}
