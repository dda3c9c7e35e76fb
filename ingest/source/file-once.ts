import { closeSync, createReadStream, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import type { Compression } from './compression.ts';
import { ContentLedger } from './content-ledger.ts';
import type { FileInput, Input } from './expand.ts';
import { encodeCursor, identityOf } from './file-identity.ts';
import { fsReason, problem } from './fs-problem.ts';
import { type Inspection, inspectFile } from './inspect.ts';
import { LineBlocks, type LineEvent } from './line-blocks.ts';
import { unpack } from './packed-file.ts';
import { Place } from './place.ts';
import { readRangeOf } from './read-range.ts';
import { readStream } from './read-stream.ts';

const NOTHING = new Uint8Array(0);
/** Timers and signals get a turn after this many synchronous events. */
const EVENTS_PER_TURN = 16;

export type FileOnceConfig = { readonly inputs: readonly Input[]; readonly lineBytesMax?: number | undefined; readonly segmentBytes?: number | undefined };
export type FileOnceDeps = { readonly newId: () => string; /** Read where the inputs name `-`. */ readonly stdin?: Readable | undefined };

/** Bytes as stored, before unpacking: what a progress bar and its rate need. Pipes count as read, never in the total. */
export type Progress = { readonly bytesRead: number; readonly bytesTotal: number };

export interface FileOnceSource extends EventSource {
  progress(): Progress;
}

type Reading = {
  readonly partition: string;
  readonly label: string;
  readonly place: Place;
  readonly input: FileInput | undefined;
  readonly compression: Compression;
};

/**
 * Reads each input once, one after the other in the given order. What cannot be read is one problem and the rest
 * goes on; a file whose unpacked content was read before under another name is skipped.
 */
export function fileOnce(config: FileOnceConfig, deps: FileOnceDeps): FileOnceSource {
  return new OneShot(config, deps);
}

class OneShot implements FileOnceSource {
  readonly name = 'files';
  readonly #config: FileOnceConfig;
  readonly #deps: FileOnceDeps;
  readonly #ledger = new ContentLedger();
  readonly #stop = new AbortController();
  readonly #bytesTotal: number;
  #bytesRead = 0;
  #reading: Reading | undefined;
  readonly #finished = new Map<string, { readonly next: Offset; readonly cursor: string }>();

  constructor(config: FileOnceConfig, deps: FileOnceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#bytesTotal = config.inputs.reduce((sum, input) => sum + (input.kind === 'file' && input.isRegular ? input.sizeBytes : 0), 0);
  }

  progress(): Progress {
    return { bytesRead: this.#bytesRead, bytesTotal: this.#bytesTotal };
  }

  async *events(outer: AbortSignal): AsyncGenerator<SourceEvent> {
    const signal = AbortSignal.any([outer, this.#stop.signal]);
    for (const input of this.#config.inputs) {
      if (signal.aborted) return;
      if (input.kind === 'file' && input.isRegular) yield* this.#readFile(input, signal);
      else yield* this.#readPipe(input, signal);
    }
  }

  cursor(partition: string, next: Offset): string {
    const finished = this.#finished.get(partition);
    if (finished?.next === next) return finished.cursor;
    if (this.#reading?.partition !== partition) throw new Error(`BUG: the partition ${partition} is not the one being read`);
    return cursorOf(this.#reading, next, false);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  async *#readFile(input: FileInput, signal: AbortSignal): AsyncGenerator<SourceEvent> {
    const before = this.#bytesRead;
    const found = await inspectFile(input.path);
    if ('whyNot' in found) yield problem(input.path, found.whyNot);
    else {
      const original = await this.#ledger.copyOf({ path: input.path, ...found });
      if (original === undefined) yield* this.#readContent(input, found, signal);
      else yield problem(input.path, `has the same content as ${original}: counted once`);
    }
    this.#bytesRead = before + input.sizeBytes;
  }

  async *#readContent(input: FileInput, found: Inspection, signal: AbortSignal): AsyncGenerator<SourceEvent> {
    const place = new Place({ next: 0, head: found.head, tail: NOTHING });
    const reading: Reading = { partition: this.#deps.newId(), label: input.path, place, input, compression: found.compression };
    this.#reading = reading;
    const size = found.compression === 'none' ? { sizeBytes: found.sizeBytes } : {};
    yield { kind: 'assigned', partition: reading.partition, label: input.path, from: 0, head: found.head, ...size };
    try {
      if (found.compression === 'none') yield* this.#readPlain(reading, found.sizeBytes, signal);
      else yield* this.#readPacked(reading, found.compression, signal);
    } catch (error) {
      yield problem(input.path, fsReason(error), reading.partition);
    }
    if (signal.aborted) return;
    this.#finished.set(reading.partition, { next: place.next, cursor: cursorOf(reading, place.next, true) });
    yield { kind: 'finished', partition: reading.partition, position: place.next };
  }

  async *#readPlain(reading: Reading, sizeBytes: number, signal: AbortSignal): AsyncGenerator<SourceEvent> {
    const descriptor = openSync(reading.label, 'r');
    try {
      const range = readRangeOf({ descriptor, path: reading.label }, 0, sizeBytes, this.#config);
      let events = 0;
      for (let step = range.next(); ; step = range.next()) {
        if (step.done === true) {
          if (step.value.isShort) yield problem(reading.label, shrunk(step.value.next, sizeBytes), reading.partition);
          return;
        }
        if (step.value.kind === 'problem') yield { ...step.value, partition: reading.partition };
        else yield deliver(reading, step.value);
        this.#bytesRead += step.value.kind === 'block' ? step.value.bytes.length : 0;
        if (++events % EVENTS_PER_TURN === 0) await turn();
        if (signal.aborted) return;
        reading.place.settle();
      }
    } finally {
      closeSync(descriptor);
    }
  }

  async *#readPacked(reading: Reading, compression: 'gzip' | 'zstd', signal: AbortSignal): AsyncGenerator<SourceEvent> {
    await using handle = await open(reading.label, 'r');
    const stream = unpack(handle, compression, (bytes) => {
      this.#bytesRead += bytes;
    });
    const lines = new LineBlocks({ offset: 0, ...this.#config });
    try {
      for (let chunk = await stream.read(); chunk.length > 0 && !signal.aborted; chunk = await stream.read()) {
        for (const event of lines.push(chunk)) yield deliver(reading, event);
      }
      if (signal.aborted) return;
      if (stream.problemText !== undefined) yield problem(reading.label, stream.problemText, reading.partition);
      for (const event of lines.end()) yield deliver(reading, event);
    } finally {
      stream.close();
    }
  }

  async *#readPipe(input: Input, signal: AbortSignal): AsyncGenerator<SourceEvent> {
    const stream = input.kind === 'stdin' ? this.#deps.stdin : createReadStream(input.path);
    if (stream === undefined) throw new Error('BUG: the inputs name stdin and no stdin is given');
    const label = input.kind === 'stdin' ? 'stdin' : input.path;
    const place = new Place({ next: 0, head: NOTHING, tail: NOTHING });
    const partition = this.#deps.newId();
    this.#reading = { partition, label, place, input: undefined, compression: 'none' };
    try {
      for await (const event of readStream({ stream, partition, label, place, ...this.#config }, signal)) {
        if (event.kind === 'block') this.#bytesRead += event.bytes.length;
        yield event;
      }
    } finally {
      if (input.kind === 'file') stream.destroy();
    }
  }
}

function deliver(reading: Reading, event: LineEvent): SourceEvent {
  const { partition, place } = reading;
  if (event.kind === 'block') {
    place.advance(event.bytes);
    return { kind: 'block', partition, offset: event.offset, bytes: event.bytes };
  }
  place.pass(event.length, event.tail);
  return { kind: 'oversized', partition, offset: event.offset, length: event.length };
}

function cursorOf(reading: Reading, next: Offset, isDone: boolean): string {
  const [device = '', inode = ''] = reading.input?.key.split(':') ?? [];
  const path = reading.input?.path ?? '-';
  const stamp = isDone ? reading.input?.stamp : undefined;
  return encodeCursor({ ...identityOf(next, reading.place.edgesAt(next)), device, inode, path, compression: reading.compression, isDone, stamp });
}

function shrunk(next: Offset, sizeBytes: number): string {
  return `became shorter while it was read: ${next} of ${sizeBytes} bytes were there; run again when nothing cuts it`;
}
