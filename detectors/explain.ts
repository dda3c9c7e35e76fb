import { readCells, readCounters } from '../core/cells.ts';
import { C, type Counters, at } from '../core/counters.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { Contribution } from '../core/finding.ts';
import type { Dimension, Sketch } from '../core/sketch/sketch.ts';
import type { TallyItem } from '../core/sketch/tally.ts';
import { type Minute, entityId } from '../core/types.ts';
import type { Walk } from './ledger/walk.ts';
import type { Basis, Detail } from './rule.ts';

/** Values shown per dimension. */
const TOP = 3;
/** Smaller shares explain nothing. */
const SHARE_MIN = 0.01;
/** Sketches read per finding, the heaviest minutes first: an hour that breaches is judged every minute. */
const SKETCHES_MAX = 12;

const DIMENSIONS: readonly { readonly dimension: Dimension; readonly name: string }[] = [
  { dimension: 'route', name: 'route' },
  { dimension: 'address', name: 'address' },
  { dimension: 'agent', name: 'agent' },
  { dimension: 'attempted', name: 'credential' },
];

export type Explanation = { readonly contributions: readonly Contribution[]; readonly detail: Detail | undefined };

const NOTHING: Explanation = { contributions: [], detail: undefined };

/** Where the observed value of a window came from, out of the sketches that are still held. */
export function explain(input: {
  readonly walk: Walk;
  readonly owner: number;
  readonly from: Minute;
  readonly to: Minute;
  readonly basis: Basis;
  readonly directory: KeyDirectory;
}): Explanation {
  if (input.basis === 'none') return NOTHING;
  const rows: { readonly packed: Uint8Array; readonly weight: number }[] = [];
  const detail = { clientErrors: 0, serverErrors: 0, bytesIn: 0, bytesOut: 0, isBytesInKnown: false, isBytesOutKnown: false };
  input.walk.rows(input.owner, input.from, input.to, (packed) => {
    const counters = readCounters(packed);
    rows.push({ packed, weight: weightOf(counters, input.basis) });
    detail.clientErrors += at(counters, C.s4xx) - at(counters, C.s401) - at(counters, C.s403) - at(counters, C.s429);
    detail.serverErrors += at(counters, C.s5xx);
    detail.bytesIn += at(counters, C.bytesIn);
    detail.bytesOut += at(counters, C.bytesOut);
    detail.isBytesInKnown ||= at(counters, C.bytesInKnown) > 0;
    detail.isBytesOutKnown ||= at(counters, C.bytesOutKnown) > 0;
  });
  if (rows.length === 0) return NOTHING;
  rows.sort((a, b) => b.weight - a.weight);
  const shares = new Shares();
  for (const { packed } of rows.slice(0, SKETCHES_MAX)) {
    const { counters, sketch } = readCells(packed);
    addSketch(shares, counters, sketch, input.basis);
  }
  return { contributions: shares.top(input.directory), detail };
}

function weightOf(counters: Counters, basis: Basis): number {
  if (basis === 'bytes') return at(counters, C.bytesIn) + at(counters, C.bytesOut);
  if (basis === 'failures') return at(counters, C.s4xx) + at(counters, C.s5xx) + at(counters, C.failedAuth);
  return at(counters, C.requests);
}

function addSketch(shares: Shares, counters: Counters, sketch: Sketch, basis: Basis): void {
  const requests = at(counters, C.requests);
  // Sizes are not kept per value: within a minute its bytes are shared out like its requests.
  const perRequest = basis === 'bytes' && requests > 0 ? weightOf(counters, basis) / requests : 1;
  for (const { dimension, name } of DIMENSIONS) {
    const items = sketch.tallies.get(dimension)?.items ?? [];
    let total = basis === 'failures' ? 0 : requests * perRequest;
    for (const item of items) {
      const part = basis === 'failures' ? item.failed : Math.max(0, item.count - item.over) * perRequest;
      if (basis === 'failures') total += part;
      shares.add(name, item, part);
    }
    if (items.length > 0) shares.total(name, total);
  }
}

/** Adds up parts per dimension and value. */
class Shares {
  readonly #parts = new Map<string, Map<string, number>>();
  readonly #totals = new Map<string, number>();

  total(dimension: string, amount: number): void {
    this.#totals.set(dimension, (this.#totals.get(dimension) ?? 0) + amount);
  }

  add(dimension: string, item: TallyItem, part: number): void {
    if (item.text === undefined || part === 0) return;
    const parts = this.#parts.get(dimension) ?? new Map<string, number>();
    this.#parts.set(dimension, parts.set(item.text, (parts.get(item.text) ?? 0) + part));
  }

  top(directory: KeyDirectory): Contribution[] {
    const contributions: Contribution[] = [];
    for (const { name } of DIMENSIONS) {
      const total = this.#totals.get(name) ?? 0;
      const parts = [...(this.#parts.get(name) ?? [])].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
      for (const [text, part] of parts.slice(0, TOP)) {
        const share = Math.min(1, Math.round((part / total) * 1000) / 1000);
        if (share < SHARE_MIN) break;
        // A credential is shown as people call it, never by its whole fingerprint.
        const value = name === 'credential' ? directory.label(directory.known(text) ?? entityId('key', text)) : text;
        contributions.push({ dimension: name, value, share });
      }
    }
    return contributions;
  }
}
