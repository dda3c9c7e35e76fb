import { type Counters, emptyCounters, mergeCounters } from '../../core/counters.ts';
import type { KeyDirectory } from '../../core/directory.ts';
import { Tally } from '../../core/sketch/tally.ts';
import type { EntityId } from '../../core/types.ts';
import type { Collected } from './collector.ts';
import type { Series } from './series.ts';

/** What one key, user or client did over the whole log, under all its names. */
export type Owner = { readonly entity: EntityId; readonly counters: Counters; readonly addresses: Tally; readonly series: readonly Series[] };

/**
 * Puts together what the directory says is one key: a credential's id in one log and its fingerprint in another, a key
 * and its successor. Nearly all owners have one name and are passed on as they are.
 */
export function uniteNames(collected: readonly Collected[], directory: Pick<KeyDirectory, 'canonical'>): readonly Owner[] {
  const groups = new Map<EntityId, Collected[]>();
  for (const one of collected) {
    const entity = directory.canonical(one.entity);
    if (entity === one.entity) continue;
    const group = groups.get(entity);
    if (group === undefined) groups.set(entity, [one]);
    else group.push(one);
  }
  const owners: Owner[] = [];
  for (const one of collected) {
    const group = groups.get(one.entity);
    if (group !== undefined) group.push(one);
    else if (directory.canonical(one.entity) === one.entity) owners.push(ownerOf(one.entity, [one]));
  }
  for (const [entity, group] of groups) owners.push(ownerOf(entity, group));
  return owners;
}

function ownerOf(entity: EntityId, group: readonly Collected[]): Owner {
  const series = group.flatMap((one) => (one.series === undefined ? [] : [one.series]));
  const [first, ...rest] = group;
  if (first === undefined) throw new Error('BUG: an owner without a name');
  if (rest.length === 0) return { entity, counters: first.counters, addresses: first.addresses, series };
  const counters = emptyCounters();
  const addresses = new Tally();
  for (const one of group) {
    mergeCounters(counters, one.counters);
    addresses.merge(one.addresses);
  }
  return { entity, counters, addresses, series };
}
