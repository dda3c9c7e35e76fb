import { lstatSync } from 'node:fs';
import { dirname, matchesGlob } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import { DirectoryHints } from './directory-hints.ts';
import { type NameProblem, expandName, globBase, isGlob } from './expand.ts';
import { decodeCursor } from './file-identity.ts';
import { type FileRecord, FileTable, type FoundFile, needsLook } from './file-table.ts';
import { lookAtFile } from './follow-place.ts';
import { dueToFinish, finishPartition, readPartition, tellLost } from './follow-read.ts';
import { type FollowConfig, type FollowState, closeQuietly } from './follow-state.ts';
import { FOLLOW_BUFFER_BYTES } from './followed-content.ts';
import { FollowedPartition } from './followed-partition.ts';
import { problem } from './fs-problem.ts';
import { oldestFirst } from './rotation-order.ts';

/** What a store knows of a partition: where it stopped, and the cursor that was stored with it. */
export type KnownPartition = { readonly name: string; readonly next: Offset; readonly cursor?: string | undefined };

export type FollowDeps = {
  readonly clock: Clock;
  /** 16 hex digits, never the same twice: names a new partition. */
  readonly newId: () => string;
  readonly known: readonly KnownPartition[];
};

/** Files that are open and not read to their end yet. More wait unopened, so that a large backlog does not use up the descriptors. */
const BEHIND_MAX = 64;
/** After this long without growth a watched file is polled with the scan only. */
const HOT_MS = 60_000;
/** Changes come in bursts: what follows a hint within this time is read together. */
const HINT_DELAY_MS = 10;
const HINTED_SCAN_MS = 200;

/**
 * Follows files for ever: new ones by name, rename rotation, copytruncate, packing, deletion, partial last lines.
 * Each content is one partition, recognised by its edges wherever it turns up, and each of its lines is delivered
 * once. Reads only when asked, one chunk of one file at a time, in turn.
 */
export function fileFollow(config: FollowConfig, deps: FollowDeps): EventSource {
  return new Follower(config, deps);
}

class Follower implements EventSource {
  readonly name = 'files';
  readonly #patterns: readonly string[];
  readonly #state: FollowState;
  readonly #hints: DirectoryHints | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(FOLLOW_BUFFER_BYTES);
  readonly #stop = new AbortController();
  /** What is wrong with the patterns at the moment. */
  #nameProblems: ReadonlyMap<string, string> = new Map();
  /** Files to be looked at, in order. */
  #toLook: FileRecord[] = [];
  #hasToldLost = false;
  #scannedAt = Number.NEGATIVE_INFINITY;
  #polledAt = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #wake = new AbortController();
  #isHinted = false;
  #startedAt = 0;

