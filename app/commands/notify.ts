import { Command } from 'commander';
import { channelKindOf } from '../../alerts/notify/registry.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, usageError } from '../cli/errors.ts';
import { type Io, write } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { didYouMean } from '../cli/suggest.ts';
import { printable } from '../cli/text.ts';
import { sendSample } from '../notify-sample.ts';

type Options = ConfigOptions & { readonly json?: boolean };

export function command(io: Io): Command {
  const notify = new Command('notify').description('Try the channels of the configuration.');
  withExamples(
    withJsonOption(withConfigOptions(notify.command('test')))
      .description('Send a sample to one channel, marked as a test. Ends with 1 when the other side does not take it, and says why.')
      .argument('<channel>', 'name of the channel in the configuration')
      .action((name: string, options: Options) => test(io, name, options)),
    [
      ['keywatch notify test api-alerts', 'a sample to the channel api-alerts'],
      ['keywatch notify test on-call --json', 'the same for a script'],
    ],
  );
  return withExamples(notify, [['keywatch notify test api-alerts', 'a sample to the channel api-alerts']]);
}

async function test(io: Io, name: string, options: Options): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'all' });
  const { channels } = config.alerts;
  const channel = channels.find((candidate) => candidate.name === name);
  if (channel === undefined) {
    const names = channels.map((candidate) => candidate.name);
    throw usageError(
      names.length === 0
        ? 'no channel is configured; add one under alerts.channels'
        : `there is no channel '${printable(name)}'${didYouMean(name, names)}; the channels are ${names.map(printable).join(', ')}`,
    );
  }
  const outcome = await sendSample(channel, { clock: io.clock, sender: 'keywatch notify test' });
  const kind = channelKindOf(channel.kind);
  if (options.json === true) {
    const answer = { channel: name, kind: channel.kind, sent: outcome.ok, ...(outcome.ok ? {} : { reason: outcome.reason, retryable: outcome.retryable }) };
    await write(io.stdout, `${JSON.stringify(answer)}\n`);
  } else if (outcome.ok) await write(io.stdout, `${printable(name)} (${channel.kind}) took a sample message\n`);
  if (!outcome.ok) throw new CliError(`${printable(name)} did not take a sample message: ${printable(outcome.reason)}; ${kind.advice}`);
}
