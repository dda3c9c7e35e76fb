import { canonicalJson, updatedAt } from '../journal-chain.ts';
import type { Connection } from './connection.ts';
import type { JournalBody } from '../../core/alert.ts';

/** Brings the tables that people and senders read up to date with one entry, in the transaction that appends it. */
export function projectEntry(connection: Connection, seq: number, body: JournalBody): void {
  for (const alert of body.alerts) {
    connection.run(
      `insert into alert(id, state, rule, entity, severity, opened, updated, version, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do update set state = excluded.state, severity = excluded.severity, opened = excluded.opened, updated = excluded.updated, version = excluded.version, body = excluded.body`,
      alert.id,
      alert.state,
      alert.rule,
      alert.entity,
      alert.severity,
      alert.startedAt,
      updatedAt(alert),
      seq,
      canonicalJson(alert),
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
}
