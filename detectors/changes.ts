import type { EntityId, Minute } from '../core/types.ts';
import type { Ledger } from './ledger/ledger.ts';

/** Closed minutes in which something changed, with whose rows did: for who writes what was judged. */
export class Changes {
  readonly #isAsked: boolean;
  readonly #ledger: Ledger;
  #owners = new Map<Minute, Set<EntityId>>();

  /** Where nobody asks, nothing is remembered. */
  constructor(isAsked: boolean, ledger: Ledger) {
    this.#isAsked = isAsked;
    this.#ledger = ledger;
  }

  note(minute: Minute, owner: EntityId): void {
    if (!this.#isAsked) return;
    const owners = this.#owners.get(minute);
    if (owners === undefined) this.#owners.set(minute, new Set([owner]));
    else owners.add(owner);
  }

  /** What is counted and not judged: the sum of the refused, the late row. The refused one by one are in that sum. */
  noteUnjudged(minute: Minute, entity: EntityId, isHeld: boolean): void {
    if (!isHeld && this.#ledger.state.isClosed(minute)) this.note(minute, entity);
  }

  take(): ReadonlyMap<Minute, ReadonlySet<EntityId>> {
    const owners = this.#owners;
    this.#owners = new Map();
    return owners;
  }

  /** Runs `relink`, by which `id` comes to `owner`: what it and its other names counted in closed minutes is that owner's now. */
  relinking(id: EntityId, owner: EntityId, relink: () => void): void {
    const { state } = this.#ledger;
    const { table, cells } = state;
    const entity = this.#isAsked ? table.find(id) : undefined;
    if (entity === undefined) return relink();
    const before = table.owner[entity] as number;
    const nameBefore = table.id(before);
    const heads = Array.from(table.names(before), (name) => table.head[name] as number);
    relink();
    if (owner === nameBefore) return;
    for (const head of heads) {
      for (let cell = head; cell !== 0; cell = cells.nextOfEntity[cell] as number) {
        const minute = cells.minute[cell] as number;
        if (!state.isClosed(minute)) continue;
        this.note(minute, nameBefore);
        this.note(minute, owner);
      }
    }
  }
}
