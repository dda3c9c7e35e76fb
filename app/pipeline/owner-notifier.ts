import { OWNER, isMailAddress } from '../../alerts/route.ts';
import type { Notification } from '../../core/alert.ts';
import type { Notifier } from '../../core/ports.ts';
import { type EntityId, type Outcome, failed } from '../../core/types.ts';

/** Mail clients that are kept open: whoever is over it is opened again. */
const OPEN_MAX = 200;

export type OwnerNotifierDeps = {
  /** Who sends to this address. */
  readonly open: (address: string) => Notifier;
  readonly contactOf: (lineage: EntityId) => string | undefined;
};

/** Tells whoever owns the key, at the address that the inventory has now. */
export class OwnerNotifier implements Notifier {
  readonly name = OWNER;
  readonly #deps: OwnerNotifierDeps;
  readonly #open = new Map<string, Notifier>();

  constructor(deps: OwnerNotifierDeps) {
    this.#deps = deps;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { incident } = notification;
    // Not retried: the fallback channel is told instead, so that it is not lost.
    if (incident === undefined) return failed('a message about many keys has no one owner', false);
    const lineage = incident.kind === 'fleet' ? (notification.alert?.entity ?? incident.lineage) : incident.lineage;
    const address = this.#deps.contactOf(lineage);
    if (!isMailAddress(address)) return failed('the inventory has no mail address for the owner of this key', false);
    return this.#to(address).notify(notification, signal);
  }

  #to(address: string): Notifier {
    const known = this.#open.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#open.keys();
    if (this.#open.size >= OPEN_MAX && oldest !== undefined) this.#open.delete(oldest);
    const opened = this.#deps.open(address);
    this.#open.set(address, opened);
    return opened;
  }
}
