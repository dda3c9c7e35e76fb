import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { spoolSource } from '../../ingest/spool/spool-source.ts';
import { SpoolWriter, type SpoolStats } from '../../ingest/spool/spool-writer.ts';
import { lockDirectory } from '../../storage/sqlite/lock.ts';
import type { Config } from '../config/config.ts';
import { type EventsServer, type EventsStats, serveEvents } from '../http/events.ts';
import { formatGate } from '../http/format-gate.ts';
import { printListen } from '../http/listen.ts';
import { newPartitionId } from '../pipeline/partition-id.ts';
import type { PartitionState } from '../../ingest/pump.ts';
import type { PipelineSource } from '../pipeline/pipeline.ts';

/** The way in for senders: a spool on disk, read like a file, and the server in front of it. */
export type HttpIngest = AsyncDisposable & {
  readonly source: PipelineSource;
  /** Undefined: nothing more is accepted, what was is still counted. */
  readonly address: string | undefined;
  /** Once the pipeline reads: from here on events are accepted. */
  listen(partitions: () => readonly PartitionState[]): Promise<void>;
  stats(): { readonly spool: SpoolStats; readonly events: EventsStats } | undefined;
};

/** Nothing is added to a spool that is only read to its end. */
const DRAIN_BYTES_MAX = 2 ** 31;

export function httpIngest(config: Config, deps: { readonly clock: Clock; readonly onProblem: (message: string) => void }): HttpIngest | undefined {
  const { http } = config;
  const { clock, onProblem } = deps;
  const directory = join(config.store.directory, 'spool');
  // What was accepted before somebody took `http:` out of the configuration was promised to be counted.
  if (http === undefined && !existsSync(directory)) return undefined;
  const stack = new AsyncDisposableStack();
  let spool: SpoolWriter | undefined;
  let server: EventsServer | undefined;
  const { reading } = config;
  return {
    address: http === undefined ? undefined : printListen(http.listen),
    source: {
      reading,
      tag: 'http',
      open: async (known) => {
        // With an embedded store the directory is locked by it.
        if (config.store.elasticsearch !== undefined) stack.use(lockDirectory(config.store.directory));
        spool = stack.use(
          await SpoolWriter.open({ directory, bytesMax: http?.spool.bytesMax ?? DRAIN_BYTES_MAX }, { clock, newId: newPartitionId, onProblem }),
        );
        return spoolSource({ directory, lineBytesMax: config.limits.lineBytes }, { clock, known, writer: spool });
      },
    },
    listen: async (partitions) => {
      const writer = spool;
      if (http === undefined) return;
      if (writer === undefined) throw new Error('BUG: events are accepted before the spool is open');
      const current = (): string | undefined => {
        const format = partitions().find(({ name }) => name === writer.partition)?.format;
        return format === '' ? undefined : format;
      };
      const detect = { format: reading.format, envelope: reading.envelope, map: reading.map, keyNames: reading.keyNames };
      server = stack.use(
        await serveEvents(
          { listen: http.listen, tokens: http.tokens, tls: http.tls, maxBody: http.maxBody, maxEvents: http.maxEvents, maxRate: http.maxRate },
          { spool: writer, gate: formatGate({ detect, current }), clock, onProblem },
        ),
      );
    },
    stats: () => (spool === undefined || server === undefined ? undefined : { spool: spool.stats(), events: server.stats() }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
