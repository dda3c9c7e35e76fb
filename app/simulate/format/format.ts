import type { SimulatedEvent } from '../event.ts';

/** Collects lines in one buffer and hands it on when it is full: ten million lines make no garbage of their own. */
export class ByteSink {
  readonly #buffer: Buffer;
  readonly #deliver: (bytes: Uint8Array) => void;
  #length = 0;
  #total = 0;

  /** `deliver` gets a view that is valid during the call only. */
  constructor(deliver: (bytes: Uint8Array) => void, capacity = 1 << 20) {
    this.#buffer = Buffer.allocUnsafe(capacity);
    this.#deliver = deliver;
  }

  /** Appends `text` as UTF-8. */
  text(text: string): void {
    // A UTF-16 unit takes three bytes at most.
    if (this.#length + text.length * 3 > this.#buffer.length) {
      this.flush();
      if (text.length * 3 > this.#buffer.length) {
        const bytes = Buffer.from(text);
        this.#total += bytes.length;
        this.#deliver(bytes);
        return;
      }
    }
    this.#length += this.#buffer.write(text, this.#length);
  }

  flush(): void {
    if (this.#length === 0) return;
    const part = this.#buffer.subarray(0, this.#length);
    this.#total += this.#length;
    this.#length = 0;
    this.#deliver(part);
  }

  /** Bytes so far, delivered or not. */
  get bytes(): number {
    return this.#total + this.#length;
  }
}

/** How one gateway writes an event down. */
export type LineFormat = {
  readonly name: FormatName;
  /** One whole line with its line feed. */
  write(event: SimulatedEvent, out: ByteSink): void;
};

export const FORMAT_NAMES = ['ndjson', 'combined', 'common', 'nginx-json', 'kong', 'caddy'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** Microseconds since the epoch at the end of a request: when NGINX and Caddy write their line. */
export function endUs(event: SimulatedEvent): number {
  return event.at * 1000 + event.durationUs;
}

/** Header bytes of a request on the wire, by the lengths of what differs. Kong and NGINX count them. */
export function requestHeadBytes(event: SimulatedEvent): number {
  return (
    event.method.length + event.path.length + (event.query === '' ? 0 : event.query.length + 1) + event.host.length + event.agent.length + event.key.length + 64
  );
}

/** Header bytes of an answer on the wire. */
export const RESPONSE_HEAD_BYTES = 289;

export function uriOf(event: SimulatedEvent): string {
  return event.query === '' ? event.path : `${event.path}?${event.query}`;
}

/** True for statuses that the gateway gives without asking the service. */
export function isRefusedByGateway(status: number): boolean {
  return status === 401 || status === 403 || status === 429;
}

/** 32 hex digits that belong to the event: the same in every format. */
export function requestId(event: SimulatedEvent): string {
  const a = event.nonce;
  const b = Math.imul(a ^ event.durationUs, 0x9e3779b1) >>> 0;
  const c = Math.imul(b ^ (event.at & 0x7fffffff), 0x85ebca6b) >>> 0;
  const d = Math.imul(c ^ a, 0xc2b2ae35) >>> 0;
  return hex8(a) + hex8(b) + hex8(c) + hex8(d);
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}

// Control characters are what this looks for.
// oxlint-disable-next-line no-control-regex
const NEEDS_JSON_ESCAPE = /["\\\u0000-\u001f\u007f\ud800-\udfff]/;

/** `text` in quotes, as JSON.stringify writes it; strings with nothing to escape are not scanned twice. */
export function jsonString(text: string): string {
  return NEEDS_JSON_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}
