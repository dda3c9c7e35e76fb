import type { IncidentTrack, JournalBody } from '../core/alert.ts';
import type { EntityId, EpochMs } from '../core/types.ts';
import { DAY_MS } from '../core/window.ts';

/** The risk of one key, over its incidents. */
export type KeyRisk = Pick<IncidentTrack, 'risk' | 'riskTold'>;
export type KeyRisksJson = readonly (readonly [EntityId, KeyRisk])[];

/** The risk of every key within a day: it outlives the incident that it came from. A fold over the journal. */
export class KeyRisks {
  readonly #risks = new Map<EntityId, KeyRisk>();
  #forgotAt: EpochMs = 0;

  /** `lineage` as the incident names it. */
  of(lineage: EntityId): KeyRisk {
    return this.#risks.get(lineage) ?? {};
  }

  apply({ at, incidents = [], incidentTracks = [] }: JournalBody): void {
    const tracks = new Map(incidentTracks.map((track) => [track.id, track]));
    for (const { id, kind, lineage } of incidents) {
      const { risk, riskTold } = tracks.get(id) ?? {};
      if (kind === 'key' && risk !== undefined) this.#risks.set(lineage, { risk, ...(riskTold === undefined ? {} : { riskTold }) });
    }
    if (at < this.#forgotAt + DAY_MS / 24) return;
    this.#forgotAt = at;
    for (const [lineage, { risk }] of this.#risks) if (risk === undefined || at - risk.at >= DAY_MS) this.#risks.delete(lineage);
  }

  toJson(): { readonly forgotAt: EpochMs; readonly risks: KeyRisksJson } {
    return { forgotAt: this.#forgotAt, risks: [...this.#risks] };
  }

  load({ forgotAt, risks }: ReturnType<KeyRisks['toJson']>): void {
    this.#forgotAt = forgotAt;
    for (const [lineage, risk] of risks) this.#risks.set(lineage, risk);
  }
}
