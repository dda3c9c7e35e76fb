/** The roles that a format's fields can play. */
export const ROLES = [
  'time',
  'address',
  'forwarded',
  'user',
  /** The whole request line: `GET /v1/orders HTTP/1.1`. */
  'request',
  'method',
  'target',
  'query',
  'route',
  'status',
  'bytesIn',
  'bytesOut',
  'latency',
  'agent',
  'secret',
  'credentialId',
  'authorization',
] as const;
export type Role = (typeof ROLES)[number];
export const R = Object.freeze(Object.fromEntries(ROLES.map((role, index) => [role, index]))) as Readonly<Record<Role, number>>;

/**
 * One record cut into fields: byte ranges of `buf`, unescaped. Private to parsing, as it points at raw
 * secrets; what leaves parsing is `EventCells`. Reused for every record.
 */
export class Tokens {
  buf: Uint8Array = new Uint8Array(0);
  /** A view of `buf`. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Bit per role whose value is already a number, in `number` (its last place is for values of no role); ranges are set as well. */
  numeric = 0;
  readonly number = new Float64Array(ROLES.length + 1);
  readonly start = new Int32Array(ROLES.length);
  readonly end = new Int32Array(ROLES.length);
  /** Unescaped text goes here, so that all ranges are in one buffer on the slow path. */
  readonly scratch = new Scratch();

  /** Sets the buffer that the ranges refer to. */
  point(buf: Uint8Array): void {
    if (buf === this.buf) return;
    this.buf = buf;
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  }

  /** A field is there when its end is past its start: clearing the ends is enough. */
  clear(): void {
    this.numeric = 0;
    this.end.fill(0);
  }
}

/** Space, tab and the kinds of line end: what an empty line may hold. */
export function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

export class Scratch {
  bytes = new Uint8Array(1 << 14);
  length = 0;

  push(text: string): void {
    const { length } = text;
    this.reserve(length);
    let at = this.length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        const size = Buffer.byteLength(text);
        this.reserve(size);
        Buffer.from(this.bytes.buffer, this.length, size).write(text);
        this.length += size;
        return;
      }
      this.bytes[at++] = code;
    }
    this.length = at;
  }

  reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra));
    bigger.set(this.bytes.subarray(0, this.length));
    this.bytes = bigger;
  }
}

/** What parsing gives out: numbers only. Reused for every record. */
export class EventCells {
  at = 0;
  /** 100-599; 0 when the client went away (499, 0, -1, "-"). */
  status = 0;
  /** -1 unknown. */
  bytesIn = -1;
  bytesOut = -1;
  latencyUs = -1;
  /** 0 other, 1 read, 2 write. */
  access = 0;
  /** Entity number of the owner in `Owners`. */
  owner = 0;
  /** Whether the owner is a credential or user, which a refusal makes anonymous. */
  isCredential = false;
  /** Entity number of the fingerprint when the record shows both names of one key, else -1. */
  alias = -1;
  /** Term numbers, 0 is none. */
  address = 0;
  agent = 0;
  route = 0;
  /** Of the address; 0 also where no database is configured. */
  country = 0;
  asn = 0;
  objectHi = 0;
  objectLo = 0;
}
