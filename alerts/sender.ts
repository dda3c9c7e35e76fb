import type { Alert, JournalBody, Link, Notification, OutboxRow } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import type { Incident } from '../core/incident.ts';
import type { Notifier } from '../core/ports.ts';
import { type DurationMs, type EpochMs, type Outcome, failed } from '../core/types.ts';
import { HOUR_MS } from '../core/window.ts';
import type { ChannelQueue, QueuedRow } from './channel-queue.ts';
import { deliveryOf, nextAction } from './outbox.ts';
import { mergedRow } from './covers.ts';
import { TokenBucket } from './token-bucket.ts';

/** A notifier that has not answered by then is left behind; its own deadline should be shorter. */
export const SEND_TIMEOUT_MS: DurationMs = 30_000;
/** A sparkline is never a reason to wait. */
const SERIES_TIMEOUT_MS: DurationMs = 2000;

/** Why our own sleeps end early: given, because making an error for each costs more than the sleep. */
const WOKEN = 'woken';

export type SenderChannel = { readonly notifier: Notifier; readonly perSecond: number; readonly burst: number };

/** What a sender asks of its desk. */
export type SenderDesk = {
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** Requests per minute before an alert, oldest first, for its sparkline. */
  readonly series?: ((alert: Alert) => Promise<readonly number[] | undefined>) | undefined;
  readonly links?: ((incident: Incident, alert: Alert | undefined) => readonly Link[]) | undefined;
  queue(): ChannelQueue;
  /** Appends what `decide` returns, and applies it. Resolves once it is durable. */
  commit(decide: (now: EpochMs) => Partial<JournalBody> | undefined): Promise<void>;
  /** What else is decided when an attempt failed. */
  afterFailure(row: OutboxRow, result: 'retry' | 'dead', reason: string, now: EpochMs): Partial<JournalBody>;
};

/**
 * Sends the rows of one channel, one after the other. Channels have a sender each, so that one that hangs delays no
 * other. A row was durable before it got here; its result is durable before the next one is picked.
 */
export class Sender {
  readonly #channel: SenderChannel;
  readonly #desk: SenderDesk;
  readonly #bucket: TokenBucket;
  #nap: AbortController | undefined;
  #watchers: (() => void)[] = [];
  #running: Promise<void> | undefined;

  constructor(channel: SenderChannel, desk: SenderDesk) {
    this.#channel = channel;
    this.#desk = desk;
    this.#bucket = new TokenBucket(channel);
  }

  get name(): string {
    return this.#channel.notifier.name;
  }

  /** Something changed in the queue. */
  wake(): void {
    this.#nap?.abort(WOKEN);
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }

