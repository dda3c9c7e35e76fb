import type { PartialBatch, PartialRow } from '../core/partial.ts';
import type { EntityId } from '../core/types.ts';

/** A batch in a few flat arrays: what crosses a thread boundary without being copied row by row. */
export type PackedBatch = Omit<PartialBatch, 'rows' | 'held'> & { readonly packedRows: PackedRows; readonly packedHeld: PackedRows };

type PackedRows = {
  /** Each entity once, in order of first use. */
  readonly entities: readonly EntityId[];
  /** Per row: index into `entities`, window, end of its cells. */
  readonly owners: Int32Array<ArrayBuffer>;
  readonly windows: Int32Array<ArrayBuffer>;
  readonly ends: Int32Array<ArrayBuffer>;
  readonly cells: Uint8Array<ArrayBuffer>;
};

export function packBatch(batch: PartialBatch): { readonly packed: PackedBatch; readonly transfer: readonly ArrayBuffer[] } {
  const { rows, held, ...rest } = batch;
  const packedRows = packRows(rows);
  const packedHeld = packRows(held);
  const transfer = [packedRows, packedHeld].flatMap(({ owners, windows, ends, cells }) => [owners.buffer, windows.buffer, ends.buffer, cells.buffer]);
  return { packed: { ...rest, packedRows, packedHeld }, transfer };
}

export function unpackBatch(packed: PackedBatch): PartialBatch {
  const { packedRows, packedHeld, ...rest } = packed;
  return { ...rest, rows: unpackRows(packedRows), held: unpackRows(packedHeld) };
}

function packRows(rows: readonly PartialRow[]): PackedRows {
  const numbers = new Map<EntityId, number>();
  const owners = new Int32Array(rows.length);
  const windows = new Int32Array(rows.length);
  const ends = new Int32Array(rows.length);
  let size = 0;
  for (const row of rows) size += row.cells.length;
  const cells = new Uint8Array(size);
  let end = 0;
  rows.forEach((row, index) => {
    let number = numbers.get(row.entity);
    if (number === undefined) numbers.set(row.entity, (number = numbers.size));
    owners[index] = number;
    windows[index] = row.window;
    cells.set(row.cells, end);
    end += row.cells.length;
    ends[index] = end;
  });
  return { entities: [...numbers.keys()], owners, windows, ends, cells };
}

function unpackRows({ entities, owners, windows, ends, cells }: PackedRows): readonly PartialRow[] {
  const rows = new Array<PartialRow>(owners.length);
  let start = 0;
  for (let i = 0; i < owners.length; i++) {
    const end = ends[i] as number;
    rows[i] = { window: windows[i] as number, entity: entities[owners[i] as number] as EntityId, cells: cells.subarray(start, end) };
    start = end;
  }
  return rows;
}
