import type { LogReader } from './log-reader.ts';

/** Which of the wanted topics exist, asked again and again. */
export class TopicWatch {
  readonly #wanted: readonly (string | RegExp)[];
  readonly #deps: { readonly reader: LogReader; readonly onProblem: (message: string) => void };
  readonly #missing = new Set<string>();
  /** What the first look found; what comes later is read from its beginning. */
  #first: ReadonlySet<string> | undefined;
  #isEmpty = false;

  constructor(wanted: readonly (string | RegExp)[], deps: { readonly reader: LogReader; readonly onProblem: (message: string) => void }) {
    this.#wanted = wanted;
    this.#deps = deps;
  }

  /** Throws when no broker answers. */
  async find(): Promise<{ readonly cluster: string; readonly topics: readonly string[] }> {
    const { id, topics } = await this.#deps.reader.cluster();
    const found = topics
      .filter((topic) => !topic.startsWith('__') && this.#wanted.some((wanted) => (typeof wanted === 'string' ? wanted === topic : wanted.test(topic))))
      .sort();
    this.#first ??= new Set(found);
    this.#tell(found);
    return { cluster: id, topics: found };
  }

  isLate(topic: string): boolean {
    return this.#first !== undefined && !this.#first.has(topic);
  }

  #tell(found: readonly string[]): void {
    const { onProblem } = this.#deps;
    for (const wanted of this.#wanted) {
      if (typeof wanted !== 'string') continue;
      const isThere = found.includes(wanted);
      if (isThere && this.#missing.delete(wanted)) onProblem(`topic ${wanted} is there now`);
      if (isThere || this.#missing.has(wanted)) continue;
      this.#missing.add(wanted);
      onProblem(`topic ${wanted} is missing: waiting for it`);
    }
    const isEmpty = found.length === 0 && this.#wanted.every((wanted) => typeof wanted !== 'string');
    if (isEmpty && !this.#isEmpty) onProblem(`no topic matches ${this.#wanted.map(String).join(', ')}: waiting for one`);
    this.#isEmpty = isEmpty;
  }
}
