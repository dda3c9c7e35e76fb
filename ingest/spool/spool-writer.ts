import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.ts';
import type { DurationMs, Offset } from '../../core/types.ts';
import { errorCode } from '../source/fs-problem.ts';
import { FRAME_BYTES_MAX, encodeFrame, frameOverhead } from './frame.ts';
import { KeyMemory } from './key-memory.ts';
import { KEYS_FILE, recoverSpool, requestId } from './recover.ts';
import { type SpoolFile, faultOf, nameSpool, partitionOf, replaceFile, spoolPath, syncDirectory, writeReason } from './spool-files.ts';

export type SpoolConfig = {
  readonly directory: string;
  /** A file of this length is followed by a new one. Default 32 MiB, and at most an eighth of `bytesMax`. */
  readonly segmentBytes?: number | undefined;
  /** All files together. */
  readonly bytesMax: number;
  /** Lines of requests that wait for the disk. Default 64 MiB. */
  readonly queueBytesMax?: number | undefined;
  /** Idempotency keys that are remembered. Default 50,000 and 24 hours. */
  readonly keysMax?: number | undefined;
  readonly keysMs?: DurationMs | undefined;
};
export type SpoolDeps = {
  readonly clock: Clock;
  /** 16 hex digits, never the same twice: names a new spool. */
  readonly newId: () => string;
  /** One clear line: what, where, what to do. */
  readonly onProblem?: ((message: string) => void) | undefined;
};

export type SpoolRequest = {
  /** Whole lines; the last one ends in a line feed too. Must not change until the answer. */
  readonly lines: Uint8Array;
  readonly count: number;
  /** 32 hex digits: the hash of whose key it is and of the key. */
  readonly key?: string | undefined;
};

/**
 * full: the files are as many as they may be · busy: too much waits for the disk · disk: it did not take it ·
 * other_lines: the key belongs to another request · closed: the process ends
 */
export type SpoolRefusal = 'full' | 'busy' | 'disk' | 'other_lines' | 'closed';
export type SpoolAnswer =
  /** Durable. `count` is that of the first request where this one repeats it. */
  | { readonly ok: true; readonly id: string; readonly count: number; readonly isDuplicate: boolean }
  /** Nothing of it was kept. */
  | { readonly ok: false; readonly refusal: SpoolRefusal; readonly reason: string; readonly retryAfterMs: DurationMs };

export type SpoolStats = {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly queuedBytes: number;
  readonly end: Offset;
  /** Everything before is stored. */
  readonly released: Offset;
  /** Why the last write failed; undefined when it did not. */
  readonly trouble: string | undefined;
};

type Waiting = SpoolRequest & { readonly checksum: number; readonly settle: (answer: SpoolAnswer) => void; readonly fail: (error: unknown) => void };

const SEGMENT_BYTES_DEFAULT = 2 ** 25;
const QUEUE_BYTES_DEFAULT = 2 ** 26;
/** Requests that wait are made durable together up to this size. */
const GROUP_BYTES_MAX = 2 ** 22;
const GROUP_REQUESTS_MAX = 4096;
const KEYS_DEFAULT = 50_000;
const KEYS_MS_DEFAULT = 86_400_000;
/** A wholly stored file longer than this is let go of: its lines hold keys. */
const SHORT_BYTES = 2 ** 20;
const RETRY_MS = { full: 10_000, busy: 1000, disk: 30_000, other_lines: 0, closed: 5000 } as const;

/**
 * The append end of the spool: requests become durable in the order in which they came, all that wait with one
 * fdatasync, and only then are they answered. One process only: whoever opens it holds the lock of the directory.
 */
export class SpoolWriter implements AsyncDisposable {
  readonly id: string;
  readonly directory: string;
  readonly #config: Required<{ [K in keyof SpoolConfig]: NonNullable<SpoolConfig[K]> }>;
  readonly #deps: SpoolDeps;
  readonly #keys: KeyMemory;
  readonly #listeners = new Set<() => void>();
  readonly #inFlight = new Map<string, Promise<SpoolAnswer>>();
  #files: readonly SpoolFile[];
  /** Undefined until the first append, and after a failure. */
  #handle: FileHandle | undefined;
  #end: Offset;
  #released: Offset = 0;
  #waiting: Waiting[] = [];
  #queuedBytes = 0;
  /** The one who works on the files; the next one comes after. */
  #turn: Promise<void> = Promise.resolve();
  #isWriting = false;
  #hasNewKeys = false;
  #isClosed = false;
  #trouble: string | undefined;

  private constructor(config: SpoolConfig, deps: SpoolDeps, state: { id: string; keys: KeyMemory; files: readonly SpoolFile[]; end: Offset }) {
    this.#config = withDefaults(config);
    this.#deps = deps;
    this.id = state.id;
    this.directory = config.directory;
    this.#keys = state.keys;
    this.#files = state.files;
    this.#end = state.end;
    this.#hasNewKeys = state.keys.size > 0;
  }

