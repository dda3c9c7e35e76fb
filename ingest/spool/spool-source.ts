import type { Clock } from '../../core/clock.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import type { DurationMs, Offset } from '../../core/types.ts';
import { fsReason, problem } from '../source/fs-problem.ts';
import { LineBlocks } from '../source/line-blocks.ts';
import { SAMPLE_BYTES } from '../source/sample.ts';
import type { Frame } from './frame.ts';
import { FrameReader, type FrameStep } from './frame-reader.ts';
import { gapText } from './recover.ts';
import { partitionOf, readSpoolId } from './spool-files.ts';
import type { SpoolWriter } from './spool-writer.ts';

export type SpoolSourceConfig = {
  readonly directory: string;
  readonly lineBytesMax?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** How often somebody else's spool is looked at. Default 200 ms. */
  readonly pollMs?: DurationMs | undefined;
};
export type SpoolSourceDeps = {
  readonly clock: Clock;
  /** Where the store stands: the partition of this spool is looked up in it. */
  readonly known: readonly { readonly name: string; readonly next: Offset }[];
  /**
   * The writer of this process: it says what is durable and when there is more, and deletes what is stored. Without it
   * the files are read as they grow and nothing is deleted: only the writer knows what must be kept.
   */
  readonly writer?: SpoolWriter | undefined;
};

const POLL_MS = 200;
/** With a writer there is nothing to be found by looking. */
const WRITER_POLL_MS = 5000;
/** Requests come in bursts: what follows the first one within this time is read with it. */
const LINGER_MS = 5;
const RETRY_MS = 1000;
const NOTHING = new Uint8Array(0);

/**
 * The spool of accepted HTTP requests as one partition, `spool:` and its random name. Positions are bytes of the spool
 * with its frame heads, so they are exact after a restart and the grid cuts the same segments every time. A block is a
 * part of one frame and carries its receive time.
 */
export function spoolSource(config: SpoolSourceConfig, deps: SpoolSourceDeps): EventSource {
  const stop = new AbortController();
  const files = new AsyncDisposableStack();
  return {
    name: 'http',
    events: (signal) => spoolEvents(config, { ...deps, files }, AbortSignal.any([signal, stop.signal])),
    // The name of the partition and the position say everything.
    cursor: () => CURSOR,
    stored: async (_partition, { next }) => deps.writer?.release(next),
    // Also when nobody asks for the next event any more.
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return files.disposeAsync();
    },
  };
}

const CURSOR = JSON.stringify({ v: 1, spool: true });

type Step = FrameStep | { readonly kind: 'fault'; readonly reason: string };

async function* spoolEvents(
  config: SpoolSourceConfig,
  deps: SpoolSourceDeps & { readonly files: AsyncDisposableStack },
  signal: AbortSignal,
): AsyncGenerator<SourceEvent> {
  const { directory } = config;
  const { writer, known, clock } = deps;
  const id = writer?.id ?? (await waitForId(config, clock, signal));
  if (id === undefined) return;
  const partition = partitionOf(id);
  const from = known.find(({ name }) => name === partition)?.next ?? 0;
  if (writer !== undefined && writer.end < from) {
    yield problem(directory, `the spool ends at ${writer.end}, but everything up to ${from} is stored: files of it are gone; it goes on at ${from}`, partition);
    await writer.skipTo(from);
  }
  if (signal.aborted) return;
  await using reader = deps.files.use(new FrameReader({ directory, id, from }));
  let step = await take(reader, writer, from);
  yield { kind: 'assigned', partition, label: 'http', from, head: step.kind === 'frame' ? headOf(step.frame, from) : NOTHING };
  let caughtUpAt = -1;
  let fault = '';
  while (!signal.aborted) {
    if (step.kind === 'frame') yield* blocksOf(config, step.frame, { partition, from });
    else if (step.kind === 'gap') yield problem(directory, gapText(directory, Math.max(step.from, from), step.to), partition);
    else if (step.kind === 'fault') {
      if (step.reason !== fault) yield problem(directory, `the spool ${step.reason}; it is tried again`, partition);
      await clock.sleep(RETRY_MS, signal);
    } else {
      const position = Math.max(step.position, from);
      if (position !== caughtUpAt) yield { kind: 'caught_up', partition, position };
      caughtUpAt = position;
      await waitForMore(config, deps, step.position, signal);
    }
    fault = step.kind === 'fault' ? step.reason : '';
    if (!signal.aborted) step = await take(reader, writer, from);
  }
}

/** The next step that has something at or after `from`. */
async function take(reader: FrameReader, writer: SpoolWriter | undefined, from: Offset): Promise<Step> {
  try {
    for (;;) {
      const step = await reader.next(writer?.end);
      const isStored = (step.kind === 'frame' && step.frame.end <= from) || (step.kind === 'gap' && step.to <= from);
      if (!isStored) return step;
    }
  } catch (error) {
    return { kind: 'fault', reason: fsReason(error) };
  }
}

/** The lines of a frame from `from` on: a segment that ends inside a frame is followed by one that begins there. */
function linesOf(frame: Frame, from: Offset): { readonly offset: Offset; readonly lines: Uint8Array } {
  const passed = Math.max(0, from - frame.linesAt);
  return { offset: frame.linesAt + passed, lines: frame.lines.subarray(passed) };
}

function headOf(frame: Frame, from: Offset): Uint8Array {
  return Uint8Array.from(linesOf(frame, from).lines.subarray(0, SAMPLE_BYTES));
}

function* blocksOf(config: SpoolSourceConfig, frame: Frame, at: { readonly partition: string; readonly from: Offset }): Generator<SourceEvent> {
  const { partition } = at;
  const { offset, lines } = linesOf(frame, at.from);
  if (lines.length === 0) return;
  const { receivedAt } = frame;
  const blocks = new LineBlocks({ offset, lineBytesMax: config.lineBytesMax, segmentBytes: config.segmentBytes });
  for (const event of [...blocks.push(lines), ...blocks.end()]) {
    if (event.kind === 'block') yield { kind: 'block', partition, offset: event.offset, bytes: event.bytes, receivedAt };
    else yield { kind: 'oversized', partition, offset: event.offset, length: event.length };
  }
}

/** Until the writer has more, or it is time to look. */
async function waitForMore(config: SpoolSourceConfig, deps: SpoolSourceDeps, position: Offset, signal: AbortSignal): Promise<void> {
  const { writer, clock } = deps;
  if (writer === undefined) return clock.sleep(config.pollMs ?? POLL_MS, signal);
  if (writer.end > position || signal.aborted) return;
  const wake = new AbortController();
  const onWake = (): void => wake.abort();
  const stop = writer.onAppend(onWake);
  signal.addEventListener('abort', onWake);
  try {
    await clock.sleep(config.pollMs ?? WRITER_POLL_MS, wake.signal);
    if (writer.end > position) await clock.sleep(LINGER_MS, signal);
  } finally {
    stop();
    signal.removeEventListener('abort', onWake);
  }
}

/** Somebody else's spool may not have been begun yet. */
async function waitForId(config: SpoolSourceConfig, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  while (!signal.aborted) {
    const id = await readSpoolId(config.directory);
    if (id !== undefined) return id;
    await clock.sleep(config.pollMs ?? POLL_MS, signal);
  }
  return undefined;
}
