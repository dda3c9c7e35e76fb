import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Column, renderTable } from '../../../app/cli/table.ts';
import { displayWidth } from '../../../app/cli/text.ts';

type Row = { readonly name: string; readonly count: number; readonly note: string };
const columns: readonly Column<Row>[] = [
  { title: 'name', value: (row) => row.name, shrinkTo: 6 },
  { title: 'count', value: (row) => String(row.count), align: 'right' },
  { title: 'note', value: (row) => row.note, shrinkTo: 4, dropOrder: 1 },
];
const plain = (_style: unknown, text: string): string => text;
const table = (rows: readonly Row[], width: number): string => renderTable(columns, rows, { width, paint: plain });

describe('renderTable', () => {
  test('aligns numbers to the right and everything else to the left', () => {
    expect(
      table(
        [
          { name: 'a', count: 5, note: 'x' },
          { name: 'longer', count: 1234, note: 'y' },
        ],
        80,
      ),
    ).toBe('name    count  note\na           5  x\nlonger   1234  y\n');
  });

  test('cuts the widest column first, then leaves a column out', () => {
    const rows = [{ name: 'abcdefghij', count: 1, note: 'nothing to see' }];
    expect(table(rows, 27)).toBe('name       count  note\nabcdefgh…      1  nothing …\n');
    expect(table(rows, 20)).toBe('name    count  note\nabcde…      1  noth…\n');
    expect(table(rows, 15)).toBe('name      count\nabcdefg…      1\n');
  });

  test('fits every width from 13 columns up, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.string({ unit: 'grapheme' }), count: fc.nat(9999), note: fc.string({ unit: 'grapheme' }) })),
        fc.integer({ min: 13, max: 60 }),
        (rows, width) => {
          const lines = table(rows, width).split('\n');
          expect(lines).toHaveLength(rows.length + 2);
          for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test('a row cannot break out of its line or recolour the terminal', () => {
    expect(table([{ name: 'a\nb\u001b[31m', count: 1, note: '' }], 80).split('\n')).toHaveLength(3);
    expect(table([{ name: 'a\u001b[31m', count: 1, note: '' }], 80)).not.toContain('\u001b');
  });
});