  constructor(config: FollowConfig, deps: FollowDeps) {
    this.#patterns = config.patterns;
    this.#hints = config.usesHints === false ? undefined : new DirectoryHints((path) => this.#onHint(path));
    const newestInGroup = new Map<number, FollowedPartition>();
    this.#state = {
      times: {
        pollMs: config.pollMs ?? 200,
        scanMs: config.scanMs ?? 2000,
        settleMs: config.settleMs ?? 2000,
        orphanMs: config.orphanMs ?? 10_000,
        movedMs: config.movedMs ?? 60_000,
        idleMs: config.idleMs ?? 3_600_000,
      },
      lineBytesMax: config.lineBytesMax,
      segmentBytes: config.segmentBytes,
      clock: deps.clock,
      newId: deps.newId,
      table: new FileTable(),
      partitions: knownPartitions(deps.known),
      reading: new Set(),
      checks: [],
      outbox: [],
      troubles: new Map(),
      newestInGroup,
      isWatched: (path) => this.#isWatched(path),
      wantsScan: false,
    };
  }

  cursor(partition: string, next: Offset): string {
    const known = this.#state.partitions.get(partition);
    if (known === undefined) throw new Error(`BUG: there is no partition ${partition}`);
    return known.cursor(next);
  }

  async *events(outer: AbortSignal): AsyncGenerator<SourceEvent> {
    const signal = AbortSignal.any([outer, this.#stop.signal]);
    const onAbort = (): void => this.#wake.abort();
    signal.addEventListener('abort', onAbort);
    this.#startedAt = this.#state.clock.monotonic();
    try {
      while (!signal.aborted) yield* this.#round(signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      await this.#close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#close();
  }

  /** Does the most urgent thing there is. */
  async *#round(signal: AbortSignal): AsyncGenerator<SourceEvent> {
    const state = this.#state;
    const event = state.outbox.shift();
    if (event !== undefined) {
      yield event;
      return;
    }
    const now = state.clock.monotonic();
    if (now >= this.#nextScanAt()) await this.#scan();
    else if (now >= this.#polledAt + state.times.pollMs) yield* this.#poll(now);
    else if (this.#toLook.length > 0 && this.#behind() < BEHIND_MAX) await this.#look();
    else {
      const task = this.#nextTask();
      if (task instanceof FollowedPartition) yield* readPartition(state, task, this.#buffer);
      else if (task !== undefined) await this.#check(task);
      else await this.#idle(Math.min(this.#nextScanAt(), this.#polledAt + state.times.pollMs) - now, signal);
    }
  }

  #nextScanAt(): number {
    const { wantsScan, times } = this.#state;
    return this.#scannedAt + (wantsScan ? Math.min(HINTED_SCAN_MS, times.scanMs) : times.scanMs);
  }

  async #scan(): Promise<void> {
    const state = this.#state;
    state.wantsScan = false;
    const now = state.clock.monotonic();
    this.#scannedAt = now;
    const problems: NameProblem[] = [];
    const found = await findFiles(this.#patterns, problems);
    this.#tell(problems);
    const records = state.table.update(found, now);
    this.#hints?.watch(directoriesOf(this.#patterns, found));
    for (const { file } of state.reading) {
      if (file === undefined) continue;
      const record = state.table.get(file.key);
      const isMoved = file.isRotated || record?.paths.has(file.path) !== true;
      file.movedAt = isMoved ? (file.movedAt ?? now) : undefined;
      file.isPolled = !this.#isWatched(file.path);
      if (record?.input.sizeBytes !== file.content.position) file.isReady = true;
    }
    // A file whose inode the store remembers goes first, so that no copy of it is taken for it.
    const keys = new Set([...state.partitions.values()].filter(({ state }) => state !== 'reading').map((partition) => partition.lastKey));
    const toLook = records.filter(needsLook);
    this.#toLook = [...toLook.filter(({ key }) => keys.has(key)), ...toLook.filter(({ key }) => !keys.has(key))];
  }

  /** Told when it starts; an end is told too, save for a file that was waited for: reading it says enough. */
  #tell(problems: readonly NameProblem[]): void {
    const { outbox } = this.#state;
    const current = new Map(problems.map(({ subject, message, isAbsent }) => [subject, isAbsent ? ABSENT : message]));
    for (const [subject, message] of this.#nameProblems) {
      if (!current.has(subject) && message !== ABSENT) outbox.push(problem(subject, 'can be read again'));
    }
    for (const [subject, message] of current) if (this.#nameProblems.get(subject) !== message) outbox.push(problem(subject, message));
    this.#nameProblems = current;
  }

  async *#poll(now: number): AsyncGenerator<SourceEvent> {
    const state = this.#state;
    this.#polledAt = now;
    for (const partition of dueToFinish(state)) {
      if (partition.file === undefined) yield* finishPartition(state, partition);
      else partition.file.isEnding = partition.file.isReady = true;
    }
    for (const { file } of state.reading) {
      if (file !== undefined && (file.isPolled || now - file.grewAt < HOT_MS)) file.isReady = true;
    }
    const isQuiet = this.#toLook.length === 0 && state.checks.length === 0;
    if (this.#hasToldLost || !isQuiet || now - this.#startedAt < state.times.orphanMs) return;
    this.#hasToldLost = true;
    tellLost(state);
  }

  async #look(): Promise<void> {
    const record = this.#toLook.shift();
    if (record !== undefined && needsLook(record)) await lookAtFile(this.#state, record);
    if (this.#toLook.length === 0) this.#state.newestInGroup = undefined;
  }

  async #check(record: FileRecord): Promise<void> {
    const { checks } = this.#state;
    await record.check?.step();
    if (record.check?.isFinished !== true) return;
    checks.splice(checks.indexOf(record), 1);
    await lookAtFile(this.#state, record);
  }

  #behind(): number {
    return [...this.#state.reading].filter(({ file }) => file?.caughtUpAt === undefined).length;
  }

  /** Partitions and checks with work to do, in turn. */
  #nextTask(): FollowedPartition | FileRecord | undefined {
    const tasks = [...[...this.#state.reading].filter(isRunnable), ...this.#state.checks];
    return tasks[this.#turn++ % tasks.length];
  }

  async #idle(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#state;
    this.#wake = new AbortController();
    this.#isHinted = false;
    if (signal.aborted) return;
    await clock.sleep(ms, this.#wake.signal);
    if (this.#isHinted) await clock.sleep(HINT_DELAY_MS, signal);
  }

  #onHint(path: string): void {
    const partition = [...this.#state.reading].find(({ file }) => file?.path === path);
    if (partition?.file !== undefined) partition.file.isReady = true;
    else if (this.#patterns.some((pattern) => mayMatch(path, pattern))) this.#state.wantsScan = true;
    else return;
    this.#isHinted = true;
    this.#wake.abort();
  }

  /** The kernel reports on directories: what a link leads to is changed elsewhere. */
  #isWatched(path: string): boolean {
    if (this.#hints?.isWatched(dirname(path)) !== true) return false;
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === false;
  }

  async #close(): Promise<void> {
    this.#hints?.close();
    for (const record of this.#state.checks.splice(0)) await closeQuietly(record.check);
    for (const partition of this.#state.partitions.values()) {
      const { file } = partition;
      partition.remember();
      partition.file = undefined;
      await closeQuietly(file?.content);
    }
  }
}

const ABSENT = 'nothing of that name is there yet: waiting for it';

function isRunnable({ file, after }: FollowedPartition): boolean {
  if (file?.isReady !== true) return false;
  return after?.state !== 'reading' || after.file?.caughtUpAt !== undefined;
}

function knownPartitions(known: readonly KnownPartition[]): Map<string, FollowedPartition> {
  const partitions = new Map<string, FollowedPartition>();
  for (const { name, next, cursor } of known) {
    const decoded = cursor === undefined ? undefined : decodeCursor(cursor);
    if (decoded === undefined || decoded.inode === '' || decoded.next !== next) continue;
    partitions.set(name, new FollowedPartition(name, decoded));
  }
  return partitions;
}

async function findFiles(patterns: readonly string[], problems: NameProblem[]): Promise<FoundFile[]> {
  const paths = new Map<string, Set<string>>();
  const found: FoundFile[] = [];
  for (const [group, pattern] of patterns.entries()) {
    const files = await expandName(pattern, problems);
    for (const input of oldestFirst(files)) {
      const known = paths.get(input.key);
      if (known !== undefined) known.add(input.path);
      else if (input.isRegular) {
        const names = new Set([input.path]);
        paths.set(input.key, names);
        found.push({ input, paths: names, group });
      } else problems.push({ subject: input.path, message: 'is a pipe, not a file: pipe it into keywatch and name the input -', isAbsent: false });
    }
  }
  return found;
}

/** Whether a name that something happened to is one that is followed: others in the directory are no business of ours. */
function mayMatch(path: string, pattern: string): boolean {
  return isGlob(pattern) ? matchesGlob(path, pattern) : path === pattern || path.startsWith(pattern);
}

/** Where new names may appear, and where the files are. */
function directoriesOf(patterns: readonly string[], found: readonly FoundFile[]): Set<string> {
  const directories = new Set(patterns.map((pattern) => (isGlob(pattern) ? globBase(pattern) : dirname(pattern))));
  for (const { input } of found) directories.add(dirname(input.path));
  return directories;
}
