import { hash, randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { usageError } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { withExamples, withJsonOption } from '../cli/options.ts';
import { looksLikeSecret } from '../config/looks-secret.ts';
import { ROLES, type Role } from '../http/roles.ts';

type Options = { readonly role?: Role; readonly json?: boolean };

/** Says what it is to whoever finds it, and to scanners of leaked secrets. */
const PREFIX = 'kwt_';
const TOKEN_BYTES = 32;

export function command(io: Io): Command {
  const token = withJsonOption(new Command('token'))
    .description(
      'Make a token for a sender of events, or with --role for the API, and the line of the configuration that lets it in. The token is shown once and stored nowhere.',
    )
    .argument('<name>', 'who will use it, for instance edge-gateway or ada; shown in logs and, with --role, in the history of every alert')
    .addOption(
      new Option('--role <role>', 'for the API: viewer reads, operator also acknowledges, resolves and silences, admin also reloads the configuration').choices(
        ROLES,
      ),
    )
    .action((name: string, options: Options) => run(io, name, options));
  return withExamples(token, [
    ['keywatch token edge-gateway', 'a token, and what to put under http.tokens'],
    ['keywatch token ada --role operator', 'a token for the API, and what to put under api.tokens'],
    ['keywatch token edge-gateway --json', 'the same for a program'],
  ]);
}

async function run(io: Io, name: string, options: Options): Promise<void> {
  const plain = name.trim();
  if (plain === '') throw usageError('the name is empty; try: keywatch token edge-gateway');
  // It would be printed here and in every log of a request.
  if (looksLikeSecret(plain)) throw usageError('this looks like a secret; give the name of who will use it, and a token is made');
  const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const sha256 = hash('sha256', token, 'hex');
  const role = options.role === undefined ? {} : { role: options.role };
  const entry = { tokens: [{ name: plain, sha256, ...role }] };
  if (options.json === true) {
    await write(io.stdout, `${JSON.stringify({ name: plain, ...role, token, sha256 })}\n`);
    return;
  }
  await write(
    io.stdout,
    [
      `The token, shown this once. ${options.role === undefined ? 'The sender' : 'Whoever has it'} puts it into every request:`,
      `  Authorization: Bearer ${token}`,
      '',
      'Its hash, for the configuration:',
      ...stringify(options.role === undefined ? { http: entry } : { api: entry }, { lineWidth: 0 })
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
      '',
    ].join('\n'),
  );
}
