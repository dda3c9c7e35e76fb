const NOTHING = new Uint8Array(0);

/** Reads pieces from a source, with the means to look at some bytes first and to give bytes back. */
export class PieceQueue {
  readonly #source: () => Promise<Uint8Array>;
  #held: Uint8Array = NOTHING;
  #isAtEnd = false;

  /** `source` gives an empty piece at the end; a piece stays valid until the next is asked for. */
  constructor(source: () => Promise<Uint8Array>) {
    this.#source = source;
  }

  /** The next piece as it comes; empty at the end. */
  async next(): Promise<Uint8Array> {
    await this.#fill();
    const piece = this.#held;
    this.#held = NOTHING;
    return piece;
  }

  /** Only for bytes of the piece that was read last. */
  unread(bytes: Uint8Array): void {
    this.#held = bytes;
  }

  /** Gives back bytes of `take`: they come first again. */
  unreadTaken(bytes: Uint8Array): void {
    if (this.#held.length === 0) {
      this.#held = bytes;
      return;
    }
    const joined = new Uint8Array(bytes.length + this.#held.length);
    joined.set(bytes);
    joined.set(this.#held, bytes.length);
    this.#held = joined;
  }

  /** A copy of the next `count` bytes; fewer only at the end. */
  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count);
    let length = 0;
    while (length < count) {
      await this.#fill();
      if (this.#held.length === 0) break;
      const part = this.#held.subarray(0, count - length);
      taken.set(part, length);
      length += part.length;
      this.#held = this.#held.subarray(part.length);
    }
    return taken.subarray(0, length);
  }

  /** Skips bytes while `isSkipped`; returns the first other one without taking it, or undefined at the end. */
  async skipWhile(isSkipped: (byte: number) => boolean): Promise<number | undefined> {
    for (;;) {
      await this.#fill();
      if (this.#held.length === 0) return undefined;
      const at = this.#held.findIndex((byte) => !isSkipped(byte));
      if (at >= 0) {
        this.#held = this.#held.subarray(at);
        return this.#held[0];
      }
      this.#held = NOTHING;
    }
  }

  async #fill(): Promise<void> {
    if (this.#held.length > 0 || this.#isAtEnd) return;
    this.#held = await this.#source();
    this.#isAtEnd = this.#held.length === 0;
  }
}
