import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

/** One figure, as in `npm run bench`. */
export type Row = {
  readonly name: string;
  readonly reached: number;
  readonly unit: string;
  readonly bar?: number | undefined;
  /** The bar is the most that may be reached. */
  readonly isUpper?: boolean;
  readonly note?: string;
  /** Everything that was measured, for the JSON. */
  readonly measured?: object;
};

export function isMissed({ bar, reached, isUpper }: Row): boolean {
  // What could not be measured is missed too.
  return bar !== undefined && !(isUpper === true ? reached <= bar : reached >= bar);
}

export function shown(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value < 1 ? 3 : value < 10 ? 2 : 0);
}

export function lineOf(row: Row): string {
  const bar = row.bar === undefined ? '' : `${row.isUpper === true ? '<=' : '>='} ${shown(row.bar)}`;
  const note = row.note === undefined ? '' : `  (${row.note})`;
  return `${row.name.padEnd(62)} ${shown(row.reached).padStart(12)} ${bar.padStart(11)}  ${row.unit}${isMissed(row) ? '  MISSED' : ''}${note}`;
}

/** Prints the table and writes the JSON beside that of the other benches. Returns whether all bars were met. */
export function report(rows: readonly Row[], options: { readonly out: string; readonly facts: object }): boolean {
  process.stdout.write(`\n${'what'.padEnd(62)} ${'reached'.padStart(12)} ${'asked'.padStart(11)}\n`);
  for (const row of rows) process.stdout.write(`${lineOf(row)}\n`);
  mkdirSync(options.out, { recursive: true });
  const file = join(options.out, 'kafka.json');
  writeFileSync(file, `${JSON.stringify({ node: process.version, cores: cpus().length, cpu: cpus()[0]?.model, ...options.facts, rows }, null, 2)}\n`);
  process.stdout.write(`\nwrote ${file}\n`);
  return !rows.some(isMissed);
}
