import type { DeskChannel } from '../../alerts/desk.ts';
import { EmailNotifier } from '../../alerts/notify/email/index.ts';
import { SlackNotifier } from '../../alerts/notify/slack/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { Config } from '../config/config.ts';

/** The configured channels with their real clients. */
export function channelsOf(
  config: Pick<Config, 'alerts'>,
  deps: { readonly clock: Clock; readonly onProblem: (message: string) => void },
): readonly DeskChannel[] {
  const { slack, email } = config.alerts.channels;
  return [
    ...slack.map((channel) => ({
      notifier: new SlackNotifier(channel, { name: channel.name, now: () => deps.clock.now() }),
      minSeverity: channel.minSeverity,
    })),
    ...email.map((channel) => ({
      notifier: new EmailNotifier(channel, {
        name: channel.name,
        onRefused: ({ recipient, reason }) => deps.onProblem(`${channel.name}: ${recipient} is refused and gets no mail: ${reason}`),
      }),
      minSeverity: channel.minSeverity,
    })),
  ];
}
