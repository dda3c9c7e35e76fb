import { connect } from 'node:net';
import type { ChannelConfig } from '../../alerts/notify/channel.ts';
import { channelKindOf } from '../../alerts/notify/registry.ts';
import type { Clock } from '../../core/clock.ts';
import { systemReason } from '../cli/errors.ts';
import { printable } from '../cli/text.ts';
import type { Config } from '../config/config.ts';
import { sendSample } from '../notify-sample.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

const CONNECT_MS = 5_000;

/** Can each channel be reached? With `isSending` a marked sample goes out, else it is a TCP connection and nothing more. */
export async function checkChannels(alerts: Config['alerts'], options: { readonly isSending: boolean; readonly clock: Clock }): Promise<readonly CheckRow[]> {
  if (alerts.channels.length === 0)
    return [warn('channels', 'no channel is configured, so nobody is told of alerts', 'add Slack or email under alerts.channels in the configuration')];
  return Promise.all(alerts.channels.map((channel) => checkChannel(channel, options)));
}

async function checkChannel(channel: ChannelConfig, options: { readonly isSending: boolean; readonly clock: Clock }): Promise<CheckRow> {
  const kind = channelKindOf(channel.kind);
  const name = `${channel.kind} ${printable(channel.name)}`;
  const targets = kind.targets(channel.settings);
  const where = targets.map(({ host, port }) => `${printable(host)}:${port}`).join(', ');
  for (const { host, port } of targets) {
    const fault = await tcpFault(host, port);
    if (fault !== undefined)
      return fail(name, `${printable(host)}:${port} cannot be reached: ${fault}`, 'check the address, the name server and the firewall between here and there');
  }
  if (!options.isSending) return ok(name, `${where} answers; keywatch doctor --send also sends a sample`);
  const outcome = await sendSample(channel, { clock: options.clock, sender: 'keywatch doctor' });
  if (outcome.ok) return ok(name, `${where} took a sample message`);
  return fail(name, `${where} did not take a sample message: ${printable(outcome.reason)}`, kind.advice);
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
