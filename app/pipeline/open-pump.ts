import type { Fingerprinter } from '../../core/fingerprint.ts';
import type { EventSource, MetricStore, PartialBus } from '../../core/ports.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { Normaliser } from '../../ingest/parse/normaliser.ts';
import { Pump } from '../../ingest/pump.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import type { PipelineOptions, PipelineSource } from './pipeline-options.ts';

/** While a backlog is read, the store is written at least this often. */
const FLUSH_MS = 1000;

export type PumpParts = {
  readonly store: MetricStore;
  readonly fingerprinter: Fingerprinter;
  readonly bus: PartialBus;
  /** The one who judges may be another process. */
  readonly isShared: boolean;
  readonly stack: AsyncDisposableStack;
};

/** What moves the records of one source. */
export function openPump(source: PipelineSource, events: EventSource, options: PipelineOptions, parts: PumpParts): Pump {
  const { config, clock, onProblem, threads = 1 } = options;
  const { reading } = source;
  const { store, fingerprinter, bus, isShared, stack } = parts;
  const geo = options.geo;
  const naming = {
    keyNames: reading.keyNames,
    keyBy: reading.keyBy,
    trustedProxies: config.clients.trustedProxies,
    forwardedDepth: config.clients.depth,
  };
  const pool =
    threads < 2
      ? undefined
      : stack.use(new CellPool(threads, { pepper: options.pepper.reveal(), ...naming, ...(geo === undefined ? {} : { geo: geo.shared }) }));
  return new Pump(
    {
      segmentBytes: SEGMENT_BYTES,
      detect: { format: reading.format, envelope: reading.envelope, map: reading.map, keyNames: reading.keyNames },
      limits: { entities: config.limits.entities, dictionary: config.limits.dictionary },
      flushMs: FLUSH_MS,
      normaliser: () => new Normaliser({ fingerprinter, ...naming, geo }),
      // Over a bus the end of a segment is stored after the judge was told, and what may not have been told is told again.
      ...(isShared ? { unackedBatches: 1 } : {}),
      ...source.pump,
    },
    { source: events, store, bus, clock, onProblem, origin: source.tag, pool, deadLetters: source.deadLetters },
  );
}