  /** Resolves once nothing is left to send, or when aborted. Something must be running meanwhile. */
  async whenEmpty(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.wake();
    signal.addEventListener('abort', stop, { once: true });
    while (this.#desk.queue().rows.size > 0 && !signal.aborted) await new Promise<void>((resolve) => this.#watchers.push(resolve));
    signal.removeEventListener('abort', stop);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Sends until aborted, or until the queue is empty. One run at a time: a second call waits for the first. */
  async run(signal: AbortSignal, options: { readonly untilEmpty: boolean }): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    const run = this.#loop(signal, options.untilEmpty);
    this.#running = run.finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #loop(signal: AbortSignal, untilEmpty: boolean): Promise<void> {
    while (!signal.aborted) {
      const now = this.#desk.clock.now();
      const next = nextAction(this.#desk.queue(), now);
      switch (next.kind) {
        case 'idle':
          if (untilEmpty) return;
          await this.#sleep(HOUR_MS, signal);
          break;
        case 'wait':
          await this.#sleep(Math.min(HOUR_MS, next.until - now), signal);
          break;
        case 'merge':
          await this.#merge(next.rows, next.isStorm);
          break;
        case 'skip':
          await this.#desk.commit((at) => ({
            deliveries: [{ row: next.row.id, at, attempt: 0, result: 'dead', reason: 'nobody was told on this channel that it fired' }],
          }));
          break;
        case 'send': {
          const waitMs = this.#bucket.take(this.#desk.clock.monotonic());
          if (waitMs > 0) await this.#sleep(waitMs, signal);
          else await this.#send(next.queued, signal);
          break;
        }
      }
    }
  }

  async #merge(rows: readonly OutboxRow[], isStorm: boolean): Promise<void> {
    const first = rows[0];
    if (first === undefined) return;
    // Named after its first row: the same rows merge into the same message after a restart.
    const id = `merged/${first.id}`;
    await this.#desk.commit((now) => ({
      outbox: [mergedRow(rows, { id, channel: this.name, now, isStorm })],
      deliveries: rows.map((row) => ({ row: row.id, at: now, attempt: 0, result: 'merged', into: id })),
    }));
  }

  async #send(queued: QueuedRow, signal: AbortSignal): Promise<void> {
    // 1. build, 2. send, 3. record: a crash between 2 and 3 repeats the message under the same id.
    const notification = await this.#notification(queued, signal);
    const outcome = await this.#attempt(notification, signal);
    if (outcome === undefined) return;
    await this.#desk.commit((now) => {
      const queue = this.#desk.queue();
      const delivery = deliveryOf({ queued, queue, outcome, now, random: this.#desk.random() });
      if (delivery.result !== 'retry' && delivery.result !== 'dead') return { deliveries: [delivery] };
      const more = this.#desk.afterFailure(queued.row, delivery.result, delivery.reason ?? '', now);
      return { ...more, deliveries: [delivery] };
    });
  }

  async #notification({ row, attempts }: QueuedRow, signal: AbortSignal): Promise<Notification> {
    const { alert, incident } = row;
    const series = alert === undefined || row.kind === 'resolved' ? undefined : await this.#series(alert, signal);
    const links = incident === undefined ? undefined : this.#desk.links?.(incident, alert);
    return {
      id: row.id,
      kind: row.kind,
      at: this.#desk.clock.now(),
      attempt: attempts + 1,
      ...(incident === undefined ? {} : { incident }),
      ...(row.alerts === undefined ? {} : { alerts: row.alerts }),
      ...(alert === undefined ? {} : { alert }),
      ...(row.openedAs === undefined ? {} : { openedAs: row.openedAs }),
      ...(incident?.resolvedAt === undefined ? {} : { durationMs: incident.resolvedAt - incident.startedAt }),
      ...(row.text === undefined ? {} : { text: row.text }),
      ...(row.done === undefined ? {} : { done: row.done }),
      ...(row.next === undefined ? {} : { next: row.next }),
      ...(row.mentions === undefined ? {} : { mentions: row.mentions }),
      ...(links === undefined ? {} : { links }),
      ...(series === undefined ? {} : { series }),
    };
  }

  async #series(alert: Alert, signal: AbortSignal): Promise<readonly number[] | undefined> {
    const { series } = this.#desk;
    if (series === undefined) return undefined;
    const read = async (): Promise<readonly number[] | undefined> => {
      try {
        return await series(alert);
      } catch {
        // The message goes out without its picture.
        return undefined;
      }
    };
    return this.#within(SERIES_TIMEOUT_MS, signal, read, undefined);
  }

  /** Undefined when the sender was stopped before there was an answer: the row stays as it is. */
  async #attempt(notification: Notification, signal: AbortSignal): Promise<Outcome | undefined> {
    const cut = new AbortController();
    const notify = async (): Promise<Outcome | undefined> => {
      try {
        return await this.#channel.notifier.notify(notification, cut.signal);
      } catch (error) {
        // A notifier must not throw. Ending the process here would end it again after each restart, over one message.
        return failed(`BUG in the notifier ${this.name}: ${error instanceof Error ? error.name : 'unknown error'}`, false);
      }
    };
    const late = failed(`no answer within ${SEND_TIMEOUT_MS / 1000} s`, true);
    const outcome = await this.#within(SEND_TIMEOUT_MS, signal, notify, late);
    cut.abort();
    return outcome;
  }

  /** The result of `work`, or `late` after `ms`, or undefined once aborted. */
  async #within<T>(ms: DurationMs, signal: AbortSignal, work: () => Promise<T | undefined>, late: T | undefined): Promise<T | undefined> {
    const timer = new AbortController();
    const stop = (): void => timer.abort(WOKEN);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const timeout = this.#desk.clock.sleep(ms, timer.signal).then(() => (signal.aborted ? undefined : late));
    try {
      return await Promise.race([work(), timeout]);
    } finally {
      signal.removeEventListener('abort', stop);
      timer.abort(WOKEN);
    }
  }

  /** Until `ms` passed, the queue changed, or the sender is stopped. */
  async #sleep(ms: DurationMs, signal: AbortSignal): Promise<void> {
    const nap = new AbortController();
    const stop = (): void => nap.abort(WOKEN);
    this.#nap = nap;
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await this.#desk.clock.sleep(ms, nap.signal);
    signal.removeEventListener('abort', stop);
    if (this.#nap === nap) this.#nap = undefined;
  }
}
