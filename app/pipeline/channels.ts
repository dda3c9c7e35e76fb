import type { DeskChannel } from '../../alerts/desk.ts';
import type { ChannelConfig, ChannelNotes } from '../../alerts/notify/channel.ts';
import type { KeyCards } from '../../alerts/notify/facts.ts';
import { channelKindOf } from '../../alerts/notify/registry.ts';
import { OWNER, ROUTE_MIN_SEVERITY } from '../../alerts/route.ts';
import type { Clock } from '../../core/clock.ts';
import type { MetricStore, Notifier } from '../../core/ports.ts';
import type { EntityId } from '../../core/types.ts';
import type { Config } from '../config/config.ts';
import { OwnerNotifier } from './owner-notifier.ts';

export type ChannelsDeps = {
  readonly clock: Clock;
  readonly store: Pick<MetricStore, 'control' | 'setControl'>;
  readonly cards?: KeyCards | undefined;
  /** Where the owner of a lineage is reached, from the inventory as it is now. */
  readonly contactOf?: ((lineage: EntityId) => string | undefined) | undefined;
  readonly onProblem: (message: string) => void;
};

/** The configured channels with their real clients, and the owners of keys where a route leads to them. */
export function channelsOf(config: Pick<Config, 'alerts'>, deps: ChannelsDeps): readonly DeskChannel[] {
  const { channels, routes, ownerMail } = config.alerts;
  const opened = channels.map((channel): DeskChannel => {
    const { minSeverity } = channel;
    return { notifier: openChannel(channel, channel.name, deps), minSeverity, hasDigest: channelKindOf(channel.kind).hasDigest };
  });
  const mail = routes?.some(({ to }) => to.includes(OWNER)) === true ? channels.find(({ name }) => name === ownerMail) : undefined;
  if (mail === undefined) return opened;
  const open = (address: string): Notifier => openChannel(withReceiver(mail, address), OWNER, deps);
  const notifier = new OwnerNotifier({ open, contactOf: deps.contactOf ?? (() => undefined) });
  return [...opened, { notifier, minSeverity: ROUTE_MIN_SEVERITY, hasDigest: false, isForIncidentsOnly: true }];
}

function openChannel({ kind, settings, minSeverity }: ChannelConfig, name: string, deps: ChannelsDeps): Notifier {
  return channelKindOf(kind).open(settings, { ...deps, name, minSeverity, notes: notesOf(name, deps.store) });
}

function withReceiver(mail: ChannelConfig, address: string): ChannelConfig {
  return { ...mail, settings: { ...(typeof mail.settings === 'object' ? mail.settings : {}), to: [address] } };
}

/** Among the small values that all processes share: the next judge goes on with them. */
export function notesOf(channel: string, store: ChannelsDeps['store']): ChannelNotes {
  const key = (name: string): string => `channel:${channel}:${name}`;
  return { read: (name) => store.control(key(name)), write: (name, text) => store.setControl(key(name), text) };
}
