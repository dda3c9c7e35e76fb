import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../app/cli/commands.ts';
import type { Io } from '../../app/cli/io.ts';
import { sink, stillClock } from '../app/cli/capture.ts';
import { blocksOf, page, pages, spansOf } from './pages.ts';

/** Words of a shell line; quotes group. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? '');
}

/** What stands behind `keywatch` up to the next program, comment or redirection. */
function commandsIn(line: string): readonly (readonly string[])[] {
  const plain = line
    .replace(/#\s.*$/, '')
    .replace(/\bnpm start --(?=\s)/g, 'keywatch demo')
    .replace(/\S*\bkeywatch\.mjs\b/g, 'keywatch');
  return plain
    .split(/\s*(?:\||&&|;)\s*/)
    .flatMap((part) => {
      const found = /(?:^|\s)keywatch\s+(.*)$/.exec(part);
      return found === null ? [] : [words((found[1] ?? '').replace(/\s+[<>]\s*\S+/g, ''))];
    })
    .filter((args) => args.length > 0);
}

const MANUAL = pages().filter(({ path }) => path === 'README.md' || path.startsWith('docs/'));

/** To be typed as they are. */
function typed(): readonly (readonly string[])[] {
  return MANUAL.flatMap(blocksOf)
    .filter(({ language }) => language === 'sh' || language === 'ini')
    .flatMap(({ text }) => text.split('\n'))
    .flatMap((line) => commandsIn(line.replace(/^ExecStart=/, '')));
}

/** Named in a sentence: they may leave out what they are about, or hold a placeholder. */
function named(): readonly (readonly string[])[] {
  return MANUAL.flatMap(spansOf)
    .filter((span) => /^(?:npx )?keywatch |^npm start -- /.test(span))
    .flatMap(commandsIn)
    .filter((args) => !args.some((word) => /…|^</.test(word)));
}

const io: Io = { stdin: Readable.from([]), stdout: sink().stream, stderr: sink().stream, env: {}, clock: stillClock };

/** The command as it is, except that it does nothing. */
function idle(command: Command): Command {
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    .action(() => undefined);
  for (const child of command.commands) idle(child);
  return command;
}

/** What the command line would say to these arguments; undefined when it takes them. */
async function refusal([name = '', ...rest]: readonly string[]): Promise<string | undefined> {
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry === undefined) return `there is no command ${name}`;
  const module = await entry.load();
  try {
    await idle(module.command(io)).parseAsync([...rest], { from: 'user' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('commands with a wrong option, value or subcommand are told apart from right ones', async () => {
  expect(await refusal(['analyze', 'access.log', '--top', '5'])).toBeUndefined();
  expect(await refusal(['analyze', 'access.log', '--tip', '5'])).toContain("unknown option '--tip'");
  expect(await refusal(['analyze', 'access.log', '--format', 'apache'])).toContain('is invalid');
  expect(await refusal(['analyze'])).toContain('missing required argument');
  expect(await refusal(['alerts', 'shwo'])).toContain('shwo');
  expect(await refusal(['analyse', 'x'])).toBe('there is no command analyse');
});

test('every keywatch command shown in README and docs is understood', async () => {
  expect(typed().length).toBeGreaterThan(15);
  const refused: string[] = [];
  for (const args of typed()) {
    const reason = await refusal(args);
    if (reason !== undefined) refused.push(`keywatch ${args.join(' ')}: ${reason}`);
  }
  for (const args of named()) {
    const reason = await refusal(args);
    if (reason !== undefined && !reason.includes('missing required argument')) refused.push(`keywatch ${args.join(' ')}: ${reason}`);
  }
  expect(refused).toEqual([]);
});

test('the manual names every command and every option of analyze', async () => {
  const all = pages()
    .filter(({ path }) => path.startsWith('docs/manual/'))
    .map(({ text }) => text)
    .join('\n');
  expect(COMMANDS.map(({ name }) => `keywatch ${name}`).filter((name) => !all.includes(name) && name !== 'keywatch demo')).toEqual([]);
  const analyze = COMMANDS.find(({ name }) => name === 'analyze');
  const module = await analyze?.load();
  const options = module?.command(io).options.map((option) => option.long ?? '') ?? [];
  const { text } = page('docs/manual/analyze.md');
  expect(options.filter((option) => !text.includes(`\`${option}`) && option !== '--config')).toEqual([]);
});

test.each(['run', 'setup', 'dlq', 'generation', 'simulate', 'token'])('the manual names every option of %s, and every subcommand', async (name) => {
  const all = pages()
    .filter(({ path }) => path.startsWith('docs/manual/'))
    .map(({ text }) => text)
    .join('\n');
  const module = await COMMANDS.find((command) => command.name === name)?.load();
  const top = module?.command(io);
  const commands = top === undefined ? [] : [top, ...top.commands];
  expect(commands.slice(1).flatMap((command) => (all.includes(`keywatch ${name} ${command.name()}`) ? [] : [command.name()]))).toEqual([]);
  const options = commands.flatMap((command) => command.options.map((option) => option.long ?? ''));
  // What every command has stands in the manual of the configuration.
  expect(options.filter((option) => !new RegExp(`${option}(?![\\w-])`).test(all) && option !== '--config')).toEqual([]);
});
