import { isFingerprint } from '../core/fingerprint.ts';
import { UnionFind } from './union-find.ts';

/**
 * Which names are one key, and which keys are one lineage. Names are credential ids and fingerprints.
 * - `sames`: two names of one key (an alias seen in traffic, or both in the inventory)
 * - `successions`: [old, new], a rotation
 */
export type LineageInput = {
  readonly names: readonly string[];
  readonly sames: readonly (readonly [string, string])[];
  readonly successions: readonly (readonly [string, string])[];
};

export type Lineage = {
  /**
   * The name of the whole lineage. It is the oldest key's, so that it does not change when a key is rotated:
   * alerts and baselines hang on it. Of one key's names the credential id comes first.
   */
  readonly canonical: string;
  /** All names of all its keys, newest key first. */
  readonly members: readonly string[];
};

/** Lineage by name. Does not depend on the order of the input; circles of succession are one lineage like any other. */
export function lineages(input: LineageInput): ReadonlyMap<string, Lineage> {
  const identity = new UnionFind();
  for (const name of input.names) identity.add(name);
  for (const [a, b] of input.sames) identity.union(a, b);
  for (const [from, to] of input.successions) {
    identity.add(from);
    identity.add(to);
  }
  const whole = new UnionFind();
  for (const group of identity.groups()) {
    const [first] = group;
    if (first !== undefined) for (const name of group) whole.union(first, name);
  }
  for (const [from, to] of input.successions) whole.union(from, to);

  const ages = generations(identity, input.successions);
  const found = new Map<string, Lineage>();
  for (const group of whole.groups()) {
    const ageOf = (name: string): number => ages.get(identity.find(name)) ?? 0;
    const oldestFirst = group.toSorted((a, b) => ageOf(a) - ageOf(b) || Number(isFingerprint(a)) - Number(isFingerprint(b)) || (a < b ? -1 : 1));
    const newestFirst = group.toSorted((a, b) => ageOf(b) - ageOf(a) || Number(isFingerprint(a)) - Number(isFingerprint(b)) || (a < b ? -1 : 1));
    const lineage: Lineage = { canonical: oldestFirst[0] ?? '', members: newestFirst };
    for (const name of group) found.set(name, lineage);
  }
  return found;
}

/** How many rotations lie between a key and the oldest one that leads to it. Keys that only lie on a circle are all 0. */
function generations(identity: UnionFind, successions: readonly (readonly [string, string])[]): Map<string, number> {
  const next = new Map<string, Set<string>>();
  const predecessors = new Map<string, number>();
  for (const [from, to] of successions) {
    const a = identity.find(from);
    const b = identity.find(to);
    if (a === b || next.get(a)?.has(b) === true) continue;
    const known = next.get(a);
    if (known === undefined) next.set(a, new Set([b]));
    else known.add(b);
    predecessors.set(b, (predecessors.get(b) ?? 0) + 1);
  }
  const ages = new Map<string, number>();
  const ready = [...next.keys()].filter((key) => !predecessors.has(key));
  for (let key = ready.pop(); key !== undefined; key = ready.pop()) {
    const age = ages.get(key) ?? 0;
    for (const child of next.get(key) ?? []) {
      ages.set(child, Math.max(ages.get(child) ?? 0, age + 1));
      const left = (predecessors.get(child) ?? 1) - 1;
      predecessors.set(child, left);
      if (left === 0) ready.push(child);
    }
  }
  return ages;
}
