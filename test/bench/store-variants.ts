/**
 * Ways to write minute rows into SQLite that were tried for `storage/sqlite`, on the same rows: what docs/decisions/0003-sqlite-layout.md
 * cites. `node test/bench/store-variants.ts`
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { sampleCells } from './store.ts';

type Row = readonly SQLInputValue[];
type Writer = (db: DatabaseSync) => (rows: readonly Row[]) => void;
type Variant = {
  readonly name: string;
  readonly write: Writer;
  readonly pageSize?: number;
  readonly notNull?: boolean;
  readonly order?: 'key' | 'map';
  readonly primaryKey?: string;
};

const KEYS = 5000;
const MINUTES = 60;
const COLUMNS = ['ts', 'entity', 'segment', 'next', 'requests', 'errors', 'failed_auth', 'bytes_in', 'bytes_out', 'cells'] as const;
const NEWER_WINS = `on conflict do update set ${COLUMNS.slice(3)
  .map((column) => `${column} = excluded.${column}`)
  .join(', ')} where excluded.next >= next`;
const marks = (count: number): string => `(${Array.from({ length: count }, () => '?').join(',')})`;

/** `rows` per statement, each value a plain question mark. */
function multi(rows: number, insert = 'insert or rollback into'): Writer {
  return (db) => {
    const one = db.prepare(`${insert} m values ${marks(COLUMNS.length)} ${NEWER_WINS}`);
    const many = db.prepare(`${insert} m values ${Array.from({ length: rows }, () => marks(COLUMNS.length)).join(',')} ${NEWER_WINS}`);
    return (batch) => {
      let i = 0;
      for (; i + rows <= batch.length; i += rows) many.run(...batch.slice(i, i + rows).flat());
      for (const row of batch.slice(i)) one.run(...row);
    };
  };
}

/** Segment and version as numbered parameters, bound once per statement. */
function numbered(rows: number): Writer {
  return (db) => {
    const row = (index: number): string => {
      const at = 3 + index * 8;
      return `(?${at}, ?${at + 1}, ?1, ?2, ${Array.from({ length: 6 }, (_, i) => `?${at + 2 + i}`).join(', ')})`;
    };
    const many = db.prepare(`insert or rollback into m values ${Array.from({ length: rows }, (_, i) => row(i)).join(',')} ${NEWER_WINS}`);
    return (batch) => {
      for (let i = 0; i + rows <= batch.length; i += rows) {
        const [first] = batch.slice(i);
        many.run(first?.[2] ?? 0, first?.[3] ?? 0, ...batch.slice(i, i + rows).flatMap((values) => [values[0] ?? 0, values[1] ?? 0, ...values.slice(4)]));
      }
    };
  };
}

/** A thousand rows as one JSON text and one blob. */
const json: Writer = (db) => {
  const statement = db.prepare(
    `insert or rollback into m select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, substr(?, (value->>9) + 1, value->>10) from json_each(?) where true ${NEWER_WINS}`,
  );
  return (batch) => {
    for (let i = 0; i < batch.length; i += 1000) {
      const part = batch.slice(i, i + 1000);
      const blobs = part.map((row) => row[9] as Uint8Array);
      let at = 0;
      const values = part.map((row, index) => {
        const size = blobs[index]?.length ?? 0;
        at += size;
        return [...row.slice(0, 9), at - size, size];
      });
      statement.run(Buffer.concat(blobs), JSON.stringify(values));
    }
  };
};

const TIME_FIRST = 'ts, entity, segment';
const VARIANTS: readonly Variant[] = [
  { name: 'chosen: 32 rows a statement, in key order, 16 KiB pages', write: multi(32) },
  { name: '1 row a statement', write: multi(1) },
  { name: '8 rows', write: multi(8) },
  { name: '128 rows', write: multi(128) },
  { name: '32 rows, numbered parameters', write: numbered(32) },
  { name: '1000 rows as JSON and one blob', write: json },
  { name: '32 rows, "not null" columns', write: multi(32, 'insert into'), notNull: true },
  { name: '32 rows, in the order of a hash map', write: multi(32), order: 'map' },
  { name: '32 rows, 4 KiB pages', write: multi(32), pageSize: 4096 },
  { name: '32 rows, 8 KiB pages', write: multi(32), pageSize: 8192 },
  { name: '32 rows, 32 KiB pages', write: multi(32), pageSize: 32_768 },
  { name: '32 rows, key (entity, ts, segment)', write: multi(32), primaryKey: 'entity, ts, segment' },
];

function minuteRows(minute: number, order: 'key' | 'map', cells: readonly Uint8Array[]): readonly Row[] {
  return Array.from({ length: KEYS }, (_, i) => {
    const entity = order === 'key' ? i : (i * 2741) % KEYS;
    return [
      29_600_640 + minute,
      entity,
      1 + minute,
      minute * 1000,
      (entity * 7) % 500,
      entity % 20,
      entity % 3,
      entity * 310,
      entity * 5123,
      cells[(entity + minute) % cells.length] ?? null,
    ];
  });
}

function measure(
  variant: Variant,
  cells: readonly Uint8Array[],
): { readonly rowsPerCpuSecond: number; readonly againPerCpuSecond: number; readonly bytesPerRow: number } {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch-bench-'));
  const db = new DatabaseSync(join(directory, 'm.db'));
  db.exec(
    `pragma page_size = ${variant.pageSize ?? 16_384}; pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -32768; pragma wal_autocheckpoint = 2000`,
  );
  const nullable = variant.notNull === true ? 'not null' : '';
  const columns = COLUMNS.map((column, index) => `${column} ${column === 'cells' ? 'blob' : 'int'} ${index < 3 ? 'not null' : nullable}`);
  db.exec(`create table m(${columns.join(', ')}, primary key(${variant.primaryKey ?? TIME_FIRST})) strict, without rowid`);
  const write = variant.write(db);
  const pass = (): number => {
    const batches = Array.from({ length: MINUTES }, (_, minute) => minuteRows(minute, variant.order ?? 'key', cells));
    const cpu = process.cpuUsage();
    for (const batch of batches) {
      db.exec('begin immediate');
      write(batch);
      db.exec('commit');
    }
    const { user, system } = process.cpuUsage(cpu);
    return Math.round((KEYS * MINUTES * 1e6) / (user + system));
  };
  const [rowsPerCpuSecond, againPerCpuSecond] = [pass(), pass()];
  db.exec('pragma wal_checkpoint(truncate)');
  const bytesPerRow = Math.round(statSync(join(directory, 'm.db')).size / (KEYS * MINUTES));
  db.close();
  rmSync(directory, { recursive: true });
  return { rowsPerCpuSecond, againPerCpuSecond, bytesPerRow };
}

const cells = Array.from({ length: 2000 }, (_, i) => sampleCells(i * 7));
const [warmUp] = VARIANTS;
if (warmUp !== undefined) measure(warmUp, cells);
process.stdout.write(`${'300,000 rows of 224-byte cells'.padEnd(58)}new/CPU s  again/CPU s  bytes/row\n`);
for (const variant of VARIANTS) {
  const { rowsPerCpuSecond, againPerCpuSecond, bytesPerRow } = measure(variant, cells);
  process.stdout.write(
    `${variant.name.padEnd(58)}${String(rowsPerCpuSecond).padStart(9)}${String(againPerCpuSecond).padStart(13)}${String(bytesPerRow).padStart(11)}\n`,
  );
}
