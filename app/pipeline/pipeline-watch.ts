import type { Notification } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { Notifier } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import { type WatchChange, WatchConditions, type WatchSample } from './watch-conditions.ts';
import { isWorldFault } from './world-fault.ts';

const LOOK_EVERY_MS: DurationMs = 10_000;
const SEND_TIMEOUT_MS: DurationMs = 30_000;

export type PipelineWatchDeps = {
  readonly clock: Clock;
  readonly sample: () => WatchSample;
  /** The desk of this process while it judges. */
  readonly desk: () => { announce(input: { readonly name: string; readonly text: string }): Promise<void> } | undefined;
  /** Who is told without the journal. */
  readonly notifiers: () => readonly Notifier[];
  readonly silentAfterMs: DurationMs | null;
  readonly onProblem: (message: string) => void;
};

/**
 * Watches the watcher: says what is wrong with Keywatch itself, through the desk, and straight from memory when the
 * store is away. Of many processes only those that judged tell people without a desk: the others would say the same.
 */
export class PipelineWatch {
  readonly #deps: PipelineWatchDeps;
  readonly #conditions: WatchConditions;
  #hasLed = false;
  /** Told straight: who was told of a beginning so is told of the end, whoever judges then. */
  readonly #straight = new Set<string>();

  constructor(deps: PipelineWatchDeps) {
    this.#deps = deps;
    this.#conditions = new WatchConditions(deps);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LOOK_EVERY_MS, signal);
      if (!signal.aborted) await this.look(signal);
    }
  }

  async look(signal: AbortSignal): Promise<void> {
    const { clock, sample, desk } = this.#deps;
    if (desk() !== undefined) this.#hasLed = true;
    for (const change of this.#conditions.look(sample(), clock.now())) await this.#tell(change, signal);
  }

  async #tell(change: WatchChange, signal: AbortSignal): Promise<void> {
    const { desk, onProblem } = this.#deps;
    const { name, since, isOver, text } = change;
    if (!isOver) onProblem(text);
    const id = `watch/${name}/${since}${isOver ? '/over' : ''}`;
    const wasStraight = this.#straight.delete(name);
    if (!(name === 'store' && !isOver)) {
      try {
        const present = desk();
        if (present !== undefined) return await present.announce({ name: id, text });
      } catch (error) {
        if (!isWorldFault(error)) throw error;
      }
    }
    if (isOver ? !wasStraight : !this.#hasLed) return;
    if (!isOver) this.#straight.add(name);
    await this.#straightTo(id, text, signal);
  }

  async #straightTo(id: string, text: string, signal: AbortSignal): Promise<void> {
    const { clock, notifiers, onProblem } = this.#deps;
    await Promise.all(
      notifiers().map(async (notifier) => {
        const notification: Notification = { id: `${id}/${notifier.name}`, kind: 'pipeline', at: clock.now(), attempt: 1, text };
        const outcome = await notifier.notify(notification, AbortSignal.any([signal, AbortSignal.timeout(SEND_TIMEOUT_MS)])).catch((error: unknown) => ({
          ok: false as const,
          reason: error instanceof Error ? error.message : String(error),
        }));
        if (!outcome.ok) onProblem(`${notifier.name} was not told of the state of Keywatch: ${outcome.reason}`);
      }),
    );
  }
}
