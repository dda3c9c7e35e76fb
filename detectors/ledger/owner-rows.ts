import type { EntityId, Minute } from '../../core/types.ts';
import type { Bucket } from './minutes.ts';
import type { LedgerState } from './state.ts';

/** The packed rows of one judged entity in one minute, all names and segments. */
export type OwnerRows = { readonly entity: EntityId; readonly packed: readonly Uint8Array[] };

/** Gives the rows of one owner after the other, so that those of a million are never there together; returns whether it gave all. */
export type OwnerRowsReading = Generator<OwnerRows, boolean, undefined>;

/**
 * Every owner of a minute, or those among `owners`, with its packed rows; undefined where they are no longer all held:
 * the minute is frozen, or gave its rows up to bound the memory. The rows are copies, as of when they are given; who
 * comes to another owner meanwhile is left out. A minute that is given up meanwhile ends the reading early.
 */
export function ownerRows(state: LedgerState, minute: Minute, owners: ReadonlySet<EntityId> | 'all'): OwnerRowsReading | undefined {
  const bucket = state.minutes.buckets.get(minute);
  if (bucket === undefined || bucket.isMute) return undefined;
  const cells = owners === 'all' ? ofMinute(state, bucket) : ofOwners(state, minute, owners);
  return cells.every((cell) => bucket.rows !== undefined && state.cells.evidence[cell] !== 0) ? reading(state, bucket, cells) : undefined;
}

function* reading(state: LedgerState, bucket: Bucket, cells: Uint32Array): OwnerRowsReading {
  const { minutes, table } = state;
  const owners = cells.map((cell) => state.ownerOf(cell));
  // Places from 1 on: of the last cell of each owner, and of the cell before each of the same owner.
  const last = new Uint32Array(table.high);
  const before = owners.map((owner, index) => {
    const place = last[owner] as number;
    last[owner] = index + 1;
    return place;
  });
  for (let place = 1; place <= cells.length; place++) {
    const owner = owners[place - 1] as number;
    if (last[owner] !== place) continue;
    if (minutes.buckets.get(bucket.minute) !== bucket || bucket.isMute) return false;
    const packed: Uint8Array[] = [];
    for (let at = place; at !== 0; at = before[at - 1] as number) {
      const cell = cells[at - 1] as number;
      if (state.ownerOf(cell) !== owner || isGone(state, cell)) continue;
      const row = rowOf(state, bucket, cell);
      if (row === undefined) return false;
      packed.push(row.slice());
    }
    if (packed.length > 0) yield { entity: table.id(owner), packed };
  }
  return true;
}

function ofMinute(state: LedgerState, bucket: Bucket): Uint32Array {
  const { nextOfMinute } = state.cells;
  let count = 0;
  for (let cell = bucket.first; cell !== 0; cell = nextOfMinute[cell] as number) if (!isGone(state, cell)) count++;
  const found = new Uint32Array(count);
  for (let cell = bucket.first, at = 0; cell !== 0; cell = nextOfMinute[cell] as number) if (!isGone(state, cell)) found[at++] = cell;
  return found;
}

function ofOwners(state: LedgerState, minute: Minute, owners: ReadonlySet<EntityId>): Uint32Array {
  const { cells, table } = state;
  const found: number[] = [];
  for (const id of owners) {
    const owner = table.find(id);
    if (owner === undefined || table.owner[owner] !== owner) continue;
    for (const name of table.names(owner)) {
      let cell = table.head[name] as number;
      while (cell !== 0 && (cells.minute[cell] as number) > minute) cell = cells.nextOfEntity[cell] as number;
      for (; cell !== 0 && cells.minute[cell] === minute; cell = cells.nextOfEntity[cell] as number) if (!isGone(state, cell)) found.push(cell);
    }
  }
  return Uint32Array.from(found);
}

/** Without anything, or only fed by a network's attempts. */
function isGone({ cells }: LedgerState, cell: number): boolean {
  return cells.requests[cell] === 0 && cells.failed[cell] === 0;
}

/** Undefined where it was seeded without it, or gave it up to bound the memory. Valid until the next row is put. */
function rowOf({ cells }: LedgerState, { rows }: Bucket, cell: number): Uint8Array | undefined {
  const ref = cells.evidence[cell] as number;
  return ref === 0 ? undefined : rows?.read(ref);
}
