import { randomUUID } from 'node:crypto';
import { type ChainCheck, checkChain } from '../journal-chain.ts';
import { BulkWriter } from './bulk-writer.ts';
import { ElasticsearchFault } from './fault.ts';
import { JournalEntries } from './journal-entries.ts';
import { JournalProjection } from './journal-projection.ts';
import { JournalSnapshot, type Snapshot } from './journal-snapshot.ts';
import { ensureIndex } from './judge-indices.ts';
import type { Alert, AuditRow, JournalBody, JournalEntry, MessageRecord } from '../../core/alert.ts';
import type { Exception, Incident, Maintenance, Silence } from '../../core/incident.ts';
import type { CommandResult } from '../../core/operator.ts';
import type { Journal } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

export type JournalOptions = {
  readonly elasticsearch: Elasticsearch;
  /** Of all index names of this installation, for instance `keywatch`. */
  readonly prefix: string;
  /** Makes no index and repairs nothing; alerts and messages are as of the last entry that a writer projected. Default false. */
  readonly readOnly?: boolean;
  /** How long an append is tried whose outcome is not known, before it throws. Default 10,000: a judge must stop sending 20 s after its last renewal. */
  readonly patienceMs?: DurationMs;
  /** Of one document of a snapshot. Default 20 MiB. */
  readonly snapshotPartBytes?: number;
};

export type ElasticsearchJournal = Journal & {
  /** Recomputes every hash from the stored entries and names the first broken one. */
  verifyChain(): Promise<ChainCheck>;
  /** Makes the documents of alerts and outbox anew from the entries. */
  rebuildProjections(): Promise<void>;
  /** Entries that are durable but not in the alerts and the outbox yet: more than 0 only while Elasticsearch refuses those. */
  readonly behind: number;
};

const PATIENCE_MS = 10_000;

/**
 * The journal in Elasticsearch. Any number of processes may try to write: an entry is created once, so of two that
 * append the same seq one is told `taken`. Faults of the world are thrown as `ElasticsearchFault`; after one of
 * `append` it is not known whether the entry is there, and the same append may be tried again.
 */
export async function openJournal(options: JournalOptions): Promise<ElasticsearchJournal> {
  const journal = new IndexedJournal(options);
  await journal.open();
  return journal;
}

class IndexedJournal implements ElasticsearchJournal {
  readonly #elasticsearch: Elasticsearch;
  readonly #prefix: string;
  readonly #readOnly: boolean;
  readonly #entries: JournalEntries;
  readonly #projection: JournalProjection;
  readonly #snapshot: JournalSnapshot;
  /** Appends and repairs run one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #appended = 0;

  constructor(options: JournalOptions) {
    const { elasticsearch, prefix } = options;
    this.#elasticsearch = elasticsearch;
    this.#prefix = prefix;
    this.#readOnly = options.readOnly ?? false;
    const patienceMs = options.patienceMs ?? PATIENCE_MS;
    const writer = new BulkWriter(elasticsearch, { patienceMs });
    this.#entries = new JournalEntries({ elasticsearch, prefix, writer: randomUUID(), patienceMs });
    this.#projection = new JournalProjection({ elasticsearch, writer, prefix });
    this.#snapshot = new JournalSnapshot({ elasticsearch, writer, prefix, partBytes: options.snapshotPartBytes, newId: randomUUID });
  }

  async open(): Promise<void> {
    if (this.#readOnly) return;
    for (const index of ['journal', 'snapshot'] as const) await ensureIndex(this.#elasticsearch, this.#prefix, index);
    await this.#projection.open();
    // A process that died after an append may have left it out of the projections.
    await this.#inTurn(async () => this.#repair());
  }

  get behind(): number {
    return Math.max(0, this.#appended - this.#projection.through);
  }

  async append(seq: number, body: JournalBody): Promise<'appended' | 'taken'> {
    this.#mustWrite();
    return this.#inTurn(async () => {
      const entry = await this.#entries.append(seq, body);
      if (entry === 'taken') return 'taken';
      this.#appended = entry.seq;
      await this.#follow(entry);
      return 'appended';
    });
  }

  /** The entry is durable whatever becomes of this: a fault leaves it to the next append, query or start. */
  async #follow(entry: JournalEntry): Promise<void> {
    try {
      if (this.#projection.through === entry.seq - 1) await this.#projection.project([entry]);
      else await this.#repair();
    } catch (error) {
      if (!(error instanceof ElasticsearchFault)) throw error;
    }
  }

