import { type DurationMs, OK, type Outcome, failed } from '../../core/types.ts';
import { backoffMs } from './backoff.ts';
import { type BulkAction, BulkBody } from './bulk-body.ts';
import { type BulkFailure, type BulkVerdict, readFullAnswer, readShortAnswer } from './bulk-items.ts';
import { type BulkStats, addLatency, emptyBulkStats } from './bulk-stats.ts';
import { type ElasticsearchFault, faultOf } from './fault.ts';
import { Slots } from './slots.ts';
import type { Elasticsearch } from './client.ts';

export type BulkWriterOptions = {
  /** Documents of one request. Default 5,000. */
  readonly docsMax?: number;
  /** Bytes of one request, about. Default 4 MiB. */
  readonly bytesMax?: number;
  /** Requests at once, of all writes together. Default 4. */
  readonly inFlightMax?: number;
  /** How long a write tries again before it says so with a retryable outcome. Default 30,000. */
  readonly patienceMs?: DurationMs;
};

export type BulkResult = {
  /** `ok` when every document is stored, in this version or a newer one. */
  readonly outcome: Outcome;
  /** Documents of which the same or a newer version (or, for `create`, any) was there. */
  readonly conflicts: number;
  /** The document that Elasticsearch does not take, where that is why it failed. */
  readonly failure?: BulkFailure;
};

/** A document that is made as text. */
export type BulkDocument = BulkAction & { readonly source?: string };

/** Puts the next documents into `body` until that is full; leaves it empty when there are none left. */
export type Fill = (body: BulkBody) => void;

export type WriteOptions = { readonly signal?: AbortSignal };

const NEVER = new AbortController().signal;
/** Of a success it says `{"errors":false}` and nothing else; of a failure the places are lost, so that it is repeated with the other one. */
const SHORT = 'errors,items.*.error.type';
const FULL = 'errors,items.*.status,items.*._id,items.*._index,items.*.error.type,items.*.error.reason';
/** The server gives up before the client does. */
const SERVER_TIMEOUT = '20s';
/** Below it a 413 is not about the request's size. */
const BYTES_MIN = 64 * 1024;

type Run = { readonly signal: AbortSignal; isDone: boolean; conflicts: number; outcome: Outcome; failure: BulkFailure | undefined };

/**
 * Writes documents in bulk requests. Every write must be such that doing it twice changes nothing: a request that
 * fails in part, or whose answer is lost, is sent again. One writer serves the whole process, so that its bound of
 * requests in flight holds for all partitions together.
 */
export class BulkWriter {
  readonly stats: BulkStats = emptyBulkStats();
  readonly #elasticsearch: Elasticsearch;
  readonly #slots: Slots;
  readonly #docsMax: number;
  readonly #patienceMs: DurationMs;
  readonly #bodies: BulkBody[] = [];
  #bytesMax: number;

  constructor(elasticsearch: Elasticsearch, options: BulkWriterOptions = {}) {
    this.#elasticsearch = elasticsearch;
    this.#slots = new Slots(options.inFlightMax ?? 4);
    this.#docsMax = options.docsMax ?? 5000;
    this.#bytesMax = options.bytesMax ?? 4 * 1024 * 1024;
    this.#patienceMs = options.patienceMs ?? 30_000;
  }

