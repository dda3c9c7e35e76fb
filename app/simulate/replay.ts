import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { DAY_MS } from '../../core/window.ts';
import { clfTime } from './format/clf.ts';

/** A line of the real log with its new time. */
export type ReplayLine = { readonly at: EpochMs; readonly text: string };

/** How many times faster the demo replays the day than it was: slow enough that no client comes near a limit that it did not reach. */
export const REPLAY_COMPRESSION = 20;

/**
 * The day of real log lines in `data/`, moved to `start` and pressed together. After the day it begins again. Only the
 * time in the brackets changes; what follows a broken line break stays with the line before.
 */
export class Replay {
  readonly #lines: readonly { readonly offset: DurationMs; readonly head: string; readonly tail: string }[];
  readonly #start: EpochMs;
  readonly #compression: number;
  #index = 0;
  #round = 0;

  constructor(options: { readonly start: EpochMs; readonly compression?: number; readonly log?: string }) {
    this.#start = options.start;
    this.#compression = options.compression ?? REPLAY_COMPRESSION;
    this.#lines = parseDay(options.log ?? readDay());
  }

  /** Never ends. */
  next(): ReplayLine {
    const line = this.#lines[this.#index];
    if (line === undefined) throw new RangeError('BUG: the replayed day is empty');
    const at = Math.floor(this.#start + (this.#round * DAY_MS + line.offset) / this.#compression);
    this.#index++;
    if (this.#index === this.#lines.length) {
      this.#index = 0;
      this.#round++;
    }
    return { at, text: `${line.head}[${clfTime(at)}]${line.tail}\n` };
  }

  /** Requests of one round. */
  get length(): number {
    return this.#lines.length;
  }
}

/** The shipped day as text. */
export function readDay(): string {
  return gunzipSync(readFileSync(new URL('./data/erddap-day.log.gz', import.meta.url))).toString('latin1');
}

const HOUR_MINUTE_SECOND = /^([^[]*)\[\d{2}\/[A-Z][a-z]{2}\/\d{4}:(\d{2}):(\d{2}):(\d{2}) [+-]\d{4}\]/;

function parseDay(log: string): readonly { readonly offset: DurationMs; readonly head: string; readonly tail: string }[] {
  const lines: { offset: DurationMs; head: string; tail: string }[] = [];
  for (const text of log.split('\n')) {
    const found = HOUR_MINUTE_SECOND.exec(text);
    const last = lines.at(-1);
    if (found !== null) {
      const offset = ((Number(found[2]) * 60 + Number(found[3])) * 60 + Number(found[4])) * 1000;
      lines.push({ offset: Math.max(offset, last?.offset ?? 0), head: found[1] ?? '', tail: text.slice(found[0].length) });
    } else if (last !== undefined && text !== '') last.tail += `\n${text}`;
  }
  return lines;
}
