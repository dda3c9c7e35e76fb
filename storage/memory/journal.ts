import { type ChainCheck, GENESIS_HASH, canonicalJson, checkChain, entryHash, updatedAt } from '../journal-chain.ts';
import { type RecordKind, auditRows, incidentUpdatedAt, messageOf, recordsOf } from '../journal-records.ts';
import type { Alert, AuditRow, JournalBody, JournalEntry, MessageRecord, OutboxRow } from '../../core/alert.ts';
import type { Exception, Incident, Maintenance, Silence } from '../../core/incident.ts';
import type { CommandResult } from '../../core/operator.ts';
import type { Journal, PageMark } from '../../core/ports.ts';
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
      .filter((alert) => query.ids?.includes(alert.id) !== false)
      .filter((alert) => query.incident === undefined || alert.incident === query.incident)
      .filter((alert) => isAfter(query.after, alert.startedAt, alert.id))
      .sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1))
      .slice(0, query.limit);
  }

  async incidents(query: Parameters<Journal['incidents']>[0]): Promise<readonly Incident[]> {
    const byId = new Map<string, Incident>();
    for (const entry of this.#state.entries) for (const incident of entry.incidents ?? []) byId.set(incident.id, incident);
    return [...byId.values()]
      .filter((incident) => query.states?.includes(incident.state) !== false)
      .filter((incident) => incidentUpdatedAt(incident) >= (query.since ?? Number.NEGATIVE_INFINITY))
      .filter((incident) => query.lineage === undefined || incident.lineage === query.lineage)
      .filter((incident) => query.ids?.includes(incident.id) !== false)
      .filter((incident) => isAfter(query.after, incident.startedAt, incident.id))
      .sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1))
      .slice(0, query.limit);
  }

  async silences(query: Parameters<Journal['silences']>[0]): Promise<readonly Silence[]> {
    return this.#records('silence', query.inForceAt) as readonly Silence[];
  }

  async maintenances(query: Parameters<Journal['maintenances']>[0]): Promise<readonly Maintenance[]> {
    return this.#records('maintenance', query.inForceAt) as readonly Maintenance[];
  }

  async exceptions(query: Parameters<Journal['exceptions']>[0]): Promise<readonly Exception[]> {
    return this.#records('exception', query.inForceAt) as readonly Exception[];
  }

  async commandResult(id: string): Promise<CommandResult | undefined> {
    return this.#state.entries.flatMap((entry) => entry.commands ?? []).find((result) => result.id === id);
  }

  async audit(query: Parameters<Journal['audit']>[0]): Promise<readonly AuditRow[]> {
    return this.#state.entries
      .toReversed()
      .flatMap((entry) => auditRows(entry.seq, entry))
      .filter(({ seq, index }) => query.after === undefined || seq < query.after.seq || (seq === query.after.seq && index > query.after.index))
      .filter((row) => query.subject === undefined || row.subject === query.subject)
      .slice(0, query.limit);
  }

  async messages(query: Parameters<Journal['messages']>[0]): Promise<readonly MessageRecord[]> {
    const byId = new Map<string, MessageRecord>();
    for (const { outbox, deliveries } of this.#state.entries) {
      for (const row of outbox) if (!byId.has(row.id)) byId.set(row.id, messageOf(row));
      for (const { row, at, attempt, result, reason } of deliveries) {
        const known = byId.get(row);
        if (known === undefined || known.result !== 'waiting') continue;
        byId.set(row, { ...known, at, attempts: attempt, result: result === 'retry' ? 'waiting' : result, ...(reason === undefined ? {} : { reason }) });
      }
    }
    return [...byId.values()]
      .filter((message) => query.incident === undefined || message.incident === query.incident)
      .filter((message) => query.channel === undefined || message.channel === query.channel)
      .filter((message) => isAfter(query.after, message.createdAt, message.id))
      .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
      .slice(0, query.limit);
  }

  #records(kind: RecordKind, inForceAt: EpochMs | undefined): readonly object[] {
    const newest = new Map(this.#state.entries.flatMap((entry) => recordsOf(entry.seq, entry)).map((record) => [`${record.kind} ${record.id}`, record]));
    return [...newest.values()]
      .filter((record) => record.kind === kind && (inForceAt === undefined || record.ends > inForceAt))
      .sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1))
      .map((record) => record.value);
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

function isAfter(mark: PageMark | undefined, at: EpochMs, id: string): boolean {
  return mark === undefined || at < mark.at || (at === mark.at && id > mark.id);
}

/** A copy of what was appended, as a database would give it back. */
function parseBody(json: string): JournalBody {
  return JSON.parse(json) as JournalBody;
}
