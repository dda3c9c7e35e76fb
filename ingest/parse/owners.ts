import type { Fingerprinter } from '../../core/fingerprint.ts';
import { hashView, hashLanes, hashText } from '../../core/hash.ts';
import { type EntityId, type EntityKind, LATE, REFUSED, entityId, entityName } from '../../core/types.ts';
import { canonicalUser } from '../redact.ts';
import { HashTable, grown } from './hash-table.ts';

/** Entity numbers that always exist. */
export const OWNER_REFUSED = 0;
export const OWNER_OTHER_CLIENT = 1;
export const OWNER_OTHER_NETWORK = 2;
/** Internal: where the refused credentials of a window are added up; stored under the name of `OWNER_REFUSED`. */
export const OWNER_REFUSED_SUM = 3;
/** The row of a day for what came too late. */
export const OWNER_LATE = 4;

const CREDENTIAL_ID_MAX = 128;

/**
 * Entities of the open segment as small integers. This is the only place that sees raw secrets: it keeps
 * their bytes privately, to recognise a key again without hashing it, and gives out fingerprints only.
 */
export class Owners {
  readonly #fingerprinter: Fingerprinter;
  readonly #byId = new Map<EntityId, number>();
  /** Raw credential bytes: offset and length per number, in one arena. */
  #arena = new Uint8Array(1 << 16);
  #arenaLength = 0;
  #secretAt = new Int32Array(1024);
  #secretLength = new Int32Array(1024);
  #secretOwner = new Int32Array(1024);
  #secrets = 0;
  readonly #secretTable = new HashTable(4096);
  /** Spellings in the key field: those that are the secret itself, and the others. */
  readonly #bareTable = new HashTable(4096);
  readonly #spelledTable = new HashTable(64);
  readonly #idTable = new HashTable(1024);
  readonly #nameTable = new HashTable(4096);
  readonly #clientTable = new HashTable(4096);
  readonly #networkTable = new HashTable(1024);
  ids: EntityId[] = [];
  kinds: EntityKind[] = [];
  /** Hash of the entity's name: what a network's `attempted` tally counts. */
  hi = new Int32Array(1024);
  lo = new Int32Array(1024);

  constructor(fingerprinter: Fingerprinter) {
    this.#fingerprinter = fingerprinter;
    this.clear();
  }

  get size(): number {
    return this.ids.length;
  }

