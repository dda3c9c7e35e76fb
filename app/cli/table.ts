import { clip, clipMiddle, displayWidth, padEnd, padStart, printable } from './text.ts';
import type { Paint, Style } from './style.ts';

export type Column<Row> = {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** May be cut when the table is too wide, not below this many columns. Others keep their width. */
  readonly shrinkTo?: number;
  /** Cut the middle instead of the end: ids and paths. */
  readonly isMiddleCut?: boolean;
  /** May be left out when nothing else helps; lower goes first. */
  readonly dropOrder?: number;
  /** The value is of our own making and blanks in it mean something (a sparkline). Default: it may come from traffic. */
  readonly isOurs?: boolean;
  readonly style?: (row: Row) => Style | undefined;
};

const GAP = '  ';

/**
 * A table that fits `width`: columns that may shrink are cut first, widest first, then columns with a
 * `dropOrder` are left out. Values are made safe for a terminal here, so that no caller can forget it.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly width: number; readonly paint: Paint; readonly indent?: string },
): string {
  const indent = options.indent ?? '';
  let shown = columns.map((column) => {
    const cells = rows.map((row) => (column.isOurs === true ? column.value(row) : printable(column.value(row))));
    return { column, cells, width: Math.max(displayWidth(column.title), ...cells.map(displayWidth)) };
  });
  const available = options.width - displayWidth(indent);
  for (;;) {
    const widths = fit(shown, available);
    if (widths !== undefined || shown.every(({ column }) => column.dropOrder === undefined) || shown.length === 1) {
      return draw(shown, widths ?? shown.map(floorOf), rows, { paint: options.paint, indent });
    }
    const lowest = Math.min(...shown.map(({ column }) => column.dropOrder ?? Number.POSITIVE_INFINITY));
    const gone = shown.findIndex(({ column }) => column.dropOrder === lowest);
    shown = shown.filter((_, index) => index !== gone);
  }
}

type Measured<Row> = { readonly column: Column<Row>; readonly cells: readonly string[]; readonly width: number };

function floorOf<Row>(measured: Measured<Row>): number {
  return Math.min(measured.width, measured.column.shrinkTo ?? measured.width);
}

function fit<Row>(shown: readonly Measured<Row>[], available: number): number[] | undefined {
  const widths = shown.map(({ width }) => width);
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (shown.length - 1) - available;
  while (over > 0) {
    let widest = -1;
    shown.forEach((measured, index) => {
      const width = widths[index] ?? 0;
      if (width > floorOf(measured) && (widest < 0 || width > (widths[widest] ?? 0))) widest = index;
    });
    if (widest < 0) return undefined;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over--;
  }
  return widths;
}

function draw<Row>(
  shown: readonly Measured<Row>[],
  widths: readonly number[],
  rows: readonly Row[],
  options: { readonly paint: Paint; readonly indent: string },
): string {
  const line = (cell: (measured: Measured<Row>, width: number) => string): string =>
    `${options.indent}${shown.map((measured, index) => cell(measured, widths[index] ?? 0)).join(GAP)}`.trimEnd();
  const lines = [line(({ column }, width) => options.paint('dim', align(column, clip(column.title, width), width)))];
  rows.forEach((row, index) => {
    lines.push(
      line(({ column, cells }, width) => {
        const value = cells[index] ?? '';
        const text = align(column, column.isMiddleCut === true ? clipMiddle(value, width) : clip(value, width), width);
        const style = column.style?.(row);
        return style === undefined ? text : options.paint(style, text);
      }),
    );
  });
  return `${lines.join('\n')}\n`;
}

function align<Row>(column: Column<Row>, text: string, width: number): string {
  return column.align === 'right' ? padStart(text, width) : padEnd(text, width);
}

/** Aligned `name  value` lines. */
export function renderFacts(facts: readonly (readonly [string, string])[], options: { readonly paint: Paint; readonly indent?: string }): string {
  const width = Math.max(0, ...facts.map(([name]) => displayWidth(name)));
  return facts.map(([name, value]) => `${options.indent ?? ''}${options.paint('dim', padEnd(name, width))}${GAP}${value}\n`).join('');
}
