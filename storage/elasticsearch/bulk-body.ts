/** How a document is written. `create` never replaces one: that it is there already is a conflict, which is fine. */
export type BulkAction = {
  readonly op: 'index' | 'create' | 'delete';
  readonly index: string;
  readonly id: string;
  /** External version, greater or equal wins. A text, because some are beyond 2^53. */
  readonly version?: number | string;
  readonly ifSeqNo?: number;
  readonly ifPrimaryTerm?: number;
};

const COPY_BYTES = 40;
const QUOTE = 34;
const BACKSLASH = 92;
const START_BYTES = 256 * 1024;

/**
 * The body of one bulk request, built byte by byte and used again: a text per document, as the client's helpers
 * make it, costs two to three times the CPU (test/bench/elasticsearch.ts).
 */
export class BulkBody {
  bytes: Buffer = Buffer.allocUnsafe(START_BYTES);
  length = 0;
  /** Documents. */
  count = 0;
  /** Where each document ends. */
  #ends = new Int32Array(1024);
  readonly #docsMax: number;
  #bytesMax: number;

  constructor(limits: { readonly docsMax: number; readonly bytesMax: number }) {
    this.#docsMax = limits.docsMax;
    this.#bytesMax = limits.bytesMax;
  }

  get isFull(): boolean {
    return this.count >= this.#docsMax || this.length >= this.#bytesMax;
  }

  /** What is to be sent. Valid until the body is used again. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  reset(bytesMax = this.#bytesMax): void {
    this.length = 0;
    this.count = 0;
    this.#bytesMax = bytesMax;
  }

  /** One document as JSON; none for a delete. The plain way, for what is not written by the million. */
  push(action: BulkAction, source?: string): void {
    const { op, index, id, version, ifSeqNo, ifPrimaryTerm } = action;
    const versioned = version === undefined ? '' : `,"version":${version},"version_type":"external_gte"`;
    const conditional = ifSeqNo === undefined ? '' : `,"if_seq_no":${ifSeqNo},"if_primary_term":${ifPrimaryTerm ?? 0}`;
    this.text(`{"${op}":{"_index":"${index}","_id":${JSON.stringify(id)}${versioned}${conditional}}}\n${source === undefined ? '' : `${source}\n`}`);
    this.end();
  }

  /** Marks the end of a document that was written piece by piece. */
  end(): void {
    if (this.count >= this.#ends.length) {
      const grown = new Int32Array(this.#ends.length * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#ends[this.count++] = this.length;
  }

  /** Keeps only the documents at these places, ascending. */
  keep(places: readonly number[]): void {
    let to = 0;
    let kept = 0;
    for (const place of places) {
      const from = this.#start(place);
      const end = this.#ends[place] as number;
      this.bytes.copyWithin(to, from, end);
      to += end - from;
      this.#ends[kept++] = to;
    }
    this.length = to;
    this.count = kept;
  }

  /** The documents `[from, to)` in a body of their own. */
  part(from: number, to: number): BulkBody {
    const part = new BulkBody({ docsMax: this.#docsMax, bytesMax: this.#bytesMax });
    for (let place = from; place < to; place++) {
      part.raw(this.bytes.subarray(this.#start(place), this.#ends[place]));
      part.end();
    }
    return part;
  }

  /** UTF-8. */
  text(value: string): void {
    this.#reserve(value.length * 3);
    this.length += this.bytes.write(value, this.length);
  }

  raw(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(length);
    // A call of `set` costs as much as some forty bytes by hand.
    if (length > COPY_BYTES) this.bytes.set(value, this.length);
    else for (let i = 0, { bytes, length: at } = this; i < length; i++) bytes[at + i] = value[i] as number;
    this.length += length;
  }

  /** What stands at `[from, to)`, once more. */
  repeat(from: number, to: number): void {
    this.#reserve(to - from);
    this.bytes.copyWithin(this.length, from, to);
    this.length += to - from;
  }

  /** The inside of a JSON string. Nearly all are plain ASCII. */
  jsonText(value: string): void {
    const { length } = value;
    this.#reserve(length * 6);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code < 32 || code > 126 || code === QUOTE || code === BACKSLASH) {
        const quoted = JSON.stringify(value);
        this.length += bytes.write(quoted.slice(1, -1), this.length);
        return;
      }
      bytes[at++] = code;
    }
    this.length = at;
  }

  /** Base64 with padding, as Elasticsearch's `binary` wants it. */
  base64(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(Math.ceil(length / 3) * 4);
    const { bytes } = this;
    let at = this.length;
    let i = 0;
    for (; i + 2 < length; i += 3) {
      const three = ((value[i] as number) << 16) | ((value[i + 1] as number) << 8) | (value[i + 2] as number);
      bytes[at] = BASE64[three >>> 18] as number;
      bytes[at + 1] = BASE64[(three >>> 12) & 63] as number;
      bytes[at + 2] = BASE64[(three >>> 6) & 63] as number;
      bytes[at + 3] = BASE64[three & 63] as number;
      at += 4;
    }
    if (i < length) {
      const isOne = i + 1 === length;
      const rest = ((value[i] as number) << 16) | (isOne ? 0 : (value[i + 1] as number) << 8);
      bytes[at] = BASE64[rest >>> 18] as number;
      bytes[at + 1] = BASE64[(rest >>> 12) & 63] as number;
      bytes[at + 2] = isOne ? PAD : (BASE64[(rest >>> 6) & 63] as number);
      bytes[at + 3] = PAD;
      at += 4;
    }
    this.length = at;
  }

  #start(place: number): number {
    return place === 0 ? 0 : (this.#ends[place - 1] as number);
  }

  #reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + extra));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

const BASE64 = Uint8Array.from(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1'));
const PAD = 61;
