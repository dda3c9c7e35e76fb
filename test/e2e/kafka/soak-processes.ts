import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../../app/simulate/random.ts';
import type { Command } from '../support/command.ts';

/** What a process may end with while the store is away: nobody would run it without a supervisor. */
const START_AGAIN_MS = 1000;

/**
 * Three processes of one installation under a supervisor that starts again what ended. One of them can be killed at any
 * time; what ends by itself although its servers are there is a fault.
 */
export class Fleet implements AsyncDisposable {
  readonly faults: string[] = [];
  /** Ends by themselves while a server was away. */
  gaveUp = 0;
  readonly #start: () => Command;
  readonly #slots: { command: Command | undefined; readonly done: Promise<void> }[] = [];
  #isOutage = false;
  #isStopping = false;

  constructor(size: number, start: () => Command) {
    this.#start = start;
    for (let slot = 0; slot < size; slot++) {
      const place: { command: Command | undefined; done: Promise<void> } = { command: undefined, done: Promise.resolve() };
      place.done = this.#supervise(place);
      this.#slots.push(place);
    }
  }

  /** A server is away, or was until just now. */
  set isOutage(is: boolean) {
    this.#isOutage = is;
  }

  /** kill -9 of one of them; its supervisor starts another. */
  async kill(random: Random): Promise<void> {
    const { command } = this.#slots[random.below(this.#slots.length)] ?? {};
    command?.process.kill('SIGKILL');
    await command?.end();
  }

  /** The last words of each, for a person who looks for the reason. */
  lastWords(): readonly string[] {
    return this.#slots.map(({ command }) => command?.stderr().slice(-1500) ?? '');
  }

  /** In order, as a rolling stop would. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { command } of this.#slots) {
      if (command === undefined) continue;
      const ended = await command.stop('SIGTERM');
      if (ended.code !== 0) this.faults.push(`a process ended with code ${ended.code}: ${ended.stderr.slice(-1000)}`);
    }
    await Promise.all(this.#slots.map(({ done }) => done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    for (const { command } of this.#slots) await command?.[Symbol.asyncDispose]();
    await Promise.all(this.#slots.map(({ done }) => done));
  }

  async #supervise(place: { command: Command | undefined }): Promise<void> {
    while (!this.#isStopping) {
      const command = this.#start();
      place.command = command;
      const { code, signal, stderr } = await command.end();
      if (this.#isStopping || signal === 'SIGKILL') {
        if (/BUG|TypeError|RangeError/.test(stderr)) this.faults.push(`a process that was killed had said: ${stderr.slice(-1000)}`);
        continue;
      }
      if (this.#isOutage && code === 1) this.gaveUp++;
      else this.faults.push(`a process ended by itself with code ${code}: ${stderr.slice(-1500)}`);
      await delay(START_AGAIN_MS);
    }
  }
}
