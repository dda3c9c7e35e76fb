import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import { encodeCursor, identityOf } from './file-identity.ts';
import { Place } from './place.ts';
import { readStream } from './read-stream.ts';

const NOTHING = new Uint8Array(0);

export type StdinConfig = {
  readonly lineBytesMax?: number | undefined;
  /** True for a pipe that delivers as things happen: blocks then carry the time at which they came. */
  readonly isLive?: boolean | undefined;
};
export type StdinDeps = { readonly stream: Readable; readonly clock: Clock; readonly newId: () => string };

/**
 * Standard input, plain or packed, as one partition. A pipe cannot be read twice: every start is a new partition
 * whose positions count from 0, and what is in the pipe when the process dies is outside the promise.
 */
export function stdinSource(config: StdinConfig, deps: StdinDeps): EventSource {
  const partition = deps.newId();
  const place = new Place({ next: 0, head: NOTHING, tail: NOTHING });
  const stop = new AbortController();
  return {
    name: 'stdin',
    events: (signal) => stdinEvents(config, deps, { partition, place }, AbortSignal.any([signal, stop.signal])),
    cursor: (_partition, next) => stdinCursor(place, next),
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return Promise.resolve();
    },
  };
}

function stdinEvents(
  config: StdinConfig,
  deps: StdinDeps,
  reading: { readonly partition: string; readonly place: Place },
  signal: AbortSignal,
): AsyncIterable<SourceEvent> {
  return readStream(
    {
      ...reading,
      stream: deps.stream,
      label: 'stdin',
      lineBytesMax: config.lineBytesMax,
      receivedAt: config.isLive === true ? () => deps.clock.now() : undefined,
    },
    signal,
  );
}

/** Nothing finds a pipe again; the edges say what was read. */
function stdinCursor(place: Place, next: Offset): string {
  return encodeCursor({ ...identityOf(next, place.edgesAt(next)), device: '', inode: '', path: '-', compression: 'none', isDone: true });
}
