import { hash, randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { usageError } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { withExamples, withJsonOption } from '../cli/options.ts';
import { looksLikeSecret } from '../config/looks-secret.ts';

type Options = { readonly json?: boolean };

/** Says what it is to whoever finds it, and to scanners of leaked secrets. */
const PREFIX = 'kwt_';
const TOKEN_BYTES = 32;

export function command(io: Io): Command {
  const token = withJsonOption(new Command('token'))
    .description('Make a token for a sender of events, and the line of the configuration that lets it in. The token is shown once and stored nowhere.')
    .argument('<name>', 'who will use it, for instance edge-gateway; shown in logs')
    .action((name: string, options: Options) => run(io, name, options));
  return withExamples(token, [
    ['keywatch token edge-gateway', 'a token, and what to put under http.tokens'],
    ['keywatch token edge-gateway --json', 'the same for a program'],
  ]);
}

async function run(io: Io, name: string, options: Options): Promise<void> {
  const plain = name.trim();
  if (plain === '') throw usageError('the name of the sender is empty; try: keywatch token edge-gateway');
  // It would be printed here and in every log of a request.
  if (looksLikeSecret(plain)) throw usageError('this looks like a secret; give the name of the sender, and a token is made for it');
  const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const sha256 = hash('sha256', token, 'hex');
  if (options.json === true) {
    await write(io.stdout, `${JSON.stringify({ name: plain, token, sha256 })}\n`);
    return;
  }
  await write(
    io.stdout,
    [
      'The token, shown this once. The sender puts it into every request:',
      `  Authorization: Bearer ${token}`,
      '',
      'Its hash, for the configuration:',
      ...stringify({ http: { tokens: [{ name: plain, sha256 }] } }, { lineWidth: 0 })
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
      '',
    ].join('\n'),
  );
}
