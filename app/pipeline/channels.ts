import type { DeskChannel } from '../../alerts/desk.ts';
import type { ChannelNotes } from '../../alerts/notify/channel.ts';
import type { KeyCards } from '../../alerts/notify/facts.ts';
import { channelKindOf } from '../../alerts/notify/registry.ts';
import type { Clock } from '../../core/clock.ts';
import type { MetricStore } from '../../core/ports.ts';
import type { Config } from '../config/config.ts';

export type ChannelsDeps = {
  readonly clock: Clock;
  readonly store: Pick<MetricStore, 'control' | 'setControl'>;
  readonly cards?: KeyCards | undefined;
  readonly onProblem: (message: string) => void;
};

/** The configured channels with their real clients. */
export function channelsOf(config: Pick<Config, 'alerts'>, deps: ChannelsDeps): readonly DeskChannel[] {
  return config.alerts.channels.map(({ kind: name, ...channel }) => {
    const kind = channelKindOf(name);
    const { minSeverity } = channel;
    const notifier = kind.open(channel.settings, { ...deps, name: channel.name, minSeverity, notes: notesOf(channel.name, deps.store) });
    return { notifier, minSeverity, hasDigest: kind.hasDigest };
  });
}

/** Among the small values that all processes share: the next judge goes on with them. */
export function notesOf(channel: string, store: ChannelsDeps['store']): ChannelNotes {
  const key = (name: string): string => `channel:${channel}:${name}`;
  return { read: (name) => store.control(key(name)), write: (name, text) => store.setControl(key(name), text) };
}
