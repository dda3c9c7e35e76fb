import { connect } from 'node:net';
import { EmailNotifier } from '../../alerts/notify/email/index.ts';
import { SlackNotifier } from '../../alerts/notify/slack/index.ts';
import type { Notification } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { Notifier } from '../../core/ports.ts';
import { systemReason } from '../cli/errors.ts';
import { printable } from '../cli/text.ts';
import type { Config } from '../config/config.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

const CONNECT_MS = 5_000;
const SEND_MS = 30_000;

type Channel = { readonly kind: string; readonly name: string; readonly host: string; readonly port: number; notifier(clock: Clock): Notifier };

/** Can each channel be reached? With `isSending` a marked sample goes out, else it is a TCP connection and nothing more. */
export async function checkChannels(alerts: Config['alerts'], options: { readonly isSending: boolean; readonly clock: Clock }): Promise<readonly CheckRow[]> {
  const channels = channelsOf(alerts);
  if (channels.length === 0)
    return [warn('channels', 'no channel is configured, so nobody is told of alerts', 'add Slack or email under alerts.channels in the configuration')];
  return Promise.all(channels.map((channel) => checkChannel(channel, options)));
}

function channelsOf(alerts: Config['alerts']): readonly Channel[] {
  return [
    ...alerts.channels.slack.map((config): Channel => {
      const url = new URL(config.webhookUrl.reveal());
      const port = url.port === '' ? (url.protocol === 'http:' ? 80 : 443) : Number(url.port);
      return {
        kind: 'slack',
        name: config.name,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port,
        notifier: (clock) => new SlackNotifier(config, { name: config.name, now: () => clock.now() }),
      };
    }),
    ...alerts.channels.email.map((config): Channel => ({
      kind: 'email',
      name: config.name,
      host: config.host,
      port: config.port,
      notifier: () => new EmailNotifier(config, { name: config.name }),
    })),
  ];
}

async function checkChannel(channel: Channel, options: { readonly isSending: boolean; readonly clock: Clock }): Promise<CheckRow> {
  const name = `${channel.kind} ${printable(channel.name)}`;
  const where = `${printable(channel.host)}:${channel.port}`;
  const fault = await tcpFault(channel.host, channel.port);
  if (fault !== undefined)
    return fail(name, `${where} cannot be reached: ${fault}`, 'check the address, the name server and the firewall between here and there');
  if (!options.isSending) return ok(name, `${where} answers; keywatch doctor --send also sends a sample`);
  const outcome = await channel.notifier(options.clock).notify(sample(options.clock), AbortSignal.timeout(SEND_MS));
  if (outcome.ok) return ok(name, `${where} took a sample message`);
  return fail(
    name,
    `${where} did not take a sample message: ${printable(outcome.reason)}`,
    channel.kind === 'slack' ? 'make a new webhook in Slack if this one was removed' : 'check user, password, tls and the sender address',
  );
}

function sample(clock: Clock): Notification {
  const at = clock.now();
  return {
    id: `sample-${at}`,
    kind: 'sample',
    at,
    attempt: 1,
    text: 'This is a test message from keywatch doctor. No key misbehaved; there is nothing to do.',
  };
}

/** Opens a connection and closes it. Why it did not work, in words. */
function tcpFault(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (fault: string | undefined): void => {
      socket.destroy();
      resolve(fault);
    };
    socket.setTimeout(CONNECT_MS, () => done(`no answer within ${CONNECT_MS / 1000} s`));
    socket.once('connect', () => done(undefined));
    // Several addresses of one name fail together as an AggregateError, which carries the code of the first.
    socket.once('error', (error) => done(systemReason(error)));
  });
}
