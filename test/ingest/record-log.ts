/** Random logs of records for the laws of message logs, and the plainest reading of the rule that cuts them. */
import fc from 'fast-check';
import type { RecordBlock } from '../../core/ports.ts';
import { recordBlock } from '../support/record-block.ts';
import { BASE_MINUTE, type EventLine, type Line, type Place, lineArb, render } from './law-lines.ts';

export type LogRecord = {
  readonly offset: number;
  /** Broker time, -1 where there is none. */
  readonly at: number;
  readonly lines: readonly Line[];
  readonly shape: 'single' | 'lines' | 'array' | 'null';
};
export type TestLog = { readonly records: readonly LogRecord[]; readonly batches: readonly (readonly LogRecord[])[]; readonly clock: 'append' | 'create' };

const START = BASE_MINUTE * 60_000 + 90_000;

/** Some events are further ahead of their record, or further behind it, than a clock may be. */
const timedLineArb: fc.Arbitrary<Line> = fc
  .tuple(lineArb, fc.oneof({ weight: 14, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-4000, 40, -2881) }))
  .map(([line, shift]) => (line.kind === 'event' ? { ...line, minute: line.minute + shift } : line));

const recordArb = fc.record({
  lines: fc.array(timedLineArb, { minLength: 1, maxLength: 4 }),
  shape: fc.constantFrom<LogRecord['shape']>('single', 'single', 'single', 'lines', 'array', 'null'),
  step: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -9, max: 16 }) }, { weight: 1, arbitrary: fc.constantFrom(59, 60, 61, 300) }),
  isTimeless: fc.oneof({ weight: 12, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  gap: fc.oneof({ weight: 10, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(2, 3, 2 ** 14, 2 ** 16 - 1, 2 ** 20) }),
});

export const logArb: fc.Arbitrary<TestLog> = fc
  .record({
    records: fc.array(recordArb, { minLength: 1, maxLength: 40 }),
    sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
    first: fc.nat(9),
    clock: fc.constantFrom<TestLog['clock']>('append', 'create'),
  })
  .map(({ records: made, sizes, first, clock }) => {
    let offset = first;
    let now = START;
    const records = made.map(({ lines, shape, step, isTimeless, gap }): LogRecord => {
      now += step * 1000;
      const record = { offset, at: isTimeless ? -1 : now, lines: linesOf(lines, shape), shape };
      offset += gap;
      return record;
    });
    const batches: LogRecord[][] = [];
    for (let i = 0, n = 0; i < records.length; n++) {
      const size = sizes[n % sizes.length] ?? 1;
      batches.push(records.slice(i, i + size));
      i += size;
    }
    return { records, batches, clock };
  });

/** A value of one line holds one; an array holds objects; an empty line would be no record of its own. */
function linesOf(lines: readonly Line[], shape: LogRecord['shape']): readonly Line[] {
  if (shape === 'null') return [];
  const fit = lines.filter((line) => line.kind === 'event' || (shape !== 'array' && line.text !== ''));
  return shape === 'single' ? fit.slice(0, 1) : fit;
}

/** The number of a line in its log: its time depends on it. */
function numbersOf(log: TestLog): ReadonlyMap<Line, number> {
  return new Map(log.records.flatMap(({ lines }) => lines).map((line, index) => [line, index]));
}

export function blockOf(log: TestLog, batch: readonly LogRecord[], partition: string): RecordBlock {
  const numbers = numbersOf(log);
  const text = (line: Line): string => render(line, numbers.get(line) ?? 0);
  return recordBlock(
    partition,
    batch.map(({ offset, at, lines, shape }) => {
      if (shape === 'null') return { offset, at, value: null };
      const texts = lines.map(text);
      return { offset, at, value: shape === 'array' ? `[${texts.join(' ,\n ')}]` : `${texts.join('\n')}${shape === 'lines' ? '\n' : ''}` };
    }),
    { clock: log.clock, crc: (batch[0]?.offset ?? 0) + 77, tight: batch.length % 2 === 0 },
  );
}

/** Where each segment begins, by the rule as protocol.md says it, record by record. */
export function boundariesOf({ records, clock }: TestLog): readonly number[] {
  const starts: number[] = [];
  let firstAt = -1;
  let length = 0;
  for (const { offset, at, shape, lines } of records) {
    const start = starts.at(-1);
    const isLate = firstAt >= 0 && at >= firstAt + 60_000;
    if (start !== undefined && !isLate && offset < start + length) {
      if (firstAt < 0) firstAt = at;
      continue;
    }
    starts.push(offset);
    firstAt = at;
    const isPacked = shape === 'array' || (shape === 'lines' && lines.length > 1);
    length = isPacked ? 2 ** 14 : clock === 'create' ? 2 ** 16 : 2 ** 20;
  }
  return starts;
}

/** All lines of some logs, and where each is counted: `startsOf` says which segments there are. */
export function placed(
  logs: readonly TestLog[],
  startsOf: (log: TestLog, index: number) => readonly number[],
): { readonly lines: readonly Line[]; readonly placeOf: (index: number, line: EventLine) => Place; readonly events: number } {
  const places = new Map<Line, Place>();
  const lines: Line[] = [];
  logs.forEach((log, partition) => {
    const starts = startsOf(log, partition);
    let number = 0;
    for (const record of log.records) {
      const segment = `${partition} ${starts.findLast((start) => start <= record.offset) ?? 'none'}`;
      for (const line of record.lines) {
        if (line.kind === 'event') places.set(line, { segment, ...timed(line, number, record.at) });
        lines.push(line);
        number++;
      }
    }
  });
  const events = lines.filter((line) => line.kind === 'event').length;
  const placeOf = (_index: number, line: EventLine): Place => {
    const place = places.get(line);
    if (place === undefined) throw new Error('BUG: a line without a place');
    return place;
  };
  return { lines, placeOf, events };
}

function timed(line: EventLine, number: number, reference: number): { readonly minute: number; readonly isLate: boolean } {
  const at = (BASE_MINUTE + line.minute) * 60_000 + (number % 60) * 1000;
  const minuteOf = (time: number): number => Math.floor(time / 60_000) - BASE_MINUTE;
  if (reference >= 0 && at > reference + 120_000) return { minute: minuteOf(reference), isLate: false };
  if (reference >= 0 && at < reference - 172_800_000) return { minute: minuteOf(Math.floor(reference / 86_400_000) * 86_400_000), isLate: true };
  return { minute: minuteOf(at), isLate: false };
}
