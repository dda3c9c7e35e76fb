import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { parseDuration } from '../config/units.ts';

/** What every command that reads the configuration understands. */
export type ConfigOptions = { readonly config?: string; readonly dataDir?: string; readonly set?: readonly string[] };

/** Adds `--config`, `--data-dir` and `--set`. */
export function withConfigOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: $KEYWATCH_CONFIG, else ./keywatch.yml if it exists)')
    .option('--data-dir <dir>', 'where Keywatch keeps its state (default: $KEYWATCH_DATA_DIR, else $XDG_STATE_HOME/keywatch)')
    .option('--set <path=value>', 'override one setting, for instance --set store.retention.minutes=14d (repeatable)', collect);
}

export function withJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON for programs');
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** `--top <n>` and the like. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1 up, for instance 20');
  return value;
}

/** A point in time, absolute or as a distance back from now. */
export type TimeOption = { readonly kind: 'at'; readonly time: EpochMs } | { readonly kind: 'ago'; readonly ms: DurationMs };

/** `24h`, `7d`, `2026-11-23`, `2026-11-23T10:00:00Z`. A time without a zone is UTC. */
export function parseTimeOption(text: string): TimeOption {
  const ago = parseDuration(text);
  if (ago.ok) return { kind: 'ago', ms: ago.value };
  const found = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text.trim());
  if (found !== null) {
    const [, day = '', minute = '00:00', second = '', zone = 'Z'] = found;
    const offset = zone.toUpperCase() === 'Z' ? 'Z' : zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
    const time = Date.parse(`${day}T${minute}${second}${offset}`);
    // The parser rolls 31 February over to March: a date that does not exist is a mistake, not a wish.
    if (Number.isFinite(time) && new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day)) return { kind: 'at', time };
  }
  throw new InvalidArgumentError('expected a time such as 2026-11-23T10:00:00Z, or how long ago such as 90m, 24h, 7d');
}

export function resolveTime(option: TimeOption, now: EpochMs): EpochMs {
  return option.kind === 'at' ? option.time : now - option.ms;
}

export function sinceOption(text: string): Option {
  return new Option('--since <when>', text).argParser(parseTimeOption);
}

export function untilOption(): Option {
  return new Option('--until <when>', 'only events before this, a time or how long ago (default: now)').argParser(parseTimeOption);
}

/** The examples below every `--help`: a command and what it is for. */
export function withExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  return command.addHelpText('after', `\nExamples:\n${examples.map(([line, text]) => `  ${line.padEnd(width)}  ${text}`).join('\n')}`);
}
