import { type EntityId, entityKind } from '../../core/types.ts';
import { BulkInsert } from './bulk-insert.ts';
import { type Connection, int, text } from './connection.ts';
import { asEntity } from './read-windows.ts';

/** What `idsOf` puts where an id is not known yet. */
const UNKNOWN = 0;
/** Entities per look-up: one statement of 32 costs half of 32 statements. */
const LOOKUP = 32;

/**
 * Entities as small integers, which keep the rows short. The memory of known ones is bounded: two
 * generations of half the bound each, so that what is in use stays while others pass through.
 */
export class EntityIds {
  readonly #connection: Connection;
  readonly #insert: BulkInsert;
  readonly #generationMax: number;
  #young = new Map<EntityId, number>();
  #old = new Map<EntityId, number>();
  #last: number;

  constructor(connection: Connection, options: { readonly entitiesMax: number }) {
    this.#connection = connection;
    this.#insert = new BulkInsert(connection.db, { into: 'entity(id, text, kind)', columns: 3 });
    this.#generationMax = Math.max(1, Math.floor(options.entitiesMax / 2));
    this.#last = this.#lastStored();
  }

  /** The ids of the rows' entities, in their order; new entities get theirs now. */
  idsOf(rows: readonly { readonly entity: EntityId }[]): Float64Array {
    const ids = new Float64Array(rows.length);
    const missing = new Map<EntityId, number>();
    rows.forEach(({ entity }, index) => {
      const id = this.#remembered(entity);
      if (id === undefined) missing.set(wellFormed(entity), UNKNOWN);
      else ids[index] = id;
    });
    if (missing.size === 0) return ids;
    // In the order of the index: its pages are then read once per batch and not once per entity.
    const sorted = [...missing.keys()].sort();
    for (let i = 0; i < sorted.length; i += LOOKUP) this.#lookUp(sorted.slice(i, i + LOOKUP), missing);
    for (const entity of sorted) if (missing.get(entity) === UNKNOWN) missing.set(entity, this.#make(entity));
    this.#insert.flush();
    rows.forEach(({ entity }, index) => {
      if (ids[index] === UNKNOWN) ids[index] = missing.get(wellFormed(entity)) ?? UNKNOWN;
    });
    return ids;
  }

  /** After a rollback the ids given in it belong to nobody. */
  forget(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#insert.discard();
    this.#last = this.#lastStored();
  }

  #remembered(entity: EntityId): number | undefined {
    const young = this.#young.get(entity);
    if (young !== undefined) return young;
    const old = this.#old.get(entity);
    if (old !== undefined) this.#remember(entity, old);
    return old;
  }

  #remember(entity: EntityId, id: number): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(entity, id);
  }

  #lookUp(entities: readonly EntityId[], into: Map<EntityId, number>): void {
    const sql = `select text, id from entity where text in (${entities.map(() => '?').join(',')})`;
    for (const row of this.#connection.all(sql, ...entities)) {
      const entity = asEntity(text(row, 0));
      into.set(entity, int(row, 1));
      this.#remember(entity, int(row, 1));
    }
  }

  #make(entity: EntityId): number {
    this.#last++;
    this.#insert.push(this.#last);
    this.#insert.push(entity);
    this.#insert.push(entityKind(entity));
    this.#remember(entity, this.#last);
    return this.#last;
  }

  #lastStored(): number {
    const row = this.#connection.get('select coalesce(max(id), 0) from entity');
    return row === undefined ? 0 : int(row, 0);
  }
}

/** As the database keeps it: half a surrogate pair cannot be stored. */
function wellFormed(entity: EntityId): EntityId {
  return entity.isWellFormed() ? entity : asEntity(entity.toWellFormed());
}
