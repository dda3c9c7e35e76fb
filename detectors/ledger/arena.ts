/** Bytes before the content of a block: next block, length, capacity. */
const HEADER = 12;
const SLACK = 1.5;

/**
 * Small byte strings of one minute, side by side in one buffer and freed together. A block may be overwritten in
 * place while the new content fits, so that a row that is delivered once a second does not pile up. References are
 * in units of four bytes; 0 is none. Blocks can be chained.
 */
export class Arena {
  #bytes = new Uint8Array(512);
  #ints = new Uint32Array(this.#bytes.buffer);
  #length = 4;

  get size(): number {
    return this.#bytes.length;
  }

  /** Writes `content` over the block `ref`, or into a new one; returns where it is. */
  put(ref: number, content: Uint8Array): number {
    if (ref !== 0 && (this.#ints[ref + 2] as number) >= content.length) {
      this.#ints[ref + 1] = content.length;
      this.#bytes.set(content, ref * 4 + HEADER);
      return ref;
    }
    // A first write gets little room to grow, a second one has shown that it does.
    const capacity = Math.ceil((ref === 0 ? content.length : content.length * SLACK) / 4) * 4;
    const at = this.#length;
    this.#reserve(HEADER + capacity);
    this.#length += HEADER + capacity;
    const fresh = at / 4;
    this.#ints[fresh] = ref === 0 ? 0 : (this.#ints[ref] as number);
    this.#ints[fresh + 1] = content.length;
    this.#ints[fresh + 2] = capacity;
    this.#bytes.set(content, at + HEADER);
    return fresh;
  }

  /** Valid until the next `put`. */
  read(ref: number): Uint8Array {
    const start = ref * 4 + HEADER;
    return this.#bytes.subarray(start, start + (this.#ints[ref + 1] as number));
  }

  /** Every block of a chain, each valid during its visit. */
  each(first: number, visit: (content: Uint8Array) => void): void {
    for (let ref = first; ref !== 0; ref = this.#ints[ref] as number) visit(this.read(ref));
  }

  /** Puts a block in front of a chain. */
  link(ref: number, rest: number): void {
    this.#ints[ref] = rest;
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, Math.ceil((this.#length + extra) / 512) * 512));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#ints = new Uint32Array(grown.buffer);
  }
}
