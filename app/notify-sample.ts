import type { ChannelConfig } from '../alerts/notify/channel.ts';
import { channelKindOf } from '../alerts/notify/registry.ts';
import type { Clock } from '../core/clock.ts';
import type { Outcome } from '../core/types.ts';

const SEND_MS = 30_000;

/** Sends a message that says of itself that it is a test. A command keeps no notes: each sample is a post of its own. */
export async function sendSample(channel: ChannelConfig, options: { readonly clock: Clock; readonly sender: string }): Promise<Outcome> {
  const { clock, sender } = options;
  const at = clock.now();
  const notifier = channelKindOf(channel.kind).open(channel.settings, {
    name: channel.name,
    minSeverity: channel.minSeverity,
    clock,
    notes: { read: async () => undefined, write: async () => undefined },
    onProblem: () => undefined,
  });
  const text = `This is a test message from ${sender}. No key misbehaved; there is nothing to do.`;
  return notifier.notify({ id: `sample-${at}/${channel.name}`, kind: 'sample', at, attempt: 1, text }, AbortSignal.timeout(SEND_MS));
}
