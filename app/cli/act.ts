import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { actorText, type Actor, type CommandResult, type Matcher, type OperatorCommand } from '../../core/operator.ts';
import { SEVERITIES, type EntityId, type EpochMs } from '../../core/types.ts';
import { RULES } from '../../detectors/registry.ts';
import { Directory } from '../../keys/directory.ts';
import type { Config } from '../config/config.ts';
import { parseDuration, parseRatio, parseSize } from '../config/units.ts';
import { stringify } from '../json/stringify.ts';
import { resultJson } from '../json/operator.ts';
import { NO_ANSWER, type Operator, ask, newCommandId } from '../operate/ask.ts';
import { allAlerts, type Found, find } from '../operate/find.ts';
import { globMatcher, parseMatcher } from '../operate/matchers.ts';
import { openOperator } from '../wire/operator.ts';
import { configuredBy } from './configured.ts';
import { CliError, usageError } from './errors.ts';
import { type Io, write } from './io.ts';
import { type ConfigOptions, type TimeOption, parseTimeOption, withConfigOptions, withJsonOption } from './options.ts';
import { didYouMean } from './suggest.ts';
import { printable } from './text.ts';

export type ActOptions = ConfigOptions & { readonly json?: boolean };

/** The options of every verb about alerts. */
export function withActOptions(command: Command): Command {
  return withJsonOption(withConfigOptions(command));
}

/** Who sits here: what the operating system says. */
function operatorHere(): Actor {
  try {
    return { way: 'cli', name: userInfo().username };
  } catch {
    // A container may run under a number that has no name.
    return { way: 'cli', name: `uid ${process.getuid?.() ?? 'unknown'}` };
  }
}

export async function openHere(io: Io, options: ConfigOptions): Promise<AsyncDisposable & { readonly config: Config; readonly operator: Operator }> {
  const { config } = configuredBy(options, io, { secrets: 'store' });
  const operator = await openOperator(config, { clock: io.clock });
  return { config, operator, [Symbol.asyncDispose]: () => operator[Symbol.asyncDispose]() };
}

type Unsigned<T> = T extends OperatorCommand ? Omit<T, 'id' | 'at' | 'actor'> : never;

/** Submits, waits, and says what came of it. Refused and unanswered end with exit code 1. */
export async function act(
  io: Io,
  options: ActOptions,
  operator: Operator,
  what: { readonly command: Unsigned<OperatorCommand>; readonly done: (result: CommandResult) => string | Promise<string>; readonly hint?: string },
): Promise<void> {
  const command = { ...what.command, id: newCommandId(), at: io.clock.now(), actor: operatorHere() } as OperatorCommand;
  const result = await ask(operator, command);
  if (options.json === true) {
    const json =
      result === undefined ? { id: command.id, status: 'waiting', reason: NO_ANSWER, made: null, by: actorText(command.actor), at: null } : resultJson(result);
    await write(io.stdout, `${stringify(json)}\n`);
  }
  if (result === undefined) throw new CliError(NO_ANSWER);
  if (result.status === 'refused')
    throw new CliError(`refused: ${printable(result.reason ?? 'no reason was given')}${what.hint === undefined ? '' : `; ${what.hint}`}`);
  if (options.json !== true) await write(io.stdout, `${await what.done(result)}\n`);
}

/** An incident or an alert by its id or by a start of it that only one has. */
export async function target(operator: Operator, id: string, now: EpochMs): Promise<Found> {
  const found = await find(operator.views, id);
  if (found !== undefined) return found;
  const ids: string[] = [];
  // What is open or was within a month is what people type ids of.
  for await (const alert of allAlerts(operator.views, { since: now - 30 * 86_400_000 }))
    ids.push(alert.id, ...(alert.incident === undefined ? [] : [alert.incident]));
  const starts = [...new Set(ids)].filter((known) => id.length >= 4 && known.toLowerCase().startsWith(id.toLowerCase()));
  const [only, ...more] = starts;
  const one = only !== undefined && more.length === 0 ? await find(operator.views, only) : undefined;
  if (one !== undefined) return one;
  const hint =
    more.length > 0 ? `; ${starts.length} begin like this, give more of it` : `${didYouMean(id, new Set(ids))}; keywatch incidents list --state all shows them`;
  throw new CliError(`there is no alert or incident '${printable(id)}'${hint}`);
}