  /** Requests that run now, and how many may. */
  get load(): { readonly inFlight: number; readonly allowed: number } {
    return { inFlight: this.#slots.taken, allowed: this.#slots.allowed };
  }

  /** Writes what `fill` gives, in requests that may overtake one another. After a failure the rest is not sent. Never throws for what the far side does. */
  async write(fill: Fill, options: WriteOptions = {}): Promise<BulkResult> {
    const run: Run = { signal: options.signal ?? NEVER, isDone: false, conflicts: 0, outcome: OK, failure: undefined };
    await this.#lane(fill, run, { left: this.#slots.max - 1 });
    if (!run.outcome.ok) this.stats.failures++;
    return { outcome: run.outcome, conflicts: run.conflicts, ...(run.failure === undefined ? {} : { failure: run.failure }) };
  }

  /** As `write`, for documents that are made one by one. */
  writeAll(documents: Iterable<BulkDocument>, options: WriteOptions = {}): Promise<BulkResult> {
    const iterator = documents[Symbol.iterator]();
    return this.write((body) => {
      while (!body.isFull) {
        const next = iterator.next();
        if (next.done === true) return;
        body.push(next.value, next.value.source);
      }
    }, options);
  }

  /** One request after the other until nothing is left. A full one is a reason for another lane beside it. */
  async #lane(fill: Fill, run: Run, lanes: { left: number }): Promise<void> {
    let beside: Promise<void> | undefined;
    while (!run.isDone) {
      await this.#slots.take();
      try {
        if (run.isDone) break;
        const body = this.#body();
        fill(body);
        if (body.count === 0) {
          run.isDone = true;
          this.#bodies.push(body);
          break;
        }
        if (body.isFull && lanes.left > 0 && beside === undefined) {
          lanes.left--;
          beside = this.#lane(fill, run, lanes);
        }
        if (await this.#send(body, run)) this.#bodies.push(body);
      } catch (error) {
        run.isDone = true;
        await beside;
        throw error;
      } finally {
        this.#slots.give();
      }
    }
    await beside;
  }

  #body(): BulkBody {
    const body = this.#bodies.pop() ?? new BulkBody({ docsMax: this.#docsMax, bytesMax: this.#bytesMax });
    body.reset(this.#bytesMax);
    return body;
  }

  /** Sends until all of it is stored, or the run fails. True when nobody can be reading the body any more. */
  async #send(body: BulkBody, run: Run): Promise<boolean> {
    const { clock, random } = this.#elasticsearch;
    const started = clock.monotonic();
    let isFullAnswer = false;
    let isAnswered = true;
    for (let attempt = 0; ; attempt++) {
      const result = await this.#request(body, isFullAnswer);
      let reason: string;
      let retryAfterMs: number | undefined;
      if ('fault' in result) {
        const { fault } = result;
        isAnswered &&= fault.status !== undefined;
        if (fault.status === 413 && body.count > 1) return this.#split(body, run);
        if (!fault.isRetryable) return this.#fail(run, fault.outcome());
        if (fault.status === 429) this.#overloaded();
        ({ message: reason, retryAfterMs } = fault);
      } else {
        const { verdict } = result;
        if (verdict.kind === 'unclear') {
          // Which documents failed is only in the full answer. Sending all of them again is safe.
          if (isFullAnswer) throw new Error('BUG: a bulk answer without items');
          isFullAnswer = true;
          attempt--;
          continue;
        }
        run.conflicts += verdict.conflicts;
        this.stats.conflicts += verdict.conflicts;
        if (verdict.kind === 'stored') {
          this.#stored(body);
          return isAnswered;
        }
        if (verdict.fatal !== undefined) return this.#refused(run, verdict.fatal);
        this.stats.documents += body.count - verdict.retryable.length;
        body.keep(verdict.retryable);
        if (verdict.isOverloaded) this.#overloaded();
        reason = `elasticsearch: ${verdict.retryable.length} documents of a bulk: ${verdict.retryReason ?? 'failed'}`;
      }
      const waitMs = backoffMs(attempt, random, retryAfterMs);
      if (run.signal.aborted || clock.monotonic() - started + waitMs >= this.#patienceMs) return this.#fail(run, failed(reason, true, retryAfterMs));
      this.stats.retries++;
      // The slot is kept meanwhile: that is what slows the others down.
      await clock.sleep(waitMs, run.signal);
      if (run.isDone && !run.outcome.ok) return isAnswered;
    }
  }

  async #request(body: BulkBody, isFullAnswer: boolean): Promise<{ readonly verdict: BulkVerdict } | { readonly fault: ElasticsearchFault }> {
    const { client, clock } = this.#elasticsearch;
    const started = clock.monotonic();
    this.stats.requests++;
    try {
      const answer: unknown = await client.transport.request({
        method: 'POST',
        path: '/_bulk',
        querystring: { filter_path: isFullAnswer ? FULL : SHORT, timeout: SERVER_TIMEOUT },
        bulkBody: body.view(),
      });
      return { verdict: isFullAnswer ? readFullAnswer(answer) : readShortAnswer(answer) };
    } catch (error) {
      const fault = faultOf(error, 'bulk');
      if (fault === undefined) throw error;
      return { fault };
    } finally {
      addLatency(this.stats, clock.monotonic() - started);
    }
  }

  #stored(body: BulkBody): void {
    this.#slots.succeeded();
    this.stats.documents += body.count;
    this.stats.bytes += body.length;
  }

  #overloaded(): void {
    this.#slots.overloaded();
    this.stats.overloads++;
  }

  /** Some proxies take a megabyte only. */
  async #split(body: BulkBody, run: Run): Promise<boolean> {
    this.#bytesMax = Math.max(BYTES_MIN, Math.min(this.#bytesMax, Math.floor(body.length / 2)));
    const half = Math.ceil(body.count / 2);
    for (const part of [body.part(0, half), body.part(half, body.count)]) {
      if (run.outcome.ok) await this.#send(part, run);
    }
    return true;
  }

  #refused(run: Run, failure: BulkFailure): boolean {
    run.failure ??= failure;
    return this.#fail(run, failed(`elasticsearch does not take document ${failure.id} of index ${failure.index}: ${failure.reason}`, false));
  }

  #fail(run: Run, outcome: Outcome): boolean {
    run.isDone = true;
    // A failure that nobody can retry away says more than one that passes.
    if (run.outcome.ok || (!outcome.ok && !outcome.retryable && run.outcome.retryable)) run.outcome = outcome;
    return false;
  }
}
