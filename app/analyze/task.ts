import { Fingerprinter } from '../../core/fingerprint.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { Secret } from '../../core/secret.ts';
import type { EpochMs, Offset } from '../../core/types.ts';
import { type GeoBytes, geoOf } from '../../ingest/enrich/mmdb-geo.ts';
import { formatOf } from '../../ingest/parse/detect.ts';
import { Normaliser } from '../../ingest/parse/normaliser.ts';
import type { IngestLimits } from '../../ingest/ingest-options.ts';
import type { SegmentTops } from '../../ingest/aggregate/segment-tops.ts';
import { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { fileOnce } from '../../ingest/source/file-once.ts';
import type { FileInput } from '../../ingest/source/expand.ts';
import { readRange } from '../../ingest/source/read-range.ts';

/** Fixed, so that what counts as refused does not depend on the number of threads. */
export const ANALYZE_SEGMENT_BYTES = 2 ** 25;

/** How lines are read, in a form that crosses to a thread. */
export type ReadingOptions = {
  readonly pepper: string;
  readonly keyNames: readonly string[];
  readonly keyBy: 'auto' | 'key' | 'user' | 'client';
  readonly trustedProxies: readonly string[];
  readonly depth: number;
  readonly limits: IngestLimits;
  readonly lineBytesMax: number;
  readonly since: EpochMs | undefined;
  readonly until: EpochMs | undefined;
  /** Databases that say where addresses are, in shared memory. */
  readonly geo?: readonly GeoBytes[] | undefined;
};

/** A share of the work: a range of a plain file, or a packed file as a whole. */
export type Task = {
  readonly file: number;
  readonly label: string;
  readonly descriptor: string;
  readonly input: FileInput;
  readonly range: { readonly from: Offset; readonly to: Offset } | undefined;
};

export type TaskEvents = {
  readonly onBatch: (batch: PartialBatch) => void;
  readonly onTops: (tops: SegmentTops) => void;
  readonly onProblem: (message: string) => void;
  /** Bytes as stored that were read since the last call. */
  readonly onRead: (bytes: number) => void;
};

const REPORT_BYTES = 4 << 20;

/** Reads task after task; the dictionaries stay warm between them. */
export class TaskReader {
  readonly #options: ReadingOptions;
  readonly #normaliser: Normaliser;

  constructor(options: ReadingOptions) {
    this.#options = options;
    const { pepper, keyNames, keyBy, trustedProxies, depth } = options;
    const geo = options.geo === undefined || options.geo.length === 0 ? undefined : geoOf(options.geo);
    this.#normaliser = new Normaliser({ fingerprinter: new Fingerprinter(new Secret(pepper)), keyNames, keyBy, trustedProxies, forwardedDepth: depth, geo });
    this.#normaliser.routes.hasObjects = false;
  }

  async read(task: Task, events: TaskEvents): Promise<void> {
    const ingest = this.ingest(task.file, task.descriptor);
    if (task.range === undefined) await this.#readWhole(task, ingest, events);
    else this.#readRange(task, task.range, ingest, events);
    for (const batch of ingest.finish()) events.onBatch(batch);
    for (const tops of ingest.takeTops()) events.onTops(tops);
  }

  ingest(file: number, descriptor: string): PartitionIngest {
    const { keyNames, limits, since, until } = this.#options;
    const format = formatOf(descriptor, keyNames);
    if (format === undefined) throw new Error(`BUG: no format is described by "${descriptor}"`);
    return new PartitionIngest({
      source: file,
      partition: 0,
      generation: 1,
      segmentBytes: ANALYZE_SEGMENT_BYTES,
      format,
      normaliser: this.#normaliser,
      limits,
      since,
      until,
      sketches: 'segment',
    });
  }

  #readRange(task: Task, range: { readonly from: Offset; readonly to: Offset }, ingest: PartitionIngest, events: TaskEvents): void {
    let isStarted = false;
    let unreported = 0;
    const lines = readRange(task.input.path, range.from, range.to, { lineBytesMax: this.#options.lineBytesMax, segmentBytes: ANALYZE_SEGMENT_BYTES });
    for (let step = lines.next(); ; step = lines.next()) {
      if (step.done === true) {
        if (step.value.isShort && range.to < Number.MAX_SAFE_INTEGER)
          events.onProblem(`${task.label}: became shorter while it was read; counted up to byte ${step.value.next}`);
        break;
      }
      const event = step.value;
      if (event.kind === 'problem') {
        events.onProblem(`${event.subject}: ${event.message}`);
        continue;
      }
      if (!isStarted) ingest.startAt(event.offset);
      isStarted = true;
      if (event.kind === 'block') {
        ingest.block(event.bytes, event.offset);
        unreported += event.bytes.length;
      } else ingest.oversized(event.offset, event.length);
      for (const batch of ingest.takeSealed()) events.onBatch(batch);
      if (unreported >= REPORT_BYTES) {
        events.onRead(unreported);
        unreported = 0;
      }
    }
    events.onRead(unreported);
  }

  async #readWhole(task: Task, ingest: PartitionIngest, events: TaskEvents): Promise<void> {
    await using source = fileOnce(
      { inputs: [task.input], lineBytesMax: this.#options.lineBytesMax, segmentBytes: ANALYZE_SEGMENT_BYTES },
      { newId: () => String(task.file) },
    );
    let reported = 0;
    for await (const event of source.events(new AbortController().signal)) {
      if (event.kind === 'block') ingest.block(event.bytes, event.offset);
      else if (event.kind === 'oversized') ingest.oversized(event.offset, event.length);
      else if (event.kind === 'problem') events.onProblem(`${event.subject}: ${event.message}`);
      for (const batch of ingest.takeSealed()) events.onBatch(batch);
      const { bytesRead } = source.progress();
      if (bytesRead - reported < REPORT_BYTES) continue;
      events.onRead(bytesRead - reported);
      reported = bytesRead;
    }
    events.onRead(source.progress().bytesRead - reported);
  }
}