  /** Projects what is in the journal and not in the projections: our own after a fault, or another judge's. */
  async #repair(): Promise<void> {
    for await (const page of this.#entries.pages(this.#projection.through + 1)) await this.#projection.project(page);
  }

  async head(): Promise<{ readonly seq: number; readonly hash: string }> {
    return this.#entries.head();
  }

  entries(fromSeq: number): AsyncGenerator<JournalEntry, void, undefined> {
    return this.#entries.entries(fromSeq);
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    this.#mustWrite();
    await this.#snapshot.save(snapshot);
  }

  async snapshot(): Promise<Snapshot | undefined> {
    return this.#snapshot.read();
  }

  async alerts(query: Parameters<Journal['alerts']>[0]): Promise<readonly Alert[]> {
    await this.#upToDate();
    return this.#projection.alerts(query);
  }

  async incidents(query: Parameters<Journal['incidents']>[0]): Promise<readonly Incident[]> {
    await this.#upToDate();
    return this.#projection.incidents(query);
  }

  // What these give back was written by `append` of this version.

  async silences(query: Parameters<Journal['silences']>[0]): Promise<readonly Silence[]> {
    await this.#upToDate();
    return (await this.#projection.records('silence', query)) as readonly Silence[];
  }

  async maintenances(query: Parameters<Journal['maintenances']>[0]): Promise<readonly Maintenance[]> {
    await this.#upToDate();
    return (await this.#projection.records('maintenance', query)) as readonly Maintenance[];
  }

  async exceptions(query: Parameters<Journal['exceptions']>[0]): Promise<readonly Exception[]> {
    await this.#upToDate();
    return (await this.#projection.records('exception', query)) as readonly Exception[];
  }

  async commandResult(id: string): Promise<CommandResult | undefined> {
    await this.#upToDate();
    return (await this.#projection.record('command', id)) as CommandResult | undefined;
  }

  async audit(query: Parameters<Journal['audit']>[0]): Promise<readonly AuditRow[]> {
    await this.#upToDate();
    return (await this.#projection.audit(query)) as readonly AuditRow[];
  }

  async messages(query: Parameters<Journal['messages']>[0]): Promise<readonly MessageRecord[]> {
    await this.#upToDate();
    return this.#projection.messages(query);
  }

  async pending(): ReturnType<Journal['pending']> {
    await this.#upToDate();
    return this.#projection.pending();
  }

  async #upToDate(): Promise<void> {
    if (this.#readOnly) return;
    await this.#inTurn(async () => this.#repair());
  }

  async verifyChain(): Promise<ChainCheck> {
    // The snapshot first: an entry that is appended meanwhile must not look like a missing tail.
    const snapshot = await this.snapshot();
    return checkChain(this.entries(0), snapshot?.seq ?? 0);
  }

  async rebuildProjections(): Promise<void> {
    this.#mustWrite();
    await this.#inTurn(async () => {
      await this.#projection.clear();
      await this.#repair();
      await this.#projection.saveWatermark();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#readOnly) return;
    await this.#inTurn(async () => this.#saveWatermark());
  }

  /** Saves work at the next start, nothing else. */
  async #saveWatermark(): Promise<void> {
    try {
      await this.#projection.saveWatermark();
    } catch (error) {
      if (!(error instanceof ElasticsearchFault)) throw error;
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    // The next one runs whatever became of this one; the fault is this caller's.
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  #mustWrite(): void {
    if (this.#readOnly) throw new ElasticsearchFault(`elasticsearch: opened to read only: ${this.#prefix}-journal`, { isRetryable: false });
  }
}
