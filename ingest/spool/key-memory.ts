import { crc32 } from 'node:zlib';
import type { DurationMs, EpochMs } from '../../core/types.ts';

/** What is remembered of an accepted request, so that a repeat of it is answered alike and not counted again. */
export type RememberedRequest = {
  /** 32 hex digits. */
  readonly key: string;
  /** Of its lines: the same key with other lines is a mistake of the client. */
  readonly checksum: number;
  readonly count: number;
  readonly at: EpochMs;
  readonly id: string;
};

/**
 * The newest idempotency keys, bounded in number and age. Those in the files of the spool are found there at a
 * start; before a file is deleted its keys are written beside it (`encode`).
 */
export class KeyMemory {
  readonly #keysMax: number;
  readonly #keysMs: DurationMs;
  /** In the order of acceptance, the oldest first. */
  readonly #requests = new Map<string, RememberedRequest>();

  constructor(config: { readonly keysMax: number; readonly keysMs: DurationMs }) {
    this.#keysMax = config.keysMax;
    this.#keysMs = config.keysMs;
  }

  get size(): number {
    return this.#requests.size;
  }

  find(key: string, now: EpochMs): RememberedRequest | undefined {
    const found = this.#requests.get(key);
    return found !== undefined && now - found.at < this.#keysMs ? found : undefined;
  }

  /** Pushes out what is too old or too much. */
  add(request: RememberedRequest, now: EpochMs): void {
    this.#requests.delete(request.key);
    if (this.#keysMax > 0) this.#requests.set(request.key, request);
    for (const [key, { at }] of this.#requests) {
      if (this.#requests.size <= this.#keysMax && now - at < this.#keysMs) break;
      this.#requests.delete(key);
    }
  }

  encode(): Buffer {
    const text = JSON.stringify([...this.#requests.values()].map(({ key, checksum, count, at, id }) => [key, checksum, count, at, id]));
    return Buffer.from(`${HEADER} ${crc32(text)}\n${text}\n`);
  }

  /** Adds what `encode` made; false when it is damaged. */
  load(bytes: Buffer, now: EpochMs): boolean {
    const [, checksum, text = ''] = new RegExp(`^${HEADER} (\\d+)\\n(.*)\\n$`).exec(bytes.toString()) ?? [];
    if (checksum === undefined || Number(checksum) !== crc32(text)) return false;
    for (const [key, sum, count, at, id] of JSON.parse(text) as readonly [string, number, number, EpochMs, string][]) {
      this.add({ key, checksum: sum, count, at, id }, now);
    }
    return true;
  }
}

const HEADER = 'keywatch-idempotency-1';
