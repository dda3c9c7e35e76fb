import { latencyBucket } from '../../core/sketch/latency.ts';
import type { Normaliser } from '../parse/normaliser.ts';
import type { EventCells } from '../parse/tokens.ts';

/** What a report wants to know of a segment as a whole. Plain arrays, so that it crosses a thread as it is. */
export type SegmentTops = {
  readonly routes: readonly TopEntry[];
  readonly agents: readonly TopEntry[];
  /** Empty where no database says where addresses are. */
  readonly countries: readonly TopEntry[];
  /** Pairs of bucket and count (`core/sketch/latency.ts`). */
  readonly latency: readonly (readonly [bucket: number, count: number])[];
};
type TopEntry = readonly [text: string, requests: number, failed: number];

/** The values with the most requests that are handed on; a segment has far fewer routes in any real log. */
const TOP_MAX = 2000;

/** Requests per route, per agent and per country, and latencies, over all entities of the open segment: exact, by dense numbers. */
export class TopCounts {
  readonly #routes = new TermCounts();
  readonly #agents = new TermCounts();
  readonly #countries = new TermCounts();
  readonly #latency = new Map<number, number>();

  count(event: EventCells): void {
    const failed = event.status >= 400 ? 1 : 0;
    this.#routes.count(event.route, failed);
    this.#agents.count(event.agent, failed);
    if (event.country !== 0) this.#countries.count(event.country, failed);
    if (event.latencyUs < 0) return;
    const bucket = latencyBucket(event.latencyUs);
    this.#latency.set(bucket, (this.#latency.get(bucket) ?? 0) + 1);
  }

  /** Hands out the counts and starts anew. Before the dictionaries are emptied. */
  take(normaliser: Normaliser): SegmentTops {
    const tops = {
      routes: this.#routes.take(normaliser.routes.terms.texts),
      agents: this.#agents.take(normaliser.agents.texts),
      countries: this.#countries.take(normaliser.countries.texts),
      latency: [...this.#latency],
    };
    this.#latency.clear();
    return tops;
  }
}

class TermCounts {
  #requests = new Float64Array(256);
  #failed = new Float64Array(256);

  count(term: number, failed: number): void {
    if (term >= this.#requests.length) this.#grow(term);
    this.#requests[term] = (this.#requests[term] as number) + 1;
    this.#failed[term] = (this.#failed[term] as number) + failed;
  }

  take(texts: readonly (string | undefined)[]): readonly TopEntry[] {
    const entries: TopEntry[] = [];
    for (let term = 1; term < this.#requests.length; term++) {
      const requests = this.#requests[term] as number;
      if (requests > 0) entries.push([texts[term] ?? '', requests, this.#failed[term] as number]);
    }
    this.#requests.fill(0);
    this.#failed.fill(0);
    return entries.length <= TOP_MAX ? entries : entries.sort((a, b) => b[1] - a[1]).slice(0, TOP_MAX);
  }

  #grow(term: number): void {
    const capacity = Math.max(this.#requests.length * 2, term + 1);
    for (const name of ['requests', 'failed'] as const) {
      const bigger = new Float64Array(capacity);
      bigger.set(name === 'requests' ? this.#requests : this.#failed);
      if (name === 'requests') this.#requests = bigger;
      else this.#failed = bigger;
    }
  }
}
