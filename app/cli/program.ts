import { Command, CommanderError } from 'commander';
import { looksLikeSecret } from '../config/looks-secret.ts';
import { CliError, CommandExit, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, systemReason, errorCode } from './errors.ts';
import { type Io, widthOf } from './io.ts';
import { didYouMean } from './suggest.ts';
import { printable } from './text.ts';

const HELP_COLUMNS = 100;

/** Runs one command with its own arguments (without its name) and answers the exit code. */
export async function runCommand(command: Command, args: readonly string[], io: Io): Promise<number> {
  new Command('keywatch').addCommand(command);
  let failed = command;
  adopt(command, io, (at) => {
    failed = at;
  });
  try {
    await command.parseAsync([...args], { from: 'user' });
    return EXIT_OK;
  } catch (error) {
    return reportFailure(error, pathOf(error instanceof CommanderError ? failed : deepest(command, args)), io, failed);
  }
}

/** Commander's own printing and exiting goes through us, on every level. */
function adopt(command: Command, io: Io, onFailure: (at: Command) => void): void {
  command
    .exitOverride((error) => {
      onFailure(command);
      throw error;
    })
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      // Errors come back as CommanderError and are printed once, in `reportFailure`.
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(HELP_COLUMNS, widthOf(io)),
      getErrHelpWidth: () => Math.min(HELP_COLUMNS, widthOf(io, io.stderr)),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const child of command.commands) adopt(child, io, onFailure);
}

/** `keywatch config check`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** The subcommand that `args` name. */
function deepest(command: Command, args: readonly string[]): Command {
  const child = command.commands.find((candidate) => candidate.name() === args[0]);
  return child ?? command;
}

/** One clear line on stderr: what, where, what to do. Never a stack, unless KEYWATCH_DEBUG=1 asks for it. */
export function reportFailure(error: unknown, prefix: string, io: Io, command?: Command): number {
  if (error instanceof CommandExit) return error.exitCode;
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT_OK;
  const isDebug = io.env['KEYWATCH_DEBUG'] === '1';
  const say = (line: string): void => void io.stderr.write(`${line}\n`);
  if (error instanceof CommanderError) {
    say(`${prefix}: ${commanderLine(error, prefix, command)}`);
    return EXIT_USAGE;
  }
  if (error instanceof CliError) {
    say(error.message.includes('\n') ? error.message : `${prefix}: ${error.message}`);
    if (isDebug) say(error.stack ?? '');
    return error.exitCode;
  }
  // The storage says what and where itself; by name, so that a command without a store does not load one.
  if (error instanceof Error && error.name === 'StorageFault') {
    say(`${prefix}: ${printable(error.message)}`);
    if (isDebug) say(error.stack ?? '');
    return EXIT_FAILURE;
  }
  if (errorCode(error) !== undefined) say(`${prefix}: ${systemLine(error)}`);
  else say(`${prefix}: this should not have happened: ${printable(error instanceof Error ? error.message : String(error))}`);
  if (isDebug) say(error instanceof Error ? (error.stack ?? '') : '');
  else say('set KEYWATCH_DEBUG=1 to see where');
  return EXIT_FAILURE;
}

function systemLine(error: unknown): string {
  const path = error instanceof Error && 'path' in error && typeof error.path === 'string' ? `${printable(error.path)}: ` : '';
  return `${path}${systemReason(error)}`;
}

/** Commander's message on one line, in our words, without values: an option's value may be a secret typed in the wrong place. */
function commanderLine(error: CommanderError, prefix: string, command: Command | undefined): string {
  const [first = '', ...rest] = error.message.split('\n');
  const help = `see ${prefix} --help`;
  const hint =
    rest.length === 0
      ? ''
      : ` ${rest
          .join(' ')
          .replace(/\(Did you mean (one of )?/, '(did you mean ')
          .trim()}`;
  const text = first.replace(/^error: /, '');
  switch (error.code) {
    case 'commander.unknownOption':
      return `unknown option ${quoted(/'(.*)'$/s.exec(text)?.[1] ?? '')}${hint}; ${help}`;
    case 'commander.unknownCommand':
      return `unknown command ${quoted(/'(.*)'$/s.exec(text)?.[1] ?? '')}${hint}; ${help}`;
    case 'commander.excessArguments':
      return `too many arguments; ${help}`;
    case 'commander.help':
      return `a subcommand is needed${subcommandsOf(command)}; ${help}`;
    default:
      return `${printable(text).replace(/\.$/, '')}${hint}; ${help}`;
  }
}

function subcommandsOf(command: Command | undefined): string {
  const names = command?.commands.map((child) => child.name()) ?? [];
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}

/** What the user typed, safe to repeat. */
export function quoted(word: string): string {
  const name = word.split('=')[0] ?? '';
  return looksLikeSecret(name) ? '(hidden, it looks like a secret)' : `'${printable(name)}'`;
}

export function unknownCommand(word: string, names: readonly string[], io: Io): number {
  const misplaced = word.startsWith('-');
  io.stderr.write(
    misplaced
      ? `keywatch: unknown option ${quoted(word)} before a command; options stand after it, as in keywatch run ${quoted(word).replaceAll("'", '')}; see keywatch --help\n`
      : `keywatch: unknown command ${quoted(word)}${didYouMean(word, names)}; see keywatch --help\n`,
  );
  return EXIT_USAGE;
}
