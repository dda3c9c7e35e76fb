/** What the open segment knows of an owner. */
export const UNSEEN = 0;
/** A credential or user of which every request so far was refused as unauthenticated. */
export const REFUSED_ONLY = 1;
export const ACCEPTED = 2;
/** A client or a network: no credential that could be refused. */
export const ANONYMOUS = 3;
/** Met when the segment held as many owners as it may. */
export const OVER_LIMIT = 4;

/** How every owner of the open segment stands, by owner number, and how many there are. */
export class Standings {
  #of = new Uint8Array(1024);
  #owners = 0;
  #networks = 0;
  #refused = 0;
  readonly #max: number;

  /** `max`: owners, and apart from them networks, that one segment may hold. */
  constructor(max: number) {
    this.#max = max;
  }

  of(owner: number): number {
    return owner < this.#of.length ? (this.#of[owner] as number) : UNSEEN;
  }

  /** The first event of an owner; returns how it stands from now on. */
  meet(owner: number, standing: number): number {
    const isFull = this.#owners >= this.#max;
    if (!isFull) this.#owners++;
    if (!isFull && standing === REFUSED_ONLY) this.#refused++;
    return this.#set(owner, isFull ? OVER_LIMIT : standing);
  }

  /** False when the segment holds as many networks as it may. */
  meetNetwork(network: number): boolean {
    if (this.of(network) !== UNSEEN) return true;
    if (this.#networks >= this.#max) return false;
    this.#networks++;
    this.#set(network, ANONYMOUS);
    return true;
  }

  /** How many are refused only, so far. */
  get refused(): number {
    return this.#refused;
  }

  /** One that was refused only. */
  accept(owner: number): void {
    this.#refused--;
    this.#set(owner, ACCEPTED);
  }

  clear(): void {
    this.#of.fill(UNSEEN);
    this.#owners = 0;
    this.#networks = 0;
    this.#refused = 0;
  }

  #set(owner: number, standing: number): number {
    if (owner >= this.#of.length) {
      const bigger = new Uint8Array(Math.max(this.#of.length * 2, owner + 1));
      bigger.set(this.#of);
      this.#of = bigger;
    }
    this.#of[owner] = standing;
    return standing;
  }
}
