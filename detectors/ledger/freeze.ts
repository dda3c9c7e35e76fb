import type { Arena } from './arena.ts';
import type { Column } from './column.ts';
import type { Bucket } from './minutes.ts';
import type { LedgerState } from './state.ts';

/** More cells than a minute can have; times the number of entities below 2^53. */
const INDEX_RANGE = 2 ** 25;

/** Turns a minute that may no longer change into a column: merged over segments, its cells given back. */
export function freeze(state: LedgerState, bucket: Bucket): void {
  const { table } = state;
  const column = columnOf(state, bucket);
  // The entries hold their entities before the cells let go of them.
  for (const entity of column.entities) table.hold(entity);
  giveCells(state, bucket);
  state.minutes.freeze(bucket, column);
}

/** Forgets a column that no window reaches any more. */
export function forgetColumn(state: LedgerState, column: Column): void {
  state.minutes.forget(column);
  for (const entity of column.entities) state.table.release(entity);
}

function columnOf(state: LedgerState, bucket: Bucket): Column {
  const { cells } = state;
  const sorted = sortedCells(state, bucket);
  const entities = new Uint32Array(sorted.length);
  const failed = new Float64Array(sorted.length);
  const bytes = new Float64Array(sorted.length);
  const evidence = new Uint32Array(sorted.length);
  const attempts = new Map<number, number>();
  let size = 0;
  for (const cell of sorted) {
    const entity = cells.entity[cell] as number;
    const place = size > 0 && entities[size - 1] === entity ? size - 1 : size;
    size = place + 1;
    entities[place] = entity;
    failed[place] = (failed[place] as number) + state.failedOf(cell);
    bytes[place] = (bytes[place] as number) + (cells.bytes[cell] as number);
    evidence[place] = chained(bucket.rows, cells.evidence[cell] as number, evidence[place] as number);
    const set = state.sets.get(cell);
    if (set !== undefined) attempts.set(entity, chained(bucket.sets, set, attempts.get(entity) ?? 0));
  }
  return {
    minute: bucket.minute,
    entities: entities.slice(0, size),
    failed: failed.slice(0, size),
    bytes: bytes.slice(0, size),
    evidence: evidence.slice(0, size),
    rows: bucket.rows,
    attempts,
    sets: bucket.sets,
  };
}

/** Cells that say something, by entity. */
function sortedCells(state: LedgerState, bucket: Bucket): Uint32Array {
  const { cells } = state;
  const found: number[] = [];
  for (let cell = bucket.first; cell !== 0; cell = cells.nextOfMinute[cell] as number) {
    if (cells.bytes[cell] !== 0 || cells.evidence[cell] !== 0 || state.failedOf(cell) !== 0 || state.sets.has(cell)) found.push(cell);
  }
  // One number holds both, entity first: sorting typed numbers needs no comparator.
  const keys = new Float64Array(found.length);
  for (let i = 0; i < found.length; i++) keys[i] = (cells.entity[found[i] as number] as number) * INDEX_RANGE + i;
  keys.sort();
  const sorted = new Uint32Array(found.length);
  for (let i = 0; i < found.length; i++) sorted[i] = found[(keys[i] as number) % INDEX_RANGE] as number;
  return sorted;
}

/** Puts `block` in front of the chain `rest`. */
function chained(arena: Arena | undefined, block: number, rest: number): number {
  if (block === 0 || arena === undefined) return rest;
  arena.link(block, rest);
  return block;
}

function giveCells(state: LedgerState, bucket: Bucket): void {
  const { cells, table } = state;
  let cell = bucket.first;
  while (cell !== 0) {
    const next = cells.nextOfMinute[cell] as number;
    const entity = cells.entity[cell] as number;
    table.head[entity] = cells.remove(table.head[entity] as number, cell);
    state.sets.delete(cell);
    state.feeds.forget(cell);
    state.segments.release(cells.segment[cell] as number);
    cells.give(cell);
    table.release(entity);
    cell = next;
  }
}
