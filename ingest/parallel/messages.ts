import type { EpochMs, Offset } from '../../core/types.ts';
import type { GeoBytes } from '../enrich/mmdb-geo.ts';
import type { IngestLimits } from '../ingest-options.ts';
import type { PackedBatch } from '../transfer.ts';

/** What a worker needs to read lines as its parent does. */
export type WorkerReading = {
  readonly pepper: string;
  readonly keyNames: readonly string[];
  readonly keyBy: 'auto' | 'key' | 'user' | 'client';
  readonly trustedProxies: readonly string[];
  readonly forwardedDepth: number;
  /** Databases of its parent, in shared memory (`MmdbGeo.shared`). */
  readonly geo?: readonly GeoBytes[] | undefined;
};

/** One segment of one partition. */
export type CellSpec = {
  readonly source: number;
  readonly segmentBytes: number;
  readonly descriptor: string;
  readonly start: Offset;
  readonly limits: IngestLimits;
};

export type ToCellWorker =
  | { readonly kind: 'open'; readonly cell: number; readonly spec: CellSpec }
  | { readonly kind: 'block'; readonly cell: number; readonly bytes: Uint8Array; readonly offset: Offset; readonly receivedAt: EpochMs | undefined }
  | { readonly kind: 'oversized'; readonly cell: number; readonly offset: Offset; readonly length: number }
  /** `isSealed`: the segment ends here; otherwise it stays open and its parent goes on with it. */
  | { readonly kind: 'end'; readonly cell: number; readonly isSealed: boolean };

/** Undefined when the cell held no record. */
export type FromCellWorker = { readonly cell: number; readonly batch: PackedBatch | undefined };
