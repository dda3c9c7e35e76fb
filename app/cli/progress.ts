import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Output } from './io.ts';
import { painter } from './style.ts';
import { clip, clipMiddle, printable } from './text.ts';

export type Progress = {
  /** `bytes` read so far of `totalBytes`; `records` so far, for the rate. `note` is the file in work. */
  update(state: { readonly bytes: number; readonly totalBytes?: number | undefined; readonly records: number; readonly note?: string }): void;
  /** Takes the bar away, so that a line can be printed; the next update draws it again. */
  clear(): void;
  /** Takes the bar away for good. Safe twice. */
  finish(): void;
};

const DRAW_EVERY_MS: DurationMs = 100;
const BAR_COLUMNS = 24;
/** Rates over the last seconds, not over the whole run: what a person wants to know is how it goes now. */
const RATE_MEMORY_MS: DurationMs = 5_000;

const silent: Progress = { update: () => undefined, clear: () => undefined, finish: () => undefined };

/** A bar with rate and time left on a terminal; nothing at all elsewhere. Draws at most ten times a second. */
export function createProgress(options: { readonly stream: Output; readonly clock: Clock; readonly title?: string }): Progress {
  const { stream, clock } = options;
  if (stream.isTTY !== true) return silent;
  const paint = painter(stream);
  const started = clock.monotonic();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isShown = false;
  let isFinished = false;
  const samples: { readonly at: DurationMs; readonly bytes: number; readonly records: number }[] = [{ at: started, bytes: 0, records: 0 }];

  const clear = (): void => {
    if (isShown) stream.write('\r\u001b[2K');
    isShown = false;
    drawnAt = Number.NEGATIVE_INFINITY;
  };

  return {
    update(state) {
      const now = clock.monotonic();
      if (isFinished || now - drawnAt < DRAW_EVERY_MS) return;
      drawnAt = now;
      samples.push({ at: now, bytes: state.bytes, records: state.records });
      while (samples.length > 2 && now - (samples[1]?.at ?? now) > RATE_MEMORY_MS) samples.shift();
      const oldest = samples[0] ?? { at: started, bytes: 0, records: 0 };
      const seconds = Math.max(0.001, (now - oldest.at) / 1000);
      const line = progressLine({
        ...state,
        title: options.title ?? '',
        recordRate: (state.records - oldest.records) / seconds,
        byteRate: (state.bytes - oldest.bytes) / seconds,
        elapsedMs: now - started,
      });
      stream.write(`\r\u001b[2K${paint('cyan', clip(line, (stream.columns ?? 80) - 1))}`);
      isShown = true;
    },
    clear,
    finish() {
      isFinished = true;
      clear();
    },
  };
}

/** One line: bar, share, records, rate, time left, file. Without a total: what was read and for how long. */
export function progressLine(state: {
  readonly title: string;
  readonly bytes: number;
  readonly totalBytes?: number | undefined;
  readonly records: number;
  readonly recordRate: number;
  readonly byteRate: number;
  readonly elapsedMs: DurationMs;
  readonly note?: string;
}): string {
  const parts: string[] = [];
  if (state.title !== '') parts.push(state.title);
  if (state.totalBytes !== undefined && state.totalBytes > 0) {
    const share = Math.min(1, state.bytes / state.totalBytes);
    const full = Math.floor(share * BAR_COLUMNS);
    parts.push(`${'█'.repeat(full)}${'░'.repeat(BAR_COLUMNS - full)} ${String(Math.floor(share * 100)).padStart(3)} %`);
  } else parts.push(formatBytes(state.bytes));
  parts.push(`${formatCount(state.records)} lines`, `${formatCount(state.recordRate)}/s`);
  if (state.totalBytes !== undefined && state.byteRate > 0 && state.totalBytes >= state.bytes) {
    parts.push(`${formatDuration(Math.ceil((state.totalBytes - state.bytes) / state.byteRate) * 1000)} left`);
  } else parts.push(formatDuration(Math.floor(state.elapsedMs / 1000) * 1000));
  if (state.note !== undefined) parts.push(clipMiddle(printable(state.note), 32));
  return parts.join('  ');
}
