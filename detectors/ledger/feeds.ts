/** What a network's row says of known keys that may have no row of their own. */
export type FeedTarget = { readonly cell: number; readonly count: number };

/**
 * Failures that are known only from what networks attempted (DESIGN 4.3). A cell's failures are the greater of its
 * own and what it is fed: within one segment and minute both count the same requests, and only a key that was
 * refused all along has no row of its own.
 */
export class Feeds {
  readonly #byNetwork = new Map<number, readonly FeedTarget[]>();
  readonly #fed = new Map<number, number>();

  failed(cell: number, own: number): number {
    if (this.#fed.size === 0) return own;
    return Math.max(own, this.#fed.get(cell) ?? 0);
  }

  of(network: number): readonly FeedTarget[] {
    return this.#byNetwork.get(network) ?? [];
  }

  set(network: number, targets: readonly FeedTarget[]): void {
    if (targets.length === 0) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, targets);
  }

  add(cell: number, count: number): void {
    this.#fed.set(cell, (this.#fed.get(cell) ?? 0) + count);
  }

  forget(cell: number): void {
    if (this.#fed.size === 0) return;
    this.#fed.delete(cell);
    this.#byNetwork.delete(cell);
  }
}
