import { type EpochMs } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { detectFormat, formatOf } from '../../ingest/parse/detect.ts';
import type { Format } from '../../ingest/parse/format.ts';
import { ContentLedger } from '../../ingest/source/content-ledger.ts';
import { type FileInput, type Input, expandInputs } from '../../ingest/source/expand.ts';
import { inspectFile } from '../../ingest/source/inspect.ts';
import { cellsOf } from '../../ingest/source/segment-grid.ts';
import type { ReadingConfig } from '../config/config.ts';
import { ANALYZE_SEGMENT_BYTES, type ReadingOptions, type Task, TaskReader } from './task.ts';

/** A file that will be read. */
export type PlannedFile = {
  readonly index: number;
  readonly label: string;
  readonly format: Format;
  readonly first: EpochMs | undefined;
  readonly sizeBytes: number;
};

export type Plan = {
  readonly files: readonly PlannedFile[];
  readonly tasks: readonly Task[];
  /** Inputs of which nothing can be known before they are read: stdin and pipes. */
  readonly streams: readonly Input[];
  readonly problems: readonly string[];
};

/** Finds the files, tells their formats, skips copies, and cuts the work into tasks, oldest events first. */
export async function planTasks(names: readonly string[], reading: ReadingConfig, options: ReadingOptions): Promise<Plan> {
  const { inputs, problems: found } = await expandInputs(names);
  const problems = found.map(({ subject, message }) => `${subject}: ${message}`);
  const ledger = new ContentLedger();
  const reader = new TaskReader(options);
  const planned: { readonly file: PlannedFile; readonly input: FileInput; readonly isPlain: boolean }[] = [];
  const streams: Input[] = [];
  for (const input of inputs) {
    if (input.kind === 'stdin' || !input.isRegular) {
      streams.push(input);
      continue;
    }
    const seen = await inspectFile(input.path);
    if ('whyNot' in seen) {
      problems.push(`${input.path}: ${seen.whyNot}`);
      continue;
    }
    const copy = await ledger.copyOf({ path: input.path, compression: seen.compression, head: seen.head });
    if (copy !== undefined) {
      problems.push(`${input.path}: has the same content as ${copy}; it is counted once`);
      continue;
    }
    const detected = detectFormat(seen.head, { format: reading.format, envelope: reading.envelope, map: reading.map, keyNames: reading.keyNames });
    if (detected.format === undefined) {
      problems.push(`${input.path}: ${detected.why}`);
      continue;
    }
    const { format } = detected;
    const index = planned.length;
    const file = { index, label: input.path, format, first: firstEvent(reader, index, format, seen.head), sizeBytes: input.sizeBytes };
    planned.push({ file, input, isPlain: seen.compression === 'none' });
  }
  planned.sort((a, b) => (a.file.first ?? Number.POSITIVE_INFINITY) - (b.file.first ?? Number.POSITIVE_INFINITY) || a.file.index - b.file.index);
  const tasks = planned.flatMap(({ file, input, isPlain }): Task[] => {
    const task = { file: file.index, label: file.label, descriptor: file.format.descriptor, input };
    if (!isPlain) return [{ ...task, range: undefined }];
    const cells = cellsOf(input.sizeBytes, ANALYZE_SEGMENT_BYTES);
    return cells.map((cell) => ({ ...task, range: cell }));
  });
  return { files: planned.map(({ file }) => file).sort((a, b) => a.index - b.index), tasks, streams, problems };
}

/** Time of the oldest event in the beginning of a file: while that file waits, younger windows stay open. */
function firstEvent(reader: TaskReader, index: number, format: Format, head: Uint8Array): EpochMs | undefined {
  if (formatOf(format.descriptor) === undefined) return undefined;
  const ingest = reader.ingest(index, format.descriptor);
  const end = head.lastIndexOf(10) + 1;
  ingest.block(end > 0 ? head.subarray(0, end) : head, 0);
  let first: number | undefined;
  for (const batch of ingest.finish()) {
    for (const { window } of batch.rows) if (window > 0 && (first === undefined || window < first)) first = window;
  }
  return first === undefined ? undefined : startOf(first);
}
