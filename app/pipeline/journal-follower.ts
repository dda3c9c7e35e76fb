import { DeskState } from '../../alerts/desk-state.ts';
import type { Journal } from '../../core/ports.ts';
import type { Minute } from '../../core/types.ts';

/** What a standby must know of the journal: up to where the one that judges has decided. */
export class JournalFollower {
  readonly #journal: Journal;
  #seq = 0;
  #judgedThrough: Minute = 0;
  #isStarted = false;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  get judgedThrough(): Minute {
    return this.#judgedThrough;
  }

  /** Reads what was appended since the last call. */
  async poll(): Promise<Minute> {
    if (!this.#isStarted) {
      const snapshot = await this.#journal.snapshot();
      const state = snapshot === undefined ? undefined : DeskState.fromJson(snapshot.state);
      if (snapshot !== undefined && state !== undefined) {
        this.#seq = snapshot.seq;
        this.#judgedThrough = state.judgedThrough;
      }
      this.#isStarted = true;
    }
    for await (const entry of this.#journal.entries(this.#seq + 1)) {
      this.#seq = entry.seq;
      if (entry.judgedThrough !== undefined && entry.judgedThrough > this.#judgedThrough) this.#judgedThrough = entry.judgedThrough;
    }
    return this.#judgedThrough;
  }
}
