import type { StatementSync } from 'node:sqlite';
import { type EntityId, entityKind } from '../../core/types.ts';
import type { Connection } from './connection.ts';

/**
 * Entities as small integers, which keep the rows short. The memory of known ones is bounded: two
 * generations of half the bound each, so that what is in use stays and a million other keys pass through.
 */
export class EntityIds {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #generationMax: number;
  #young = new Map<EntityId, number>();
  #old = new Map<EntityId, number>();

  constructor(connection: Connection, options: { readonly entitiesMax: number }) {
    this.#find = connection.db.prepare('select id from entity where text = ?');
    this.#insert = connection.db.prepare('insert into entity(text, kind) values (?, ?)');
    this.#generationMax = Math.max(1, Math.floor(options.entitiesMax / 2));
  }

  /** The id of an entity, given to it now if it is new. */
  idOf(entity: EntityId): number {
    const young = this.#young.get(entity);
    if (young !== undefined) return young;
    const id = this.#old.get(entity) ?? this.#stored(entity) ?? Number(this.#insert.run(entity, entityKind(entity)).lastInsertRowid);
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(entity, id);
    return id;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** After a rollback the ids given in it belong to nobody. */
  forget(): void {
    this.#young = new Map();
    this.#old = new Map();
  }

  #stored(entity: EntityId): number | undefined {
    const row: unknown = this.#find.get(entity);
    return Array.isArray(row) ? Number(row[0]) : undefined;
  }
}
