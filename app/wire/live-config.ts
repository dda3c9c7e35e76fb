import type { Clock } from '../../core/clock.ts';
import { type Actor, KEYWATCH, actorText } from '../../core/operator.ts';
import { CliError } from '../cli/errors.ts';
import type { Config } from '../config/config.ts';
import { readKeys } from '../config/load.ts';
import { configChange } from '../config/reload.ts';
import { InventoryWatch } from '../pipeline/inventory-watch.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';

export type LiveConfigDeps = {
  /** Reads the configuration again, as at the start. Throws a `CliError` with all that is wrong. */
  readonly load: () => Config;
  readonly pipeline: Pick<Pipeline, 'useConfig' | 'useDirectory'>;
  readonly clock: Clock;
  readonly log: { info(message: string): void; warn(message: string): void };
};

export type Reloaded = { readonly ok: boolean; readonly messages: readonly string[] };

/** The configuration of a running process: read again on SIGHUP and when the API asks, its inventory when that file changes. */
export class LiveConfig implements Disposable {
  readonly #deps: LiveConfigDeps;
  readonly #stop = new AbortController();
  readonly #onHangUp = (): void => {
    // What cannot be done is in the log already.
    this.reload(KEYWATCH).catch(() => undefined);
  };
  #current: Config;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(config: Config, deps: LiveConfigDeps) {
    this.#deps = deps;
    this.#current = config;
    const { clock, log, pipeline } = deps;
    process.on('SIGHUP', this.#onHangUp);
    const onProblem = (message: string): void => log.warn(message);
    new InventoryWatch({
      path: () => this.#current.inventory?.path,
      clock,
      read: () => readKeys(this.#current),
      apply: (keys) =>
        this.#inTurn(async () => {
          this.#current = { ...this.#current, directory: keys };
          await pipeline.useDirectory(this.#current);
        }),
      onProblem,
      onChange: (count) => log.info(`the inventory of keys changed: ${count} entries`),
    })
      .run(this.#stop.signal)
      .catch((error: unknown) => onProblem(`the inventory of keys is not looked at any more: ${error instanceof Error ? error.message : String(error)}`));
  }

  get current(): Config {
    return this.#current;
  }

  /** Never throws for a wrong file: the old configuration holds then, and the messages say why. */
  async reload(actor: Actor): Promise<Reloaded> {
    return this.#inTurn(async () => {
      const { load, pipeline, log } = this.#deps;
      try {
        const { config, applied, needsRestart } = configChange(this.#current, load());
        const restart = needsRestart.length === 0 ? [] : [`these changes need a restart and do not hold yet: ${needsRestart.join(', ')}`];
        if (applied.length > 0) await pipeline.useConfig(config, { actor, changes: [...applied, ...restart] });
        this.#current = config;
        const messages = [applied.length === 0 ? 'nothing changed that a running process takes anew' : `changed: ${applied.join(', ')}`, ...restart];
        log.info(`configuration read again (${actorText(actor)}): ${messages.join('; ')}`);
        return { ok: true, messages };
      } catch (error) {
        if (!(error instanceof CliError)) {
          log.warn(`the configuration was not taken: ${error instanceof Error ? error.message : String(error)}`);
          throw error;
        }
        // The whole of it is shown by keywatch config check; here it is one line.
        const [first = ''] = error.message.split('\n');
        const message = `the configuration is wrong, so the old one goes on: ${first}; see keywatch config check`;
        log.warn(message);
        return { ok: false, messages: [message] };
      }
    });
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#onHangUp);
    this.#stop.abort();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