/** `2h`, `90m`. */
export function parseLength(text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value > 0) return parsed.value;
  throw new InvalidArgumentError('expected a length of time such as 30m, 2h or 7d');
}

/** A time to come, `2h` from now or absolute. */
export function parseWhen(text: string): TimeOption {
  try {
    return parseTimeOption(text);
  } catch {
    throw new InvalidArgumentError('expected a time such as 2026-11-23T10:00:00Z, or how long from now such as 90m, 24h, 7d');
  }
}

export function timeAhead(option: TimeOption, now: EpochMs): EpochMs {
  return option.kind === 'at' ? option.time : now + option.ms;
}

/** A value of a rule: `5000`, `2GB`, `12%`. */
export function parseAmount(text: string): number {
  const plain = Number(text.replaceAll(/[,_]/g, ''));
  if (text.trim() !== '' && Number.isFinite(plain)) return plain;
  const parsed = text.trim().endsWith('%') ? parseRatio(text) : parseSize(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError('expected a number in the unit of the rule, such as 5000, 2GB or 12%');
}

export type MatchOptions = { readonly match?: readonly Matcher[]; readonly key?: string; readonly rule?: string; readonly severity?: string };

/** `--match`, `--key`, `--rule`, `--severity`. */
export function withMatchers(command: Command): Command {
  return command
    .option('--key <glob>', 'the label of a key, or a glob such as "billing-*"')
    .option('--rule <glob>', 'a rule, for instance error_rate')
    .option('--severity <severity>', 'info, low, medium, high or critical')
    .option('--match <label=value>', 'any label, with =, !=, =~ or !~, for instance owner=payments (repeatable)', collectMatcher);
}

function collectMatcher(text: string, before: readonly Matcher[] = []): readonly Matcher[] {
  const matcher = parseMatcher(text);
  if (matcher === undefined) throw new InvalidArgumentError('expected a label, one of = != =~ !~, and a value, for instance owner=payments');
  return [...before, matcher];
}

export function matchersOf({ match = [], key, rule, severity }: MatchOptions): readonly Matcher[] {
  return [
    ...(key === undefined ? [] : [globMatcher('key', key)]),
    ...(rule === undefined ? [] : [globMatcher('rule', /[*?]/.test(rule) ? rule : ruleNamed(rule))]),
    ...(severity === undefined ? [] : [globMatcher('severity', /[*?]/.test(severity) ? severity : severityNamed(severity))]),
    ...match,
  ];
}

function severityNamed(name: string): string {
  if (SEVERITIES.some((severity) => severity === name)) return name;
  throw usageError(`there is no severity '${printable(name)}'${didYouMean(name, SEVERITIES)}; there are ${SEVERITIES.join(', ')}`);
}

export function ruleNamed(name: string): string {
  const ids = RULES.map(({ id }): string => id);
  if (ids.includes(name)) return name;
  throw usageError(`there is no rule '${printable(name)}'${didYouMean(name, ids)}; there are ${ids.join(', ')}`);
}

/** A key by label, id or fingerprint: of the inventory, or among those with alerts. */
export async function keyNamed(name: string, { config, operator }: { readonly config: Config; readonly operator: Operator }, now: EpochMs): Promise<EntityId> {
  const directory = new Directory(config.directory);
  const seen = new Map<EntityId, string>();
  for await (const alert of allAlerts(operator.views, { since: now - 30 * 86_400_000 })) seen.set(alert.entity, alert.label);
  const found = new Set([
    ...directory.find(name, [...seen.keys()]),
    ...[...seen].filter(([entity, label]) => label === name || entity === name).map(([entity]) => entity),
  ]);
  const [only, ...more] = found;
  if (only === undefined)
    throw new CliError(
      `there is no key '${printable(name)}' in the inventory or among those with alerts${didYouMean(name, seen.values())}; keywatch keys list shows them`,
    );
  if (more.length > 0) throw usageError(`'${printable(name)}' may be ${[...found].map((entity) => printable(entity)).join(' or ')}; give the whole id`);
  return only;
}
