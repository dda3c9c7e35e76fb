import { appendFileSync, existsSync, readFileSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Random } from '../../../app/simulate/random.ts';
import type { EpochMs } from '../../../core/types.ts';
import { combinedLine } from '../support/lines.ts';

/** What one (owner, minute) was given: `owner` is a raw key, or `refused` for what nobody ever accepted. */
export type Entry = { requests: number; bytes: number };
/** `owner minute` to what was written. The writer's own account: it never looks at a log. */
export type Ledger = Map<string, Entry>;

export type LogFormat = 'ndjson' | 'combined';

const KEYS = 150;
/** One line in so many is a guessed key, that only ever gets 401. */
const GUESS_EVERY = 23;
const STATUSES = [200, 200, 200, 201, 204, 304, 403, 404, 429, 499, 500, 503];

/**
 * Plays a gateway that writes a log, and logrotate that renames it and packs the older ones while others read them. A
 * write may end in the middle of a line; what follows it comes later, into the same file.
 */
export class GrowingLog {
  readonly ledger: Ledger;
  readonly #path: string;
  readonly #folder: string;
  readonly #name: string;
  readonly #format: LogFormat;
  readonly #random: Random;
  /** The second half of a line that was begun. */
  #rest = '';
  #lines = 0;
  #rotations = 0;

  constructor(folder: string, format: LogFormat, seed: number, ledger: Ledger) {
    this.#folder = folder;
    this.#format = format;
    this.#name = format === 'ndjson' ? 'gateway.json' : 'access.log';
    this.#path = join(folder, this.#name);
    this.#random = new Random(seed, format);
    this.ledger = ledger;
    writeFileSync(this.#path, '');
  }

  /** What to follow. */
  get pattern(): string {
    return join(this.#folder, `${this.#name}*`);
  }

  /** Lines begun so far. */
  get lines(): number {
    return this.#lines;
  }

  get rotations(): number {
    return this.#rotations;
  }

  append(count: number, now: EpochMs): void {
    let text = this.#rest;
    this.#rest = '';
    for (let i = 0; i < count; i++) text += this.#line(now);
    if (this.#random.below(4) === 0 && text.length > 10) {
      const cut = text.length - 1 - this.#random.below(60);
      this.#rest = text.slice(cut);
      text = text.slice(0, cut);
    }
    if (text !== '') appendFileSync(this.#path, text);
  }

  /** The begun line is finished first: what a rotated file holds are whole lines. */
  finishLine(): void {
    if (this.#rest !== '') appendFileSync(this.#path, this.#rest);
    this.#rest = '';
  }

  /** As logrotate does with `create` and `delaycompress`: rename everything by one, pack what was rotated before. */
  rotate(): void {
    this.finishLine();
    this.#rotations++;
    const packed = readdirSync(this.#folder)
      .flatMap((name) => {
        const number = /^(.*)\.(\d+)\.gz$/.exec(name);
        return number?.[1] === this.#name ? [Number(number[2])] : [];
      })
      .sort((a, b) => b - a);
    for (const number of packed) renameSync(this.#numbered(number, '.gz'), this.#numbered(number + 1, '.gz'));
    const previous = this.#numbered(1);
    if (existsSync(previous)) {
      const target = this.#numbered(2, '.gz');
      const bytes = gzipSync(readFileSync(previous), { level: 1 });
      // As gzip writes: the name is there before all of it is.
      writeFileSync(target, bytes.subarray(0, bytes.length >> 1));
      appendFileSync(target, bytes.subarray(bytes.length >> 1));
      unlinkSync(previous);
    }
    renameSync(this.#path, previous);
    writeFileSync(this.#path, '');
  }

  #numbered(number: number, suffix = ''): string {
    return `${this.#path}.${number}${suffix}`;
  }

  #line(now: EpochMs): string {
    const i = this.#lines++;
    const random = this.#random;
    const isGuess = i % GUESS_EVERY === 0;
    const key = isGuess ? `guess-${this.#format}-${i}-${random.base62(12)}` : `customer-key-${random.below(KEYS)}-not-real`;
    const status = isGuess ? 401 : random.pick(STATUSES);
    const bytes = 100 + (i % 50);
    // A little of the past too, so that more than one minute is open.
    const at = now - (i % 3 === 0 ? random.below(70_000) : random.below(500));
    const minute = Math.floor(at / 60_000);
    const name = `${isGuess ? 'refused' : key} ${minute}`;
    const entry = this.ledger.get(name);
    if (entry === undefined) this.ledger.set(name, { requests: 1, bytes });
    else {
      entry.requests++;
      entry.bytes += bytes;
    }
    if (this.#format === 'combined') return combinedLine(i, { at, key, status });
    return `{"ts":${at},"key":"${key}","ip":"198.18.${i % 7}.10","method":"GET","path":"/v1/orders/${i}","status":${status},"bytes":${bytes},"ms":${i % 900},"ua":"acme/2.4"}\n`;
  }
}
