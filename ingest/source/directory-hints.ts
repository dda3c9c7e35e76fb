import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';

/** More directories than this are polled: each watch takes a kernel resource that is shared by everyone. */
const DIRECTORIES_MAX = 64;

/**
 * Tells early that something happened to a file in a directory. Only a hint: network file systems, containers and
 * full kernel queues lose events, so whoever uses it polls as well.
 */
export class DirectoryHints {
  readonly #onHint: (path: string) => void;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(onHint: (path: string) => void) {
    this.#onHint = onHint;
  }

  isWatched(directory: string): boolean {
    return this.#watchers.has(directory);
  }

  /** Watches these directories and no others. One that cannot be watched is polled like the rest. */
  watch(directories: ReadonlySet<string>): void {
    for (const directory of this.#watchers.keys()) if (!directories.has(directory)) this.#drop(directory);
    for (const directory of directories) {
      if (this.#watchers.size >= DIRECTORIES_MAX) return;
      if (!this.#watchers.has(directory)) this.#add(directory);
    }
  }

  close(): void {
    for (const directory of this.#watchers.keys()) this.#drop(directory);
  }

  #add(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_kind, name) => {
        if (name !== null) this.#onHint(join(directory, name));
      });
      // The directory went away, or the kernel ran out of watches.
      watcher.on('error', () => this.#drop(directory));
      this.#watchers.set(directory, watcher);
    } catch {
      // Not watchable here (no inotify left, a network file system): polling sees everything a little later.
    }
  }

  #drop(directory: string): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
  }
}
