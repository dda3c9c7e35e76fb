import { dayName, monthName } from '../calendar.ts';
import type { Minute } from '../../core/types.ts';
import type { Migrations } from './database.ts';

/**
 * The layout of metrics.db; docs/decisions/0003-sqlite-layout.md gives the reasons and the measurements.
 *
 * Every key starts with the time: a b-tree that starts with the entity dirties one page per row and is 15
 * times slower. The numeric columns are what SQL sums and sorts by; everything else of a window is in `cells`.
 * The columns of a window may be null as far as SQLite knows, although no row has a null: a `not null` would make
 * every statement of several rows copy the pages it touches to a temporary file first, four times the writing.
 * A row with empty `cells` says that its window became empty (a tombstone): it keeps the version, so that an
 * older batch which arrives later does not bring the row back.
 */
const WINDOW_COLUMNS = `requests int, errors int, failed_auth int, bytes_in int, bytes_out int, cells blob`;

export const METRICS_MIGRATIONS: Migrations = [
  `
  create table control(name text primary key, value text not null) strict, without rowid;
  -- Totals over all segments ever, so that old segments can be forgotten.
  create table source(id integer primary key, name text not null unique, records int not null default 0, dropped int not null default 0, rejects text not null default '{}') strict;
  -- The chain. newest is null while the partition has shown no event.
  create table segment(
    id integer primary key autoincrement, source int not null, partition int not null, generation int not null, start int not null,
    next int not null, sealed int not null, records int not null, dropped int not null, over_limit int, rejects text not null, newest int, cursor text,
    unique(source, partition, generation, start)) strict;
  -- Segments up to here were forgotten by retention: a batch of one of them is ignored.
  create table forgotten(source int not null, partition int not null, generation int not null, start int not null, primary key(source, partition)) strict, without rowid;
  create table entity(id integer primary key, text text not null unique, kind text not null) strict;
  create table alias(fingerprint text primary key, credential text not null, seen int not null) strict, without rowid;
  -- Refused credentials of open segments, by text: guessed keys must not become entities. id keeps the order in which they came.
  create table held(id integer primary key, segment int not null, ts int not null, entity text not null, next int not null, cells blob not null, unique(segment, ts, entity)) strict;
  -- Where the rows of open segments are, so that a resume need not scan.
  create table open_minute(segment int not null, ts int not null, primary key(segment, ts)) strict, without rowid;
  -- Days that have a table of minutes (present), and days whose minutes were dropped once (frozen).
  create table minute_day(day integer primary key, present int not null, frozen int not null) strict;
  create table hour_month(month integer primary key) strict;
  -- What fold() still has to recompute.
  create table dirty_hour(ts integer primary key) strict;
  create table dirty_day(ts integer primary key) strict;
  create table day(ts int not null, entity int not null, frozen int not null, ${WINDOW_COLUMNS}, primary key(ts, entity, frozen)) strict, without rowid;
  `,
  `
  -- Of message logs: events ahead of their record's time, and what decides where the segment ends (null in a grid of bytes).
  alter table segment add column skewed int;
  alter table segment add column span_first int;
  alter table segment add column span_length int;
  alter table segment add column span_crc int;
  `,
];

export function minuteTable(day: Minute): string {
  return `m_${dayName(day).replaceAll('-', '')}`;
}

export function hourTable(month: Minute): string {
  return `h_${monthName(month).replaceAll('-', '')}`;
}

export function createMinuteTable(day: Minute): string {
  return `create table if not exists ${minuteTable(day)}(ts int not null, entity int not null, segment int not null, next int, ${WINDOW_COLUMNS}, primary key(ts, entity, segment)) strict, without rowid`;
}

/** `frozen` 0 is recomputed from the minutes below; 1 was, until those were dropped. Readers add the two. */
export function createHourTable(month: Minute): string {
  return `create table if not exists ${hourTable(month)}(ts int not null, entity int not null, frozen int not null, ${WINDOW_COLUMNS}, primary key(ts, entity, frozen)) strict, without rowid`;
}

export const STATE_MIGRATIONS: Migrations = [
  `
  create table entry(seq integer primary key, at int not null, actor text not null, body text not null, prev text not null, hash text not null) strict;
  -- Projections of the entries; version is the seq that wrote them.
  create table alert(id text primary key, state text not null, rule text not null, entity text not null, severity text not null, opened int not null, updated int not null, version int not null, body text not null) strict, without rowid;
  create index alert_opened on alert(opened, id);
  create table outbox(row text primary key, attempts int not null, next_at int not null, done int not null, body text not null) strict, without rowid;
  create index outbox_pending on outbox(next_at, row) where done = 0;
  create table snapshot(id integer primary key check (id = 1), seq int not null, state text not null) strict;
  `,
  `
  -- Incidents, what people decided, and what became of each message. Of the entries before there are none.
  alter table alert add column incident text;
  create index alert_incident on alert(incident);
  create table incident(id text primary key, state text not null, lineage text not null, opened int not null, updated int not null, version int not null, body text not null) strict, without rowid;
  create index incident_opened on incident(opened, id);
  create table record(kind text not null, id text not null, at int not null, ends int not null, subject text not null, seq int not null, body text not null, primary key(kind, id)) strict, without rowid;
  create index record_at on record(kind, at, id);
  create index record_seq on record(kind, seq);
  create table message(id text primary key, channel text not null, incident text, created int not null, body text not null) strict, without rowid;
  create index message_created on message(created, id);
  create index message_incident on message(incident);
  `,
];
