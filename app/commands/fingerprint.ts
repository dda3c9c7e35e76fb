import { type Interface, createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { Fingerprinter, isFingerprint } from '../../core/fingerprint.ts';
import { configuredBy } from '../cli/configured.ts';
import { usageError } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { loadPepper } from '../pepper.ts';

type Options = ConfigOptions & { readonly json?: boolean };

export function command(io: Io): Command {
  const fingerprint = withJsonOption(withConfigOptions(new Command('fingerprint')))
    .description('Read secrets from standard input, one a line, and print the ids of their keys, in order. Nothing is echoed, stored or sent.')
    .argument('[nothing...]')
    .action((args: readonly string[], options: Options) => run(io, args, options));
  // Arguments are taken only to refuse them with a reason.
  fingerprint.usage('[options] < file-with-secrets');
  return withExamples(fingerprint, [
    ['read -rs KEY && echo "$KEY" | keywatch fingerprint', 'one key, typed without being shown'],
    ['keywatch fingerprint < keys.txt', 'many keys, one a line'],
    ['vault-export | keywatch fingerprint -c keywatch.yml', 'with the pepper of that installation'],
  ]);
}

async function run(io: Io, args: readonly string[], options: Options): Promise<void> {
  if (args.length > 0)
    throw usageError(
      'secrets are read from standard input, never from the command line, where every process can see them; try: read -rs KEY && echo "$KEY" | keywatch fingerprint',
    );
  const { config } = configuredBy(options, io, { secrets: 'pepper' });
  const { pepper, origin } = loadPepper({ configured: config.pepper, directory: config.store.directory });
  const fingerprinter = new Fingerprinter(pepper);
  if (origin === 'created') io.stderr.write(`made a new pepper in ${config.store.directory}; ids are valid for this data directory only\n`);
  const lines = linesOf(io);
  let count = 0;
  for await (const line of lines) {
    // A key has no blanks around it; pasting often has.
    const secret = line.trim();
    if (secret === '') continue;
    count++;
    if (isFingerprint(secret)) io.stderr.write(`line ${count} is a fingerprint already; it was taken as a secret\n`);
    const id = fingerprinter.fingerprint(secret);
    await write(io.stdout, options.json === true ? `${JSON.stringify({ id })}\n` : `${id}\n`);
  }
  if (count === 0) throw usageError('no secret came from standard input; give one a line, for instance: keywatch fingerprint < keys.txt');
}

/** Lines of standard input. On a terminal what is typed is not shown. */
function linesOf(io: Io): Interface {
  if (io.stdin.isTTY !== true) return createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  io.stderr.write('Type or paste one secret a line, then Enter; it is not shown. Ctrl-D ends.\n');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  lines.on('SIGINT', () => lines.close());
  return lines;
}