  /** Throws a `SpoolFault` when the directory cannot be used. */
  static async open(config: SpoolConfig, deps: SpoolDeps): Promise<SpoolWriter> {
    const { directory } = config;
    const id = await nameSpool(directory, deps.newId);
    const { keysMax, keysMs } = withDefaults(config);
    const keys = new KeyMemory({ keysMax, keysMs });
    try {
      const { files, end, problems } = await recoverSpool(directory, id, { keys, now: deps.clock.now() });
      for (const message of problems) deps.onProblem?.(message);
      const writer = new SpoolWriter(config, deps, { id, keys, files, end });
      if (files.length === 0) await writer.#begin();
      return writer;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      throw faultOf(directory, error);
    }
  }

  /** What the store knows it by. */
  get partition(): string {
    return partitionOf(this.id);
  }

  /** Everything before is durable. */
  get end(): Offset {
    return this.#end;
  }

  get bytes(): number {
    return this.#end - (this.#files[0]?.start ?? this.#end);
  }

  stats(): SpoolStats {
    const { bytesMax } = this.#config;
    return { bytes: this.bytes, bytesMax, queuedBytes: this.#queuedBytes, end: this.#end, released: this.#released, trouble: this.#trouble };
  }

  /** Called after every append and at the end. Returns how to stop that. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Answers when the request is durable, or refused as a whole. */
  append(request: SpoolRequest): Promise<SpoolAnswer> {
    const checksum = crc32(request.lines);
    const { key } = request;
    if (key === undefined) return this.#enqueue(request, checksum);
    const known = this.#keys.find(key, this.#deps.clock.now());
    if (known !== undefined) return Promise.resolve(repeatOf(known, checksum));
    const first = this.#inFlight.get(key);
    // The first one may still be refused: then this one is too, and both may be sent again.
    if (first !== undefined) return first.then((answer) => (answer.ok ? this.#answerRepeat(key, checksum, answer) : answer));
    const answer = this.#enqueue(request, checksum).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, answer);
    return answer;
  }

  /** Everything before `next` is stored: files wholly below are deleted, their idempotency keys kept. */
  async release(next: Offset): Promise<void> {
    if (next > this.#released) this.#released = next;
    const isLong = this.#end - (this.#files.at(-1)?.start ?? 0) > SHORT_BYTES;
    if (this.#doneFiles().length > 0 || (this.#released >= this.#end && isLong)) await this.#inTurn(() => this.#tidy(SHORT_BYTES));
  }

  /** The store knows positions up to `next` that the files no longer have: what is appended from now on must lie beyond them. */
  async skipTo(next: Offset): Promise<void> {
    await this.#inTurn(async () => {
      if (next <= this.#end) return;
      await this.#begin(next);
      this.#end = next;
    });
  }

  /** Writes what waits, then closes. Lines that are stored do not stay on the disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    while (this.#isWriting) await this.#turn;
    await this.#inTurn(async () => {
      await this.#tidy(0);
      await this.#closeFile();
    });
    this.#notify();
  }

  #enqueue(request: SpoolRequest, checksum: number): Promise<SpoolAnswer> {
    const { lines } = request;
    const { bytesMax, queueBytesMax } = this.#config;
    const whole = lines.length + frameOverhead(1);
    if (this.#isClosed) return Promise.resolve(refuse('closed', 'keywatch is stopping'));
    if (whole > FRAME_BYTES_MAX) throw new RangeError(`BUG: a request of ${lines.length} bytes is too long for the spool`);
    if (this.bytes + this.#queuedBytes + whole > bytesMax)
      return Promise.resolve(refuse('full', `the spool holds as much as it may (${bytesMax} bytes), because the store is slower than the senders or away`));
    if (this.#queuedBytes > 0 && this.#queuedBytes + whole > queueBytesMax) return Promise.resolve(refuse('busy', 'more requests wait for the disk than may'));
    this.#queuedBytes += whole;
    return new Promise((settle, fail) => {
      this.#waiting.push({ ...request, checksum, settle, fail });
      if (!this.#isWriting) this.#startWriting();
    });
  }

  #startWriting(): void {
    this.#isWriting = true;
    void this.#inTurn(async () => {
      while (this.#waiting.length > 0) await this.#writeGroup(this.#takeGroup());
      this.#isWriting = false;
    });
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { lines } of this.#waiting) {
      if (count > 0 && (bytes + lines.length > GROUP_BYTES_MAX || count >= GROUP_REQUESTS_MAX)) break;
      bytes += lines.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const offset = this.#end;
    const now = this.#deps.clock.now();
    try {
      const requests = group.map(({ lines, count, key = '', checksum }) => ({ lines, count, key, checksum }));
      // 1. the lines, durable
      await this.#write(encodeFrame(this.id, offset, { receivedAt: now, requests }));
      this.#trouble = undefined;
      // 2. the answers
      for (const [index, { key, checksum, count, settle }] of group.entries()) {
        const id = requestId(offset, index);
        if (key !== undefined) this.#keys.add({ key, checksum, count, at: now, id }, now);
        this.#hasNewKeys ||= key !== undefined;
        settle({ ok: true, id, count, isDuplicate: false });
      }
      this.#notify();
    } catch (error) {
      this.#refuseGroup(group, error);
    } finally {
      for (const { lines } of group) this.#queuedBytes -= lines.length + frameOverhead(1);
    }
  }

  /** A fault of the disk refuses; anything else is a bug and reaches whoever waits. */
  #refuseGroup(group: readonly Waiting[], error: unknown): void {
    if (errorCode(error) === undefined) {
      for (const { fail } of group) fail(error);
      return;
    }
    const reason = `the spool in ${this.directory} takes nothing: ${writeReason(error)}`;
    if (this.#trouble !== reason) this.#deps.onProblem?.(reason);
    this.#trouble = reason;
    for (const { settle } of group) settle(refuse('disk', reason));
  }

  /** All of `frame` becomes durable, or the file is as it was. */
  async #write(frame: Buffer): Promise<void> {
    if (this.#end - (this.#files.at(-1)?.start ?? 0) >= this.#config.segmentBytes) await this.#begin();
    const file = this.#files.at(-1);
    if (file === undefined) throw new Error('BUG: a spool without a file');
    const at = this.#end - file.start;
    this.#handle ??= await reopen(file, at);
    try {
      await writeAll(this.#handle, frame, at);
      await this.#handle.datasync();
    } catch (error) {
      await this.#cutBack(at);
      throw error;
    }
    this.#end += frame.length;
  }

  /** Takes back what was half written. Where even that fails, the next append tries it again first. */
  async #cutBack(length: number): Promise<void> {
    try {
      await this.#handle?.truncate(length);
      await this.#handle?.datasync();
    } catch {
      await this.#closeFile();
    }
  }

  /** A new file at the end. Its name is durable before anything in it is answered. */
  async #begin(start: Offset = this.#end): Promise<void> {
    const path = spoolPath(this.directory, start);
    // What a failure left behind under this name was never answered.
    const handle = await open(path, 'w', 0o600);
    try {
      await syncDirectory(this.directory);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await this.#closeFile();
    this.#handle = handle;
    if (this.#files.at(-1)?.start !== start) this.#files = [...this.#files, { start, path }];
  }

  #doneFiles(): readonly SpoolFile[] {
    return this.#files.filter((_, index) => (this.#files[index + 1]?.start ?? Number.POSITIVE_INFINITY) <= this.#released);
  }

  /** Deletes what is stored; the newest file only when all of it is and it is longer than `keptBytes`. */
  async #tidy(keptBytes: number): Promise<void> {
    try {
      const newest = this.#files.at(-1);
      if (newest !== undefined && this.#released >= this.#end && this.#end - newest.start > keptBytes) await this.#begin();
      const done = this.#doneFiles();
      if (done.length === 0) return;
      // 1. the keys, or a repeat would count again after a restart
      if (this.#hasNewKeys) await replaceFile(join(this.directory, KEYS_FILE), this.#keys.encode());
      if (this.#hasNewKeys) await syncDirectory(this.directory);
      this.#hasNewKeys = false;
      // 2. the files, the oldest first
      for (const file of done) {
        await rm(file.path, { force: true });
        this.#files = this.#files.filter(({ start }) => start !== file.start);
      }
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      this.#deps.onProblem?.(`the spool in ${this.directory}: what is stored could not be deleted: ${writeReason(error)}`);
    }
  }

  #answerRepeat(key: string, checksum: number, answer: Extract<SpoolAnswer, { ok: true }>): SpoolAnswer {
    const known = this.#keys.find(key, this.#deps.clock.now());
    return known === undefined ? { ...answer, isDuplicate: true } : repeatOf(known, checksum);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async #closeFile(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

function withDefaults(config: SpoolConfig): Required<{ [K in keyof SpoolConfig]: NonNullable<SpoolConfig[K]> }> {
  return {
    directory: config.directory,
    bytesMax: config.bytesMax,
    segmentBytes: Math.min(config.segmentBytes ?? SEGMENT_BYTES_DEFAULT, Math.max(1, Math.floor(config.bytesMax / 8))),
    queueBytesMax: config.queueBytesMax ?? QUEUE_BYTES_DEFAULT,
    keysMax: config.keysMax ?? KEYS_DEFAULT,
    keysMs: config.keysMs ?? KEYS_MS_DEFAULT,
  };
}

function repeatOf(known: { readonly id: string; readonly count: number; readonly checksum: number }, checksum: number): SpoolAnswer {
  if (known.checksum !== checksum) return refuse('other_lines', 'this idempotency key was used for other events before');
  return { ok: true, id: known.id, count: known.count, isDuplicate: true };
}

function refuse(refusal: SpoolRefusal, reason: string): SpoolAnswer {
  return { ok: false, refusal, reason, retryAfterMs: RETRY_MS[refusal] };
}

/** After a failure: without what it left behind the durable end. */
async function reopen(file: SpoolFile, length: number): Promise<FileHandle> {
  const handle = await open(file.path, 'r+');
  try {
    await handle.truncate(length);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
