import { type ChainCheck, GENESIS_HASH, canonicalJson, checkChain, entryHash, updatedAt } from '../journal-chain.ts';
import type { Alert, JournalBody, JournalEntry, OutboxRow } from '../../core/alert.ts';
import type { Journal } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';

type Snapshot = { readonly seq: number; readonly state: string };
/** Everything the journal knows, in one value: what a crash test keeps is a clone of it. */
export type MemoryJournalState = { readonly entries: readonly JournalEntry[]; readonly snapshot: Snapshot | undefined };

export type MemoryJournal = Journal & {
  verifyChain(): Promise<ChainCheck>;
  capture(): MemoryJournalState;
  restore(state: MemoryJournalState): void;
};

/** The journal for tests and one-shot runs: a list of entries; every answer is folded from it when it is asked for. */
export function memoryJournal(): MemoryJournal {
  return new JournalList();
}

class JournalList implements MemoryJournal {
  #state: MemoryJournalState = { entries: [], snapshot: undefined };

  capture(): MemoryJournalState {
    return structuredClone(this.#state);
  }

  restore(state: MemoryJournalState): void {
    this.#state = structuredClone(state);
  }

  async append(seq: number, body: JournalBody): Promise<'appended' | 'taken'> {
    const head = this.#state.entries.at(-1);
    if (seq !== (head?.seq ?? 0) + 1) return 'taken';
    const prevHash = head?.hash ?? GENESIS_HASH;
    const stored = canonicalJson(body);
    const entry: JournalEntry = { ...parseBody(stored), seq, prevHash, hash: entryHash(prevHash, stored) };
    this.#state = { ...this.#state, entries: [...this.#state.entries, entry] };
    return 'appended';
  }

  async head(): Promise<{ readonly seq: number; readonly hash: string }> {
    const head = this.#state.entries.at(-1);
    return { seq: head?.seq ?? 0, hash: head?.hash ?? GENESIS_HASH };
  }

  async *entries(fromSeq: number): AsyncGenerator<JournalEntry, void, undefined> {
    yield* this.#state.entries.filter((entry) => entry.seq >= fromSeq);
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    if (snapshot.seq >= (this.#state.snapshot?.seq ?? 0)) this.#state = { ...this.#state, snapshot };
  }

  async snapshot(): Promise<Snapshot | undefined> {
    return this.#state.snapshot;
  }

  async alerts(query: Parameters<Journal['alerts']>[0]): Promise<readonly Alert[]> {
    const byId = new Map<string, Alert>();
    for (const entry of this.#state.entries) for (const alert of entry.alerts) byId.set(alert.id, alert);
    return [...byId.values()]
      .filter((alert) => query.states?.includes(alert.state) !== false)
      .filter((alert) => updatedAt(alert) >= (query.since ?? Number.NEGATIVE_INFINITY))
      .filter((alert) => query.entity === undefined || alert.entity === query.entity)
      .sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1))
      .slice(0, query.limit);
  }

  async pending(): ReturnType<Journal['pending']> {
    const open = new Map<string, { readonly row: OutboxRow; readonly attempts: number; readonly nextAt: EpochMs }>();
    const seen = new Set<string>();
    for (const { outbox, deliveries } of this.#state.entries) {
      for (const row of outbox) {
        if (!seen.has(row.id)) open.set(row.id, { row, attempts: 0, nextAt: row.dueAt });
        seen.add(row.id);
      }
      for (const { row: id, result, attempt, at, nextAt } of deliveries) {
        const known = open.get(id);
        if (known === undefined) continue;
        if (result === 'retry') open.set(id, { row: known.row, attempts: attempt, nextAt: nextAt ?? at });
        else open.delete(id);
      }
    }
    return [...open.values()].sort((a, b) => a.nextAt - b.nextAt || (a.row.id < b.row.id ? -1 : 1));
  }

  async verifyChain(): Promise<ChainCheck> {
    return checkChain(this.entries(0), this.#state.snapshot?.seq ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is open.
  }
}

/** A copy of what was appended, as a database would give it back. */
function parseBody(json: string): JournalBody {
  return JSON.parse(json) as JournalBody;
}
