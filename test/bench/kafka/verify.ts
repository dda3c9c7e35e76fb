import { systemClock } from '../../../core/clock.ts';
import { C, at, errorsOf } from '../../../core/counters.ts';
import { Fingerprinter } from '../../../core/fingerprint.ts';
import { Secret } from '../../../core/secret.ts';
import { OWNER_KINDS, entityKind, entityName } from '../../../core/types.ts';
import { minuteOf } from '../../../core/window.ts';
import { openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import type { Filled } from './fill.ts';
import { PEPPER } from './installation.ts';

/** What the lines of a format let one compare: NGINX writes the end of a request, Kong another name of the key, and both the bytes on the wire. */
export type Exactness = 'key and minute' | 'key' | 'total';

type Sums = { requests: number; errors: number; bytesOut: number };

/** Holds what is stored against the ledger; throws at the first difference. */
export async function verify(
  filled: Filled,
  options: { readonly elasticsearch: string; readonly prefix: string; readonly exactness: Exactness },
): Promise<void> {
  const { ledger, population } = filled;
  const { exactness } = options;
  await using elasticsearch = await openElasticsearch({ nodes: [options.elasticsearch] }, { clock: systemClock, random: Math.random });
  await using store = await openMetricStore({ prefix: options.prefix, replicas: 0 }, { elasticsearch });
  const fingerprinter = new Fingerprinter(new Secret(PEPPER));
  const indices = new Map(population.all().map(({ secret, index }) => [fingerprinter.fingerprint(secret), index]));
  const minutes = ledger.to - ledger.from;
  const isByMinute = exactness === 'key and minute';
  const stored = new Map<number, Sums>();
  const total: Sums = { requests: 0, errors: 0, bytesOut: 0 };
  for await (const { entity, window, counters } of store.windows({ from: ledger.from, to: ledger.to + 2, resolution: 'minute' })) {
    if (!OWNER_KINDS.includes(entityKind(entity))) continue;
    add(total, counters);
    const index = indices.get(entityName(entity));
    if (index === undefined || exactness === 'total') continue;
    const place = isByMinute ? index * minutes + minuteOf(window.start) - ledger.from : index;
    let sums = stored.get(place);
    if (sums === undefined) stored.set(place, (sums = { requests: 0, errors: 0, bytesOut: 0 }));
    add(sums, counters);
  }
  const expected = ledger.total;
  for (const name of ['requests', 'errors', ...(isByMinute ? (['bytesOut'] as const) : [])] as const)
    if (total[name] !== expected[name]) throw new Error(`stored are ${total[name]} ${name}, the ledger has ${expected[name]}`);
  if (exactness === 'total') return;
  for (let index = 0; index < ledger.keys; index++) {
    let sum = { requests: 0, errors: 0, bytesOut: 0, denied: 0 };
    for (let minute = ledger.from; minute < ledger.to; minute++) {
      const truth = ledger.of(index, minute);
      if (isByMinute) check(truth, stored.get(index * minutes + minute - ledger.from), true, `key ${index} in minute ${minute}`);
      sum = {
        requests: sum.requests + truth.requests,
        errors: sum.errors + truth.errors,
        bytesOut: sum.bytesOut + truth.bytesOut,
        denied: sum.denied + truth.denied,
      };
    }
    if (!isByMinute) check(sum, stored.get(index), false, `key ${index}`);
  }
}

function add(sums: Sums, counters: Float64Array): void {
  sums.requests += at(counters, C.requests);
  sums.errors += errorsOf(counters);
  sums.bytesOut += at(counters, C.bytesOut);
}

/** A key that a segment saw refused only is counted with all others that were: its 401 may be there instead. */
function check(truth: Sums & { readonly denied: number }, stored: Sums = { requests: 0, errors: 0, bytesOut: 0 }, hasBytes: boolean, what: string): void {
  const missing = truth.requests - stored.requests;
  const isRight = missing >= 0 && missing <= truth.denied && truth.errors === stored.errors && (missing > 0 || !hasBytes || truth.bytesOut === stored.bytesOut);
  if (!isRight) throw new Error(`${what}: stored are ${JSON.stringify(stored)}, the ledger has ${JSON.stringify(truth)}`);
}
