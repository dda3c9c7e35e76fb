import { Partitioners, type Producer } from 'kafkajs';
import { MINUTE_MS, minuteOf, startOf } from '../../../core/window.ts';
import { quietClient } from '../../services/topic.ts';

/** More requests in a minute than the default limit of a critical alert allows. */
const LOUD_EVENTS = 1100;
const LOUD_EVERY_MS = 5000;
/** A loud key's minute must hold all of it. */
const LOUD_MARGIN_MS = 3000;
const TICK_MS = 100;
const LINES_PER_MESSAGE = 250;
const MESSAGES_PER_SEND = 12;

/** A key that went over its limit, and when that was. */
export type Loud = { readonly key: string; readonly at: number };

/** Every key once in each minute, and every few seconds a key that nobody can overlook. In real time until stopped. */
export class TakeoverLoad implements AsyncDisposable {
  readonly loud: Loud[] = [];
  readonly #topic: string;
  readonly #keys: number;
  readonly #producer: Producer;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;
  #loudAt = 0;
  #sending: Promise<unknown> = Promise.resolve();

  private constructor(options: { readonly topic: string; readonly keys: number }, producer: Producer) {
    this.#topic = options.topic;
    this.#keys = options.keys;
    this.#producer = producer;
  }

  static async open(options: { readonly brokers: string; readonly topic: string; readonly keys: number }): Promise<TakeoverLoad> {
    const producer = quietClient(options.brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
    await producer.connect();
    return new TakeoverLoad(options, producer);
  }

  /** The last `minutes` whole minutes, at once. */
  async history(minutes: number): Promise<void> {
    const now = minuteOf(Date.now());
    for (let minute = now - minutes; minute < now; minute++) {
      await this.#send(Array.from({ length: this.#keys }, (_, index) => line(startOf(minute) + Math.floor((index / this.#keys) * MINUTE_MS), keyOf(index))));
    }
  }

  start(): void {
    this.#loudAt = Date.now() + LOUD_EVERY_MS;
    this.#sent = this.#due(Date.now());
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** No more loud keys; the others go on. */
  hush(): void {
    this.#loudAt = Number.POSITIVE_INFINITY;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
    await this.#producer.disconnect();
  }

  #tick(): void {
    const now = Date.now();
    const lines: string[] = [];
    for (const due = this.#due(now); this.#sent < due; this.#sent++) lines.push(line(now, keyOf(this.#sent % this.#keys)));
    if (lines.length > 0) this.#queue(lines);
    if (now < this.#loudAt || MINUTE_MS - (now % MINUTE_MS) < LOUD_MARGIN_MS) return;
    this.#loudAt = now + LOUD_EVERY_MS;
    const key = `loud-${this.loud.length}`;
    this.loud.push({ key, at: now });
    this.#queue(Array.from({ length: LOUD_EVENTS }, () => line(now, key)));
  }

  /** Lines since the epoch that should have been sent by now. */
  #due(now: number): number {
    return Math.floor((now / MINUTE_MS) * this.#keys);
  }

  #queue(lines: readonly string[]): void {
    this.#sending = this.#sending.then(() => this.#send(lines));
  }

  async #send(lines: readonly string[]): Promise<void> {
    const messages: { value: string }[] = [];
    for (let from = 0; from < lines.length; from += LINES_PER_MESSAGE) messages.push({ value: lines.slice(from, from + LINES_PER_MESSAGE).join('\n') });
    for (let from = 0; from < messages.length; from += MESSAGES_PER_SEND)
      await this.#producer.send({ topic: this.#topic, messages: messages.slice(from, from + MESSAGES_PER_SEND) });
  }
}

function keyOf(index: number): string {
  return `key-${index}`;
}

function line(at: number, key: string): string {
  return `{"ts":${at},"key":"${key}","ip":"198.51.100.7","method":"GET","path":"/v1/orders","status":200,"bytes":100,"ms":3}`;
}
