import { createRequire } from 'node:module';
import { COMMANDS } from './cli/commands.ts';
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from './cli/errors.ts';
import { type Io, processIo } from './cli/io.ts';
import { reportFailure, runCommand, unknownCommand } from './cli/program.ts';

/**
 * The command line. `argv` is without node and script; answers the exit code: 0 fine, 1 failure, 2 usage or
 * configuration, 3 findings at or above `--fail-on`.
 */
export async function main(argv: readonly string[], io: Io = processIo): Promise<number> {
  if (io === processIo) endQuietlyOnClosedPipe();
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.stderr.write(topHelp());
    return EXIT_USAGE;
  }
  if (first === '--version' || first === '-V' || first === 'version') {
    io.stdout.write(`keywatch ${version()} (node ${process.version.slice(1)})\n`);
    return EXIT_OK;
  }
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    io.stdout.write(topHelp());
    return EXIT_OK;
  }
  const [name = '', args] = first === 'help' ? [rest[0], [...rest.slice(1), '--help']] : [first, rest];
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry === undefined) {
    return unknownCommand(
      name,
      COMMANDS.map((command) => command.name),
      io,
    );
  }
  try {
    const module = await entry.load();
    return await runCommand(module.command(io), args, io);
  } catch (error) {
    return reportFailure(error, `keywatch ${name}`, io);
  }
}

export function version(): string {
  const require = createRequire(import.meta.url);
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const found: unknown = require(path);
      if (typeof found === 'object' && found !== null && 'version' in found && typeof found.version === 'string') return found.version;
    } catch {
      // Sources stand one level below package.json, the built command two.
    }
  }
  return 'unknown';
}

function topHelp(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  return `Keywatch watches how API keys are used and acts when a key misbehaves.

Usage: keywatch <command> [options]

Commands:
${COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`).join('\n')}

Options:
  -h, --help     show this help; keywatch <command> --help for one command
  -V, --version  show the version

Examples:
  keywatch demo                             see it work, nothing needed
  keywatch analyze /var/log/nginx/access*   what happened in these logs
  keywatch run -c keywatch.yml              watch for ever
  keywatch doctor -c keywatch.yml           is everything in place?

Exit codes: 0 fine, 1 failure, 2 usage or configuration, 3 findings at or above --fail-on.
Environment: KEYWATCH_CONFIG, KEYWATCH_DATA_DIR, KEYWATCH_DEBUG=1 (stack traces), NO_COLOR.
`;
}

/** `keywatch keys list | head` closes the pipe early: that is no failure, and there is nobody left to tell. */
function endQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.listenerCount('error') > 0) continue;
    stream.on('error', (error: Error) => {
      process.exit('code' in error && error.code === 'EPIPE' ? EXIT_OK : EXIT_FAILURE);
    });
  }
}
