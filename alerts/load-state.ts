import type { Journal } from '../core/ports.ts';
import type { EpochMs } from '../core/types.ts';
import { DeskState } from './desk-state.ts';

/** What the desk knows by the journal; `newestAt`: the time of its newest entry, 0 without one. */
export type Loaded = { readonly state: DeskState; readonly seq: number; readonly snapshotSeq: number; readonly newestAt: EpochMs };

/** The newest snapshot and the entries after it, or all entries. */
export async function loadState(journal: Journal): Promise<Loaded> {
  const snapshot = await journal.snapshot();
  const restored = snapshot === undefined ? undefined : DeskState.fromJson(snapshot.state);
  const state = restored ?? new DeskState();
  const snapshotSeq = restored === undefined ? 0 : (snapshot?.seq ?? 0);
  let seq = snapshotSeq;
  let newestAt: EpochMs = 0;
  // With the newest entry of the snapshot, for its time.
  for await (const entry of journal.entries(Math.max(1, snapshotSeq))) {
    if (entry.seq > snapshotSeq) state.apply(entry);
    seq = entry.seq;
    newestAt = entry.at;
  }
  return { state, seq, snapshotSeq, newestAt };
}
