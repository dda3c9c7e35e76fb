import type { Command } from 'commander';
import type { EpochMs } from '../../core/types.ts';
import { type Range, rangeOf } from '../stored.ts';
import { usageError } from './errors.ts';
import { formatAgo, formatTime } from './format.ts';
import { type ConfigOptions, type TimeOption, resolveTime, sinceOption, untilOption, withConfigOptions, withJsonOption } from './options.ts';

export type RangeOptions = ConfigOptions & { readonly since: TimeOption; readonly until?: TimeOption; readonly json?: boolean };

const DAY: TimeOption = { kind: 'ago', ms: 86_400_000 };

/** `--since`, `--until`, `--json` and the options of the configuration. */
export function withRange(command: Command): Command {
  return withJsonOption(
    withConfigOptions(command).addOption(sinceOption('from this time on, or how long ago, such as 90m, 7d').default(DAY, '24h')).addOption(untilOption()),
  );
}

/** The stretch of time that the options ask for. */
export function askedRange(options: RangeOptions, now: EpochMs): Range {
  const from = resolveTime(options.since, now);
  const to = options.until === undefined ? now : resolveTime(options.until, now);
  if (from >= to) throw usageError(`--since (${formatTime(from)}) is not before --until (${formatTime(to)})`);
  return rangeOf(from, to);
}

/** Why a list is empty, and what to ask instead. */
export function nothingSeen(range: Range, newest: EpochMs | undefined, now: EpochMs): string {
  const asked = `no requests from ${formatTime(range.from)} to ${formatTime(range.to)}`;
  if (newest === undefined) return `${asked}; nothing was stored yet\n`;
  const day = new Date(newest).toISOString().slice(0, 10);
  return newest < range.from
    ? `${asked}; the newest stored event is from ${formatTime(newest)} (${formatAgo(newest, now)}), try --since ${day}\n`
    : `${asked}\n`;
}
