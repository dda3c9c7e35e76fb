import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochMs } from '../../core/types.ts';
import { withAttacks } from '../simulate/attacks.ts';
import type { SimulatedEvent } from '../simulate/event.ts';
import { ByteSink } from '../simulate/format/format.ts';
import { kong } from '../simulate/format/kong.ts';
import { Replay, type ReplayLine } from '../simulate/replay.ts';
import { Traffic } from '../simulate/traffic.ts';
import { type DemoPlan, EVENTS_PER_MINUTE, ZIPF_EXPONENT } from './plan.ts';

/**
 * The two programs that write logs while the demo runs: a Kong gateway (JSON lines, simulated, with the attacks in it)
 * and the real data API (combined format, replayed). They append as the clock passes, and nothing else: the
 * pipeline finds the lines as it would find anybody's.
 */
export class DemoFeed implements Disposable {
  readonly files: readonly [gateway: string, replayed: string];
  readonly #events: Iterator<SimulatedEvent>;
  readonly #replay: Replay;
  readonly #end: EpochMs;
  readonly #descriptors: number[];
  readonly #gateway: ByteSink;
  readonly #replayed: ByteSink;
  #nextEvent: SimulatedEvent | undefined;
  #nextLine: ReplayLine;
  #written = 0;
  #writtenThrough: EpochMs = 0;

  constructor(plan: DemoPlan, folder: string) {
    mkdirSync(folder, { recursive: true });
    this.files = [join(folder, 'gateway.json'), join(folder, 'erddap-access.log')];
    this.#descriptors = this.files.map((path) => openSync(path, 'a'));
    const [gateway, replayed] = this.#descriptors.map((descriptor) => new ByteSink((bytes) => append(descriptor, bytes)));
    if (gateway === undefined || replayed === undefined) throw new Error('BUG: two files have two descriptors');
    this.#gateway = gateway;
    this.#replayed = replayed;
    const background = new Traffic(plan.population, {
      seed: plan.seed,
      start: plan.warmUp,
      end: plan.end,
      eventsPerMinute: EVENTS_PER_MINUTE,
      zipfExponent: ZIPF_EXPONENT,
    });
    this.#events = withAttacks(background, plan.attacks);
    this.#replay = new Replay({ start: plan.warmUp });
    this.#end = plan.end;
    this.#nextEvent = this.#pull();
    this.#nextLine = this.#replay.next();
  }

  /** Appends every line before `until`. Returns how many requests that were. */
  advance(until: EpochMs): number {
    const before = this.#written;
    for (let event = this.#nextEvent; event !== undefined && event.at < until; event = this.#nextEvent) {
      kong.write(event, this.#gateway);
      this.#written++;
      this.#writtenThrough = event.at;
      this.#nextEvent = this.#pull();
    }
    while (this.#nextLine.at < until && this.#nextLine.at < this.#end) {
      this.#replayed.text(this.#nextLine.text);
      this.#written++;
      this.#nextLine = this.#replay.next();
    }
    this.#gateway.flush();
    this.#replayed.flush();
    return this.#written - before;
  }

  /** Requests written so far. */
  get written(): number {
    return this.#written;
  }

  /** Time of the newest event of the gateway in its file. */
  get writtenThrough(): EpochMs {
    return this.#writtenThrough;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
  }

  #pull(): SimulatedEvent | undefined {
    const next = this.#events.next();
    return next.done === true ? undefined : next.value;
  }
}

function append(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}
