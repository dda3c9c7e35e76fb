import type { EpochMs } from '../../core/types.ts';
import type { SimulatedEvent } from './event.ts';

/** What one entity really did: counted from the events themselves, so that it is independent of any log or parser. */
export type EntityTruth = {
  requests: number;
  s2xx: number;
  s3xx: number;
  /** Without 499. */
  s4xx: number;
  s5xx: number;
  /** 499. */
  aborted: number;
  s401: number;
  s403: number;
  s429: number;
  /** Body bytes. */
  bytesIn: number;
  /** Body bytes. */
  bytesOut: number;
  /** Starts of the first and the last request. */
  first: EpochMs;
  last: EpochMs;
};

export function emptyTruth(): EntityTruth {
  return {
    requests: 0,
    s2xx: 0,
    s3xx: 0,
    s4xx: 0,
    s5xx: 0,
    aborted: 0,
    s401: 0,
    s403: 0,
    s429: 0,
    bytesIn: 0,
    bytesOut: 0,
    first: Number.MAX_SAFE_INTEGER,
    last: 0,
  };
}

export function countInto(truth: EntityTruth, event: SimulatedEvent): void {
  const status = event.status;
  truth.requests++;
  if (status === 499) truth.aborted++;
  else if (status < 300) truth.s2xx++;
  else if (status < 400) truth.s3xx++;
  else if (status < 500) truth.s4xx++;
  else truth.s5xx++;
  if (status === 401) truth.s401++;
  else if (status === 403) truth.s403++;
  else if (status === 429) truth.s429++;
  truth.bytesIn += event.bytesIn;
  truth.bytesOut += event.bytesOut;
  if (event.at < truth.first) truth.first = event.at;
  if (event.at > truth.last) truth.last = event.at;
}
