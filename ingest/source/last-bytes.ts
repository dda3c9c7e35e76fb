/** Identity of a file: how much of its beginning, and of what lies before a position, is remembered. */
export const EDGE_BYTES = 4096;

/** The last `EDGE_BYTES` bytes of a stream, copied, so that the buffers they came in can be reused. */
export class LastBytes {
  readonly #bytes = new Uint8Array(EDGE_BYTES);
  #length = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length >= EDGE_BYTES) {
      this.#bytes.set(bytes.subarray(bytes.length - EDGE_BYTES));
      this.#length = EDGE_BYTES;
      return;
    }
    const kept = Math.min(this.#length, EDGE_BYTES - bytes.length);
    this.#bytes.copyWithin(0, this.#length - kept, this.#length);
    this.#bytes.set(bytes, kept);
    this.#length = kept + bytes.length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Valid until the next `push`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
