import { code } from '../../alerts/hostile.ts';
import { formatCount, formatDuration, formatShare } from '../../alerts/notify/units.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';

/** How the parts of this process stand at one moment. Counts are since its start. */
export type WatchSample = {
  /** Why the store takes nothing; undefined while it does. */
  readonly storeTrouble: string | undefined;
  readonly sources: readonly { readonly name: string; readonly received: number; readonly rejected: number }[];
  /** Partitions that wait for a person, with the reason. */
  readonly halted: readonly { readonly name: string; readonly why: string }[];
  /** Rows that came too late or too early to be judged. */
  readonly unjudged: number;
};

export type WatchChange = { readonly name: string; readonly since: EpochMs; readonly isOver: boolean; readonly text: string };

/** The store may be away for so long before people are told. */
export const STORE_AWAY_MS: DurationMs = 2 * MINUTE_MS;
/** Over which shares are taken. */
const SPAN_MS: DurationMs = 5 * MINUTE_MS;
/** A share of fewer records means nothing. */
const RECORDS_MIN = 100;
const REJECTED_BEGIN = 0.05;
const REJECTED_END = 0.01;

type Fact = { readonly name: string; readonly afterMs: DurationMs; readonly begin: string; readonly end: string };
type Open = { readonly since: EpochMs; readonly end: string; readonly isTold: boolean };

/** What is wrong with Keywatch itself, each told once when it begins and once when it ends. Pure: the time comes with the sample. */
export class WatchConditions {
  readonly #silentAfterMs: DurationMs | null;
  readonly #open = new Map<string, Open>();
  #samples: { readonly at: EpochMs; readonly sample: WatchSample }[] = [];
  /** By source: its count, and since when it is that. */
  readonly #counts = new Map<string, { readonly received: number; readonly since: EpochMs }>();

  constructor(options: { readonly silentAfterMs: DurationMs | null }) {
    this.#silentAfterMs = options.silentAfterMs;
  }

  look(sample: WatchSample, now: EpochMs): readonly WatchChange[] {
    this.#samples = [...this.#samples.filter(({ at }) => at >= now - SPAN_MS && at <= now), { at: now, sample }];
    const facts = [
      ...this.#store(sample),
      ...sample.halted.map(haltedFact),
      ...sample.sources.flatMap((source) => this.#source(source, now)),
      ...this.#coverage(sample),
    ];
    const changes: WatchChange[] = [];
    for (const { name, afterMs, begin, end } of facts) {
      const open = this.#open.get(name) ?? { since: now, end, isTold: false };
      const isDue = !open.isTold && now - open.since >= afterMs;
      if (isDue) changes.push({ name, since: open.since, isOver: false, text: begin });
      this.#open.set(name, { since: open.since, end, isTold: open.isTold || isDue });
    }
    const held = new Set(facts.map(({ name }) => name));
    for (const [name, { since, end, isTold }] of this.#open) {
      if (held.has(name)) continue;
      this.#open.delete(name);
      if (isTold) changes.push({ name, since, isOver: true, text: `${end} It took ${formatDuration(now - since)}.` });
    }
    return changes;
  }

  #store({ storeTrouble }: WatchSample): readonly Fact[] {
    if (storeTrouble === undefined) return [];
    return [
      {
        name: 'store',
        afterMs: STORE_AWAY_MS,
        begin: `The store has taken nothing for ${formatDuration(STORE_AWAY_MS)}: ${code(storeTrouble)}. Nothing is lost: what was not stored is read again. Until it is back no alert is decided on, so look at the gateways yourself.`,
        end: 'The store takes what is read again, and what waited is judged in order.',
      },
    ];
  }

  #source({ name, received, rejected }: WatchSample['sources'][number], now: EpochMs): readonly Fact[] {
    const facts: Fact[] = [];
    const known = this.#counts.get(name);
    if (known?.received !== received) this.#counts.set(name, { received, since: now });
    else if (this.#silentAfterMs !== null && received > 0 && now - known.since >= this.#silentAfterMs)
      facts.push({
        name: `silent/${name}`,
        afterMs: 0,
        begin: `The source ${code(name)} has brought no record for ${formatDuration(this.#silentAfterMs)}. A gateway that sends no logs looks like one that nobody attacks: see whether it still writes them.`,
        end: `The source ${code(name)} brings records again.`,
      });
    const before = this.#samples[0]?.sample.sources.find((source) => source.name === name) ?? { received: 0, rejected: 0 };
    const read = received - before.received;
    const share = read < RECORDS_MIN ? 0 : (rejected - before.rejected) / read;
    if (share >= (this.#open.has(`unread/${name}`) ? REJECTED_END : REJECTED_BEGIN))
      facts.push({
        name: `unread/${name}`,
        afterMs: 0,
        begin: `${formatShare(share)} of the newest ${formatCount(read)} records of ${code(name)} could not be read, so what they say is not judged. See keywatch dlq, and whether the gateway changed its log format.`,
        end: `The records of ${code(name)} can be read again.`,
      });
    return facts;
  }

  #coverage({ unjudged }: WatchSample): readonly Fact[] {
    const before = this.#samples[0]?.sample.unjudged ?? unjudged;
    // Another process judged meanwhile, and this one counts from zero.
    if (unjudged <= before) return [];
    return [
      {
        name: 'coverage',
        afterMs: 0,
        begin: `Less than 100 % is judged: ${formatCount(unjudged - before)} counted rows of the last ${formatDuration(SPAN_MS)} came too late, or from clocks too far ahead. They are stored. See the clocks of the gateways, and lateness in the configuration.`,
        end: 'Everything is judged again.',
      },
    ];
  }
}

function haltedFact({ name, why }: WatchSample['halted'][number]): Fact {
  return {
    name: `halted/${name}`,
    afterMs: 0,
    begin: `The partition ${code(name)} is not read any more: ${code(why)}. It does not mend itself.`,
    end: `The partition ${code(name)} is read again.`,
  };
}
