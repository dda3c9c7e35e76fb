import { floats, ints, nextSize, words } from './grow.ts';

const COUNT_MAX = 0xffffffff;

/**
 * What one segment says of one entity in one minute that may still change: a slab of typed arrays, 56 bytes a cell.
 * A cell hangs in two lists: of its entity (newest minute first) and of its minute. Numbers start at 1; 0 is none.
 */
export class Cells {
  #free = 0;
  #high = 1;
  count = 0;
  entity: Uint32Array = new Uint32Array(64);
  minute: Int32Array = new Int32Array(64);
  segment: Uint32Array = new Uint32Array(64);
  /** `next` of the batch that the values come from; -1 before the first. */
  version: Float64Array = new Float64Array(64);
  requests: Uint32Array = new Uint32Array(64);
  errors: Uint32Array = new Uint32Array(64);
  failed: Uint32Array = new Uint32Array(64);
  bytes: Float64Array = new Float64Array(64);
  nextOfEntity: Uint32Array = new Uint32Array(64);
  beforeOfEntity: Uint32Array = new Uint32Array(64);
  nextOfMinute: Uint32Array = new Uint32Array(64);
  /** Where its packed row is in the arena of its minute. */
  evidence: Uint32Array = new Uint32Array(64);

  take(entity: number, minute: number, segment: number): number {
    let cell = this.#free;
    if (cell === 0) {
      cell = this.#high++;
      if (cell >= this.entity.length) this.#grow();
    } else this.#free = this.nextOfMinute[cell] as number;
    this.count++;
    this.entity[cell] = entity;
    this.minute[cell] = minute;
    this.segment[cell] = segment;
    this.version[cell] = -1;
    this.requests[cell] = 0;
    this.errors[cell] = 0;
    this.failed[cell] = 0;
    this.bytes[cell] = 0;
    this.evidence[cell] = 0;
    return cell;
  }

  /** Counts stop at 2^32 - 1 per minute and segment, forty times what any gateway does. */
  set(cell: number, requests: number, errors: number, failed: number, bytes: number): void {
    this.requests[cell] = Math.min(requests, COUNT_MAX);
    this.errors[cell] = Math.min(errors, COUNT_MAX);
    this.failed[cell] = Math.min(failed, COUNT_MAX);
    this.bytes[cell] = bytes;
  }

  /** The caller has taken it out of its lists. */
  give(cell: number): void {
    this.nextOfMinute[cell] = this.#free;
    this.#free = cell;
    this.count--;
  }

  /** Puts a cell into the list of its entity, whose head is given and returned. */
  insert(head: number, cell: number): number {
    const minute = this.minute[cell] as number;
    let before = 0;
    let after = head;
    while (after !== 0 && (this.minute[after] as number) > minute) {
      before = after;
      after = this.nextOfEntity[after] as number;
    }
    this.beforeOfEntity[cell] = before;
    this.nextOfEntity[cell] = after;
    if (after !== 0) this.beforeOfEntity[after] = cell;
    if (before === 0) return cell;
    this.nextOfEntity[before] = cell;
    return head;
  }

  /** Takes a cell out of the list of its entity; returns the head. */
  remove(head: number, cell: number): number {
    const before = this.beforeOfEntity[cell] as number;
    const after = this.nextOfEntity[cell] as number;
    if (after !== 0) this.beforeOfEntity[after] = before;
    if (before === 0) return after;
    this.nextOfEntity[before] = after;
    return head;
  }

  #grow(): void {
    const size = nextSize(this.entity.length);
    this.entity = words(this.entity, size);
    this.minute = ints(this.minute, size);
    this.segment = words(this.segment, size);
    this.version = floats(this.version, size);
    this.requests = words(this.requests, size);
    this.errors = words(this.errors, size);
    this.failed = words(this.failed, size);
    this.bytes = floats(this.bytes, size);
    this.nextOfEntity = words(this.nextOfEntity, size);
    this.beforeOfEntity = words(this.beforeOfEntity, size);
    this.nextOfMinute = words(this.nextOfMinute, size);
    this.evidence = words(this.evidence, size);
  }
}