  /** A raw secret: known by its bytes, named by its fingerprint. */
  secret(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    hashView(bytes, view, start, end);
    const { hi, lo } = hashLanes;
    const found = this.#secretTable.find(hi, lo);
    if (found >= 0) {
      if (this.#sameSecret(found, bytes, start, end)) return this.#secretOwner[found] as number;
      // Two secrets with one 64-bit hash: the second is fingerprinted every time, which is right and merely slow.
      return this.entity('key', this.#fingerprinter.fingerprint(bytes.subarray(start, end)));
    }
    const owner = this.entity('key', this.#fingerprinter.fingerprint(bytes.subarray(start, end)));
    this.#secretTable.insert(hi, lo, this.#remember(bytes, start, end, owner));
    return owner;
  }

  /** The owner whose secret was once spelled like this in a field ("Bearer abc", "abc,abc"), or -1. */
  spelled(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    hashView(bytes, view, start, end);
    const { hi, lo } = hashLanes;
    const bare = this.#bareTable.find(hi, lo);
    if (bare >= 0) return this.#sameSecret(bare, bytes, start, end) ? (this.#secretOwner[bare] as number) : -1;
    const spelled = this.#spelledTable.find(hi, lo);
    return spelled >= 0 && this.#sameSecret(spelled, bytes, start, end) ? (this.#secretOwner[spelled] as number) : -1;
  }

  /** Remembers how a field spells a secret: bare, or in another way that means nothing elsewhere. */
  spell(bytes: Uint8Array, view: DataView, start: number, end: number, owner: number): void {
    hashView(bytes, view, start, end);
    const { hi, lo } = hashLanes;
    const bare = this.#secretTable.find(hi, lo);
    if (bare >= 0 && this.#secretOwner[bare] === owner) {
      if (this.#bareTable.find(hi, lo) < 0) this.#bareTable.insert(hi, lo, bare);
    } else if (this.#spelledTable.find(hi, lo) < 0) this.#spelledTable.insert(hi, lo, this.#remember(bytes, start, end, owner));
  }

  /** The gateway's public id of a credential. */
  credentialId(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    hashView(bytes, view, start, end);
    const { hi, lo } = hashLanes;
    const found = this.#idTable.find(hi, lo);
    if (found >= 0) return found;
    const raw = Buffer.from(bytes.subarray(start, Math.min(end, start + CREDENTIAL_ID_MAX))).toString('utf8');
    const owner = this.entity('key', raw.replace(/[^\x21-\x7e]/g, '?'));
    this.#idTable.insert(hi, lo, owner);
    return owner;
  }

  user(bytes: Uint8Array, start: number, end: number): number {
    const name = canonicalUser(Buffer.from(bytes.subarray(start, end)).toString('utf8'));
    return name === '' ? -1 : this.entity('user', name);
  }

  /** The client of a line without a credential, by the numbers of its address and agent. */
  client(address: number, agent: number, addressText: string, agentText: string): number {
    // For a given address the second lane is one-to-one with the agent: the pair stays exact and spreads over the table.
    const lane = Math.imul(agent, 0x9e3779b1) ^ Math.imul(address, 0x85ebca6b);
    const found = this.#clientTable.find(address, lane);
    if (found >= 0) return found;
    const owner = this.entity('client', agentText === '' ? addressText || 'unknown' : `${addressText || 'unknown'} ${agentText}`);
    this.#clientTable.insert(address, lane, owner);
    return owner;
  }

  network(hi: number, lo: number, text: string): number {
    const found = this.#networkTable.find(hi, lo);
    if (found >= 0) return found;
    const owner = this.entity('network', text);
    this.#networkTable.insert(hi, lo, owner);
    return owner;
  }

  entity(kind: EntityKind, name: string): number {
    return this.restore(entityId(kind, name));
  }

  restore(id: EntityId): number {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const owner = this.ids.length;
    if (owner >= this.hi.length) {
      this.hi = grown(this.hi);
      this.lo = grown(this.lo);
    }
    hashText(entityName(id));
    this.hi[owner] = hashLanes.hi;
    this.lo[owner] = hashLanes.lo;
    if (this.#nameTable.find(hashLanes.hi, hashLanes.lo) < 0) this.#nameTable.insert(hashLanes.hi, hashLanes.lo, owner);
    this.ids.push(id);
    this.kinds.push(id.slice(0, id.indexOf(':')) as EntityKind);
    this.#byId.set(id, owner);
    return owner;
  }

  /** The name of an entity by its hash: the text of a network's attempted credentials. */
  nameOf(hi: number, lo: number): string | undefined {
    const owner = this.#nameTable.find(hi, lo);
    return owner < 0 ? undefined : entityName(this.ids[owner] as EntityId);
  }

  /** Forgets everything; numbers given out before are void. Only between segments. */
  clear(): void {
    this.#byId.clear();
    this.#secretTable.clear();
    this.#bareTable.clear();
    this.#spelledTable.clear();
    this.#idTable.clear();
    this.#nameTable.clear();
    this.#clientTable.clear();
    this.#networkTable.clear();
    this.#arena.fill(0, 0, this.#arenaLength);
    this.#arenaLength = 0;
    this.#secrets = 0;
    this.ids = [];
    this.kinds = [];
    this.restore(REFUSED);
    this.restore(entityId('client', 'other'));
    this.restore(entityId('network', 'other'));
    this.restore(entityId('refused', 'sum'));
    this.restore(LATE);
  }

  #sameSecret(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#secretLength[index] !== end - start) return false;
    const from = this.#secretAt[index] as number;
    const arena = this.#arena;
    for (let i = start, j = from; i < end; i++, j++) if (bytes[i] !== arena[j]) return false;
    return true;
  }

  #remember(bytes: Uint8Array, start: number, end: number, owner: number): number {
    const length = end - start;
    while (this.#arenaLength + length > this.#arena.length) {
      const bigger = new Uint8Array(this.#arena.length * 2);
      bigger.set(this.#arena.subarray(0, this.#arenaLength));
      this.#arena = bigger;
    }
    const index = this.#secrets++;
    if (index >= this.#secretAt.length) {
      this.#secretAt = grown(this.#secretAt);
      this.#secretLength = grown(this.#secretLength);
      this.#secretOwner = grown(this.#secretOwner);
    }
    this.#arena.set(bytes.subarray(start, end), this.#arenaLength);
    this.#secretAt[index] = this.#arenaLength;
    this.#secretLength[index] = length;
    this.#secretOwner[index] = owner;
    this.#arenaLength += length;
    return index;
  }
}
