import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';

/** How much of the rate may be saved up. */
const BURST_SECONDS = 10;

/** Events per second and sender, on average; a pause may be made up for. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Clock;
  readonly #senders = new Map<string, { left: number; at: DurationMs }>();

  /** `requestMax`: one request of this size always passes when nothing was sent before. */
  constructor(config: { readonly perSecond: number; readonly requestMax: number }, clock: Clock) {
    this.#perSecond = config.perSecond;
    this.#burst = Math.max(config.perSecond * BURST_SECONDS, config.requestMax);
    this.#clock = clock;
  }

  /** How long to wait before these events may be sent; 0 when they are let through and counted. */
  take(sender: string, events: number): DurationMs {
    const now = this.#clock.monotonic();
    const known = this.#senders.get(sender) ?? { left: this.#burst, at: now };
    const left = Math.min(this.#burst, known.left + ((now - known.at) / 1000) * this.#perSecond);
    const isEnough = left >= events;
    this.#senders.set(sender, { left: isEnough ? left - events : left, at: now });
    return isEnough ? 0 : ((events - left) / this.#perSecond) * 1000;
  }

  /** They were not taken after all. */
  giveBack(sender: string, events: number): void {
    const known = this.#senders.get(sender);
    if (known !== undefined) known.left = Math.min(this.#burst, known.left + events);
  }
}
