import { stat } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';
import type { DirectoryInput } from '../../keys/directory.ts';
import { CliError } from '../cli/errors.ts';

export const INVENTORY_EVERY_MS: DurationMs = 60_000;

export type InventoryWatchDeps = {
  /** Where it is now; undefined while there is none. */
  readonly path: () => string | undefined;
  readonly clock: Clock;
  /** Reads and checks the file; throws a `CliError` that says what is wrong. */
  readonly read: () => DirectoryInput;
  /** The keys are these from now on. */
  readonly apply: (keys: DirectoryInput) => Promise<void>;
  readonly onProblem: (message: string) => void;
  readonly onChange: (keys: number) => void;
};

/** Takes the inventory of keys anew when its file changes. While the file is wrong or away, the last good one holds. */
export class InventoryWatch {
  readonly #deps: InventoryWatchDeps;
  #seen: string | undefined;

  constructor(deps: InventoryWatchDeps) {
    this.#deps = deps;
  }

  /** Looks every minute until aborted. The file as it is now is taken as known. */
  async run(signal: AbortSignal): Promise<void> {
    this.#seen = await this.#stamp();
    while (!signal.aborted) {
      await this.#deps.clock.sleep(INVENTORY_EVERY_MS, signal);
      if (!signal.aborted) await this.look();
    }
  }

  /** One look. A fault is told once per change of the file. */
  async look(): Promise<void> {
    const { read, apply, onProblem, onChange } = this.#deps;
    const stamp = await this.#stamp();
    if (stamp === this.#seen) return;
    this.#seen = stamp;
    if (stamp === 'none') return;
    let keys: DirectoryInput;
    try {
      keys = read();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return onProblem(`the inventory of keys changed and cannot be used, so the last good one holds: ${error.message}`);
    }
    await apply(keys);
    onChange(keys.keys.length);
  }

  /** Changes when the file does, also when another one is put in its place. */
  async #stamp(): Promise<string> {
    const path = this.#deps.path();
    if (path === undefined) return 'none';
    try {
      const { mtimeMs, size, ino } = await stat(path);
      return `${path} ${mtimeMs} ${size} ${ino}`;
    } catch {
      return 'away';
    }
  }
}
