import fc from 'fast-check';
import { expect } from 'vitest';
import type { OpenSegment, PartialBatch, PartialRow } from '../../core/partial.ts';
import type { MetricStore } from '../../core/ports.ts';
import { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { testNormaliser } from '../support/ingest.ts';
import { type Line, compare, format, lineArb, render, truthOf } from './law-lines.ts';

export type Step = 'flush' | 'crash' | 'crash_before_ack' | 'replay_old' | 'go_on';
export const stepArb = fc.record({
  lines: fc.integer({ min: 1, max: 12 }),
  step: fc.constantFrom<Step>('flush', 'flush', 'crash', 'crash_before_ack', 'replay_old', 'go_on', 'go_on'),
});

export type History = {
  readonly lines: readonly Line[];
  readonly steps: readonly { readonly lines: number; readonly step: Step }[];
  readonly segmentBytes: number;
  readonly threads: number;
};

export const historyArb: fc.Arbitrary<History> = fc.record({
  lines: fc.array(lineArb, { minLength: 1, maxLength: 120 }),
  steps: fc.array(stepArb, { minLength: 1, maxLength: 30 }),
  segmentBytes: fc.constantFrom(300, 1000, 4000, 1 << 20),
  threads: fc.constantFrom(1, 1, 2, 3),
});

/** Runs a history with its crashes against a store, and compares everything stored with the truth. */
export async function checkHistory(history: History, open: () => Promise<MetricStore>): Promise<void> {
  const texts = history.lines.map((line, index) => `${render(line, index)}\n`);
  const offsets: number[] = [];
  let size = 0;
  for (const text of texts) {
    offsets.push(size);
    size += Buffer.byteLength(text);
  }
  const bytes = new Uint8Array(Buffer.from(texts.join('')));
  await using store = await open();
  const source = await store.source('partition');
  if (history.threads === 1) await runOne(history, bytes, offsets, store, source);
  else await runThreads(history, bytes, store, source);
  await compare(
    store,
    truthOf(history.lines, (index, line) => ({ segment: Math.floor((offsets[index] as number) / history.segmentBytes), minute: line.minute })),
  );
  const resumed = await store.resume(source, 0);
  if (history.threads === 1) expect(openBytes(resumed)).toEqual(openBytes(await uninterrupted(history, bytes)));
  const garbage = history.lines.filter((line) => line.kind === 'garbage').length;
  expect(resumed?.next).toBe(size);
  expect(garbage).toBeGreaterThanOrEqual(Object.values(resumed?.rejects ?? {}).reduce((sum, reject) => sum + reject.count, 0));
}

/** The open segment of a process that was never stopped. */
async function uninterrupted(history: History, bytes: Uint8Array): Promise<OpenSegment | undefined> {
  await using store = memoryMetricStore();
  const source = await store.source('partition');
  const ingest = await start(history, store, source);
  ingest.block(bytes, 0);
  for (const batch of ingest.takeSealed()) await store.put(batch);
  const last = ingest.flush();
  if (last !== undefined) await store.put(last);
  return await store.resume(source, 0);
}

/** Every row of an open segment, to the byte; held rows in their order. */
function openBytes(open: OpenSegment | undefined): unknown {
  const text = (row: PartialRow): string => `${row.window} ${row.entity} ${Buffer.from(row.cells).toString('hex')}`;
  return { rows: open?.rows.map(text).sort(), held: open?.held.map(text), rejects: open?.rejects, records: open?.records, start: open?.segment.start };
}

/** One process after another over one log, each resuming from what the store has. */
async function runOne(history: History, bytes: Uint8Array, offsets: readonly number[], store: MetricStore, source: number): Promise<void> {
  let ingest = await start(history, store, source);
  const old: PartialBatch[] = [];
  let line = lineAt(offsets, ingest.next);
  const put = async (batch: PartialBatch): Promise<void> => {
    expect((await store.put(batch)).ok).toBe(true);
    old.push(batch);
  };
  for (const { lines, step } of [...history.steps, { lines: offsets.length, step: 'flush' as const }]) {
    const from = offsets[line] ?? bytes.length;
    line = Math.min(line + lines, offsets.length);
    const to = offsets[line] ?? bytes.length;
    ingest.block(bytes.slice(from, to), from);
    for (const batch of ingest.takeSealed()) await put(batch);
    switch (step) {
      case 'flush': {
        const batch = ingest.flush();
        if (batch !== undefined) await put(batch);
        break;
      }
      case 'crash_before_ack': {
        // The store has it, the process dies before it knows.
        const batch = ingest.flush();
        if (batch !== undefined) await put(batch);
        ingest = await start(history, store, source);
        line = lineAt(offsets, ingest.next);
        break;
      }
      case 'crash':
        ingest = await start(history, store, source);
        // A source may deliver again what was counted before.
        line = Math.max(0, lineAt(offsets, ingest.next) - (lines % 4));
        break;
      case 'replay_old': {
        const again = old[(lines * 7) % Math.max(1, old.length)];
        if (again !== undefined) expect((await store.put(again)).ok).toBe(true);
        break;
      }
      case 'go_on':
        break;
    }
    if (step === 'flush' && line >= offsets.length) break;
  }
  // Whatever the last step was: to the end of the log.
  const from = ingest.next;
  ingest.block(bytes.slice(from), from);
  for (const batch of ingest.takeSealed()) await put(batch);
  const last = ingest.flush();
  if (last !== undefined) await put(last);
}

/** Segments shared out to threads that know nothing of each other; the writer puts them in log order. */
async function runThreads(history: History, bytes: Uint8Array, store: MetricStore, source: number): Promise<void> {
  const { segmentBytes, threads } = history;
  const ingests = Array.from({ length: threads }, () => undefined as PartitionIngest | undefined);
  const cells = Math.ceil(bytes.length / segmentBytes);
  for (let cell = 0; cell < cells; cell++) {
    const from = lineStart(bytes, cell * segmentBytes);
    const to = lineStart(bytes, (cell + 1) * segmentBytes);
    if (to <= from) continue;
    const ingest = (ingests[cell % threads] ??= new PartitionIngest({
      source,
      partition: 0,
      generation: 1,
      segmentBytes,
      format,
      normaliser: testNormaliser(),
    }));
    ingest.startAt(from);
    ingest.block(bytes.slice(from, to), from);
    for (const batch of ingest.finish()) expect((await store.put(batch)).ok).toBe(true);
  }
}

function lineStart(bytes: Uint8Array, offset: number): number {
  if (offset === 0) return 0;
  if (offset >= bytes.length) return bytes.length;
  const feed = bytes.indexOf(10, offset - 1);
  return feed < 0 ? bytes.length : feed + 1;
}

async function start(history: History, store: MetricStore, source: number): Promise<PartitionIngest> {
  const resume = await store.resume(source, 0);
  return new PartitionIngest({ source, partition: 0, generation: 1, segmentBytes: history.segmentBytes, format, normaliser: testNormaliser(), resume });
}

function lineAt(offsets: readonly number[], next: number): number {
  const line = offsets.findIndex((offset) => offset >= next);
  return line < 0 ? offsets.length : line;
}
