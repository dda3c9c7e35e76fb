/** Values that are remembered; beyond twice as many the lighter half goes. Attackers can make up as many as they like. */
const VALUES_MAX = 8192;

type Entry = { requests: number; failed: number };

/** The heaviest values of a dimension over all segments. Exact while there are fewer than 16,384 values. */
export class TopList {
  readonly #byText = new Map<string, Entry>();

  add(entries: readonly (readonly [text: string, requests: number, failed: number])[]): void {
    for (const [text, requests, failed] of entries) {
      const entry = this.#byText.get(text);
      if (entry === undefined) this.#byText.set(text, { requests, failed });
      else {
        entry.requests += requests;
        entry.failed += failed;
      }
    }
    if (this.#byText.size > VALUES_MAX * 2) this.#prune();
  }

  top(count: number): readonly { readonly text: string; readonly requests: number; readonly failed: number }[] {
    return [...this.#byText]
      .map(([text, entry]) => ({ text, ...entry }))
      .sort((a, b) => b.requests - a.requests || (a.text < b.text ? -1 : 1))
      .slice(0, count);
  }

  #prune(): void {
    const lightest = [...this.#byText].sort((a, b) => a[1].requests - b[1].requests).slice(0, this.#byText.size - VALUES_MAX);
    for (const [text] of lightest) this.#byText.delete(text);
  }
}
