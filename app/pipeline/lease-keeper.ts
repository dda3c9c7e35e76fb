import type { Clock } from '../../core/clock.ts';
import type { LeaseRecord, LeaseStore } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';

/** A lease that nobody renewed for so long, on the clock of who waits for it, is free. */
export const LEASE_TTL_MS: DurationMs = 30_000;
/** How often a holder renews and the others look. */
export const LEASE_BEAT_MS: DurationMs = 3000;
/** A holder acts for so long after its last successful renewal began. Shorter than the time to live, or two would act. */
export const LEASE_ACT_MS: DurationMs = 20_000;

/** Given back on purpose: free at once. */
const NOBODY = '';

export type LeaseKeeperOptions = {
  readonly name: string;
  /** Unique per process and start. */
  readonly holder: string;
};

export type LeaseKeeperDeps = {
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** A fault of the world: told, and tried again. */
  readonly onProblem: (message: string) => void;
};

/**
 * Takes a lease when it is free and keeps it. What it says is only an economy: two that both believe they hold the
 * lease are told apart by the journal.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #deps: LeaseKeeperDeps;
  #held: LeaseRecord | undefined;
  /** Monotonic time at which the last successful renewal began. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** What was last seen of another holder, and since when it is unchanged. */
  #seen: LeaseRecord | undefined;
  #unchangedSince = 0;
  #isFailing = false;

  constructor(options: LeaseKeeperOptions, deps: LeaseKeeperDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Whether this process may act now. */
  get isHeld(): boolean {
    return this.#held !== undefined && this.#deps.clock.monotonic() - this.#renewedAt < LEASE_ACT_MS;
  }

  /** One look: renews a lease that is held, takes one that is free. Call it every `LEASE_BEAT_MS`. */
  async beat(): Promise<boolean> {
    try {
      await this.#beat();
      if (this.#isFailing) this.#deps.onProblem(`the lease "${this.#options.name}" can be reached again`);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing)
        this.#deps.onProblem(`the lease "${this.#options.name}" cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
      this.#isFailing = true;
    }
    return this.isHeld;
  }

  /** A first look, long before this process could act: what it sees is waited for from now on. It takes nothing. */
  async look(): Promise<void> {
    try {
      await this.#look();
    } catch {
      // The first beat looks again, and says why it cannot.
    }
  }

  /** Gives the lease back, so that another process takes it at once. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    // Not given back is only slower: it expires.
    await this.#deps.store.write(this.#options.name, held, { holder: NOBODY, beat: held.beat + 1 }).catch(() => undefined);
  }

  async #beat(): Promise<void> {
    const { store, clock } = this.#deps;
    const { name, holder } = this.#options;
    const began = clock.monotonic();
    if (this.#held !== undefined) {
      const next = { holder, beat: this.#held.beat + 1 };
      if ((await store.write(name, this.#held, next)) === 'written') {
        this.#held = next;
        this.#renewedAt = began;
        return;
      }
      // Lost, or the answer to the renewal before was: what is stored tells, and is renewed below if it is ours.
      this.#held = undefined;
    }
    const stored = await this.#look();
    if (stored !== undefined && isOther(stored, holder) && began - this.#unchangedSince < LEASE_TTL_MS) return;
    const next = { holder, beat: (stored?.beat ?? 0) + 1 };
    if ((await store.write(name, stored, next)) !== 'written') return;
    this.#held = next;
    this.#renewedAt = began;
    this.#seen = undefined;
  }

  /** What is stored, and since when it is unchanged if another process holds it. */
  async #look(): Promise<LeaseRecord | undefined> {
    const { name, holder } = this.#options;
    const stored = await this.#deps.store.read(name);
    if (stored !== undefined && isOther(stored, holder) && (this.#seen?.holder !== stored.holder || this.#seen.beat !== stored.beat)) {
      this.#seen = stored;
      // Not earlier: it may have been renewed while this was asked.
      this.#unchangedSince = this.#deps.clock.monotonic();
    }
    return stored;
  }
}

function isOther({ holder }: LeaseRecord, own: string): boolean {
  return holder !== NOBODY && holder !== own;
}
