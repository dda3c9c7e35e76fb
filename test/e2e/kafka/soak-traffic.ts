import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../../app/simulate/random.ts';
import type { EpochMs } from '../../../core/types.ts';
import type { TopicPublisher } from '../../../core/ports.ts';
import { Ledger } from './ledger.ts';

export type TrafficOptions = {
  readonly topic: string;
  readonly partitions: number;
  readonly keys: number;
  readonly eventsPerSecond: number;
  readonly seed: number;
};

/** Critical limits of the soak: requests a minute of a key, failures an hour of a network. Nothing else may fire. */
export const REQUEST_LIMIT = 3000;
export const FAILURE_LIMIT = 50;

const TICK_MS = 50;
/** One event in so many is refused; it shares its record with an accepted one of its key, so that it stays with the key. */
const DENIED_EVERY = 400;
/** Of one key, so that none comes near the limit. */
const DENIED_MAX = 40;
const STATUSES = [200, 200, 200, 200, 201, 204, 304, 404, 429, 499, 500, 503];
const BURST_EVERY_MS = 15_000;
/** A burst is sent whole within one minute of event time. */
const BURST_FROM_S = 5;
const BURST_TO_S = 50;
const ATTACKERS = 5;
const ATTACKER_EVERY_MS = 1200;
const ATTACKER_DELAY_MS = 45_000;
const JITTER_MS = 1500;

/**
 * Gateways of many customers at a steady rate, in real time. Some keys burst over the limit within one minute, some
 * reach it exactly; some networks guess keys slowly, so that a judge must remember an hour to see it.
 */
export class SoakTraffic {
  readonly ledger = new Ledger();
  /** Failures by network, as a rule counts them. */
  readonly failures = new Map<string, number>();
  readonly #options: TrafficOptions;
  readonly #publisher: TopicPublisher;
  readonly #random: Random;
  readonly #denied = new Map<string, number>();
  #messages: { readonly partition: number; readonly value: Uint8Array }[] = [];
  #bursts = 0;
  #burstAt = 0;
  #guesses = 0;
  #stopped = false;
  slowestSendMs = 0;

  constructor(options: TrafficOptions, publisher: TopicPublisher) {
    this.#options = options;
    this.#publisher = publisher;
    this.#random = new Random(options.seed, 'soak');
  }

  get bursts(): number {
    return this.#bursts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Until stopped. What could not be sent has an unknown fate: that ends the soak. */
  async run(): Promise<void> {
    const started = performance.now();
    let due = 0;
    const attackers = Array.from({ length: ATTACKERS }, (_, index) => ({ index, nextMs: (index + 1) * ATTACKER_DELAY_MS }));
    while (!this.#stopped) {
      const elapsed = performance.now() - started;
      due = Math.round((elapsed / 1000) * this.#options.eventsPerSecond);
      const now = Date.now();
      // After a pause of the machine a second of events is caught up with; more is a lower rate.
      const count = Math.min(due - this.#sent, this.#options.eventsPerSecond);
      this.#sent = due;
      for (let i = 0; i < count; i++) this.#event(now);
      if (elapsed - this.#burstAt > BURST_EVERY_MS) this.#burst(now, elapsed);
      for (const attacker of attackers) {
        if (elapsed < attacker.nextMs) continue;
        attacker.nextMs = elapsed + ATTACKER_EVERY_MS;
        this.#guess(attacker.index, now);
      }
      await this.#send();
      await delay(TICK_MS);
    }
  }

  #sent = 0;

  async #send(): Promise<void> {
    const messages = this.#messages;
    this.#messages = [];
    const began = performance.now();
    const outcome = await this.#publisher.publish(this.#options.topic, messages);
    if (!outcome.ok) throw new Error(`the topic did not take the events: ${outcome.reason}`);
    this.slowestSendMs = Math.max(this.slowestSendMs, performance.now() - began);
  }

  #event(now: EpochMs): void {
    const random = this.#random;
    const index = random.below(this.#options.keys);
    const key = `soak-key-${index}-not-real`;
    const at = now - random.below(JITTER_MS);
    const address = `10.${index >> 8}.${index & 255}.7`;
    let text = this.#line({ key, at, address, status: STATUSES[random.below(STATUSES.length)] ?? 200 });
    const denied = this.#denied.get(key) ?? 0;
    if (random.below(DENIED_EVERY) === 0 && denied < DENIED_MAX) {
      this.#denied.set(key, denied + 1);
      // Accepted and refused in one record: one segment holds both.
      text = `${this.#line({ key, at, address, status: 200 })}\n${text}\n${this.#line({ key, at, address, status: 401 })}`;
    }
    this.#push(text);
  }

  /** One over the limit and one that just reaches it, in turn. */
  #burst(now: EpochMs, elapsed: number): void {
    const second = new Date(now).getUTCSeconds();
    if (second < BURST_FROM_S || second > BURST_TO_S) return;
    this.#burstAt = elapsed;
    const number = this.#bursts++;
    const isOver = number % 3 !== 2;
    const key = `soak-${isOver ? 'burst' : 'edge'}-${number}-not-real`;
    const count = isOver ? REQUEST_LIMIT + 1 + this.#random.below(500) : REQUEST_LIMIT;
    for (let i = 0; i < count; i++) this.#push(this.#line({ key, at: now, address: `10.200.${number & 255}.7`, status: 200 }));
  }

  #guess(attacker: number, now: EpochMs): void {
    const network = `203.0.${113 + attacker}.0/24`;
    this.failures.set(network, (this.failures.get(network) ?? 0) + 1);
    const key = `soak-guess-${this.#guesses++}-${this.#random.base62(10)}`;
    this.#push(this.#line({ key, at: now, address: `203.0.${113 + attacker}.${1 + this.#random.below(200)}`, status: 401, isRefused: true }));
  }

  #push(text: string): void {
    this.#messages.push({ partition: this.#random.below(this.#options.partitions), value: Buffer.from(text) });
  }

  #line(event: { readonly key: string; readonly at: number; readonly address: string; readonly status: number; readonly isRefused?: boolean }): string {
    const { key, at, address, status } = event;
    const bytes = 100 + (at % 50);
    this.ledger.add({ ...event, bytes });
    return `{"ts":${at},"key":"${key}","ip":"${address}","method":"GET","path":"/v1/orders/${at % 1000}","status":${status},"bytes":${bytes},"ms":12.5,"ua":"acme/2.4"}`;
  }
}
