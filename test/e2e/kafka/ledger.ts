import type { MetricStore } from '../../../core/ports.ts';
import { C, type Counters, at, errorsOf } from '../../../core/counters.ts';
import { testFingerprinter } from '../../support/ingest.ts';

/** What one (owner, minute) was given. `errors` as the error rate counts them: without 401, 403 and 429. */
export type Entry = { requests: number; errors: number; bytes: number; denied: number };
/** Every owner is a raw key, or this: what nobody ever accepted. */
export const REFUSED_OWNER = 'refused';

export type Event = { readonly key: string; readonly at: number; readonly status: number; readonly bytes: number; readonly isRefused?: boolean };

/** The producer's own account, by owner and minute. It never looks at a log or at a store. */
export class Ledger {
  readonly cells = new Map<string, Map<number, Entry>>();
  events = 0;

  add({ key, at: time, status, bytes, isRefused = false }: Event): void {
    const owner = isRefused ? REFUSED_OWNER : key;
    let minutes = this.cells.get(owner);
    if (minutes === undefined) this.cells.set(owner, (minutes = new Map()));
    const minute = Math.floor(time / 60_000);
    let entry = minutes.get(minute);
    if (entry === undefined) minutes.set(minute, (entry = { requests: 0, errors: 0, bytes: 0, denied: 0 }));
    entry.requests++;
    entry.bytes += bytes;
    if (status === 401) entry.denied++;
    else if (status >= 400 && status < 600 && status !== 403 && status !== 429 && status !== 499) entry.errors++;
    this.events++;
  }

  get size(): number {
    let size = 0;
    for (const minutes of this.cells.values()) size += minutes.size;
    return size;
  }

  get lastMinute(): number {
    let last = 0;
    for (const minutes of this.cells.values()) for (const minute of minutes.keys()) if (minute > last) last = minute;
    return last;
  }

  /** By `entity minute`, as stores name them. */
  byEntity(): Map<string, Entry> {
    const named = new Map<string, Entry>();
    for (const [owner, minutes] of this.cells) {
      const entity = entityOf(owner);
      for (const [minute, entry] of minutes) named.set(`${entity} ${minute}`, entry);
    }
    return named;
  }
}

const entities = new Map<string, string>();

export function entityOf(owner: string): string {
  let entity = entities.get(owner);
  if (entity === undefined) entities.set(owner, (entity = owner === REFUSED_OWNER ? 'refused:' : `key:${testFingerprinter.fingerprint(owner)}`));
  return entity;
}

/** What a store holds, merged over all segments; networks are counted beside the owners and are left out. */
export async function storedCells(store: MetricStore): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>();
  for await (const { entity, window, counters } of store.windows({ from: 0, to: Number.MAX_SAFE_INTEGER, resolution: 'minute' })) {
    if (entity.startsWith('network:')) continue;
    found.set(`${entity} ${window.start / 60_000}`, entryOf(counters));
  }
  return found;
}

function entryOf(counters: Counters): Entry {
  return { requests: at(counters, C.requests), errors: errorsOf(counters), bytes: at(counters, C.bytesOut), denied: at(counters, C.s401) };
}

/** `lost`: requests that the ledger has and the store has not, over all cells. `doubled`: the other way round. `off`: sums of the rest that differ. */
export type Difference = {
  readonly cells: number;
  readonly lost: number;
  readonly doubled: number;
  readonly off: number;
  readonly examples: readonly string[];
};

const EXAMPLES_MAX = 10;

export function compare(truth: ReadonlyMap<string, Entry>, found: ReadonlyMap<string, Entry>): Difference {
  let lost = 0;
  let doubled = 0;
  let off = 0;
  const examples: string[] = [];
  for (const name of new Set([...truth.keys(), ...found.keys()])) {
    const want = truth.get(name) ?? NOTHING;
    const have = found.get(name) ?? NOTHING;
    lost += Math.max(0, want.requests - have.requests);
    doubled += Math.max(0, have.requests - want.requests);
    const isOff = want.errors !== have.errors || want.bytes !== have.bytes || want.denied !== have.denied;
    if (isOff) off++;
    if ((isOff || want.requests !== have.requests) && examples.length < EXAMPLES_MAX)
      examples.push(`${name}: wanted ${JSON.stringify(want)}, found ${JSON.stringify(have)}`);
  }
  return { cells: truth.size, lost, doubled, off, examples };
}

const NOTHING: Entry = { requests: 0, errors: 0, bytes: 0, denied: 0 };

/** No difference. */
export function same(ledger: Ledger): Difference {
  return { cells: ledger.size, lost: 0, doubled: 0, off: 0, examples: [] };
}
