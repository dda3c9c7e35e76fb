import { type EntityId, entityId, entityKind } from '../../core/types.ts';
import type { Subject, Sums } from '../rule.ts';
import { floats, ints, nextSize, words } from './grow.ts';

/** What the ingester counts together when a segment holds too many clients or networks. */
export const OTHER_CLIENT = entityId('client', 'other');
const OTHER_NETWORK = entityId('network', 'other');

export function subjectOf(id: EntityId): Subject {
  if (id === OTHER_CLIENT || id === OTHER_NETWORK) return 'overflow';
  const kind = entityKind(id);
  // The late row never comes here: what is two days old is counted and not judged.
  return kind === 'refused' || kind === 'late' ? 'overflow' : kind;
}

/**
 * Entities as dense numbers from 1 on, with everything held per entity in typed arrays: an object each would cost
 * ten times the memory at a million keys. Rows come under several names of one key; the sums are kept on the
 * `owner`, the entity that is judged, and the names of one owner form a ring through `next`.
 */
export class EntityTable implements Sums {
  readonly #byId = new Map<EntityId, number>();
  readonly #free: number[] = [];
  #ids: (EntityId | undefined)[] = [undefined];
  /** One past the highest number in use. */
  high = 1;
  owner: Uint32Array = new Uint32Array(16);
  next: Uint32Array = new Uint32Array(16);
  /** First live cell, newest minute first; 0 is none. */
  head: Uint32Array = new Uint32Array(16);
  /** Cells and column entries that name the entity, and other names that it owns. Freed at 0. */
  refs: Uint32Array = new Uint32Array(16);
  /** Number of its set of limits. */
  limits: Int32Array = new Int32Array(16);
  requests: Float64Array = new Float64Array(16);
  requests5: Float64Array = new Float64Array(16);
  errors5: Float64Array = new Float64Array(16);
  bytes60: Float64Array = new Float64Array(16);
  failed60: Float64Array = new Float64Array(16);
  distinct60: Float64Array = new Float64Array(16);
  /** Sums over all minutes that are not closed yet: upper bounds for what is live. */
  openRequests: Float64Array = new Float64Array(16);
  openBytes: Float64Array = new Float64Array(16);
  openFailed: Float64Array = new Float64Array(16);
  openDistinct: Float64Array = new Float64Array(16);

  get size(): number {
    return this.#byId.size;
  }

  find(id: EntityId): number | undefined {
    return this.#byId.get(id);
  }

  /** Everything that is held, by number. */
  ids(): IterableIterator<[EntityId, number]> {
    return this.#byId.entries();
  }

  id(entity: number): EntityId {
    const id = this.#ids[entity];
    if (id === undefined) throw new Error(`BUG: entity ${entity} was freed`);
    return id;
  }

  add(id: EntityId): number {
    const entity = this.#free.pop() ?? this.high++;
    if (entity >= this.owner.length) this.#grow();
    this.#byId.set(id, entity);
    this.#ids[entity] = id;
    this.owner[entity] = entity;
    this.next[entity] = entity;
    return entity;
  }

  /** All names of an owner, itself included. */
  *names(owner: number): Generator<number> {
    let name = owner;
    do {
      yield name;
      name = this.next[name] as number;
    } while (name !== owner);
  }

  /** Makes `into` the owner of everything that `from` owns, `from` included. `into` owns itself, or is one of those names. */
  unite(from: number, into: number): void {
    // A placeholder without rows of its own would never be freed otherwise.
    this.hold(from);
    const isPromotion = this.owner[into] === from;
    let moved = 0;
    for (const name of this.names(from)) {
      this.owner[name] = into;
      moved++;
    }
    if (!isPromotion) {
      const after = this.next[from] as number;
      this.next[from] = this.next[into] as number;
      this.next[into] = after;
    }
    this.refs[into] = (this.refs[into] as number) + moved - (isPromotion ? 1 : 0);
    this.refs[from] = (this.refs[from] as number) - (moved - 1);
    for (const sums of this.#sums()) {
      sums[into] = (sums[into] as number) + (sums[from] as number);
      sums[from] = 0;
    }
    this.release(from);
  }

  hold(entity: number): void {
    this.refs[entity] = (this.refs[entity] as number) + 1;
  }

  /** Frees the entity with its last reference, and its owner if that only waited for it. */
  release(entity: number): void {
    const left = (this.refs[entity] as number) - 1;
    this.refs[entity] = left;
    if (left > 0) return;
    const owner = this.owner[entity] as number;
    if (owner !== entity) {
      let before = owner;
      while (this.next[before] !== entity) before = this.next[before] as number;
      this.next[before] = this.next[entity] as number;
    }
    this.#drop(entity);
    if (owner !== entity) this.release(owner);
  }

  /** Every name its own owner again and all sums zero: the first step of uniting and counting afresh. */
  scatter(): void {
    const entities = [...this.#byId.values()];
    for (const entity of entities) {
      const owner = this.owner[entity] as number;
      if (owner !== entity) this.refs[owner] = (this.refs[owner] as number) - 1;
    }
    for (const entity of entities) {
      this.owner[entity] = entity;
      this.next[entity] = entity;
    }
    for (const sums of this.#sums()) sums.fill(0);
    for (const entity of entities) if (this.refs[entity] === 0) this.#drop(entity);
  }

  #drop(entity: number): void {
    this.#byId.delete(this.id(entity));
    this.#ids[entity] = undefined;
    this.head[entity] = 0;
    for (const sums of this.#sums()) sums[entity] = 0;
    this.#free.push(entity);
  }

  #sums(): readonly Float64Array[] {
    return [
      this.requests,
      this.requests5,
      this.errors5,
      this.bytes60,
      this.failed60,
      this.distinct60,
      this.openRequests,
      this.openBytes,
      this.openFailed,
      this.openDistinct,
    ];
  }

  #grow(): void {
    const size = nextSize(this.owner.length);
    this.owner = words(this.owner, size);
    this.next = words(this.next, size);
    this.head = words(this.head, size);
    this.refs = words(this.refs, size);
    this.limits = ints(this.limits, size);
    this.requests = floats(this.requests, size);
    this.requests5 = floats(this.requests5, size);
    this.errors5 = floats(this.errors5, size);
    this.bytes60 = floats(this.bytes60, size);
    this.failed60 = floats(this.failed60, size);
    this.distinct60 = floats(this.distinct60, size);
    this.openRequests = floats(this.openRequests, size);
    this.openBytes = floats(this.openBytes, size);
    this.openFailed = floats(this.openFailed, size);
    this.openDistinct = floats(this.openDistinct, size);
  }
}
