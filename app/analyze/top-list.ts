import type { Tally, TallyItem } from '../../core/sketch/tally.ts';

/** Values that are remembered; beyond it the lighter half goes. Attackers can make up as many as they like. */
const VALUES_MAX = 8192;

type Entry = { hi: number; text: string | undefined; count: number; failed: number };

/** The heaviest values of a dimension over all entities. Counts are exact while there are fewer than 8,192 values. */
export class TopList {
  readonly #byHash = new Map<number, Entry>();

  add(tally: Tally): void {
    for (const item of tally.items) this.#addItem(item);
    if (this.#byHash.size > VALUES_MAX) this.#prune();
  }

  top(count: number): readonly { readonly text: string; readonly count: number; readonly failed: number }[] {
    return [...this.#byHash.values()]
      .flatMap(({ text, ...rest }) => (text === undefined ? [] : [{ text, ...rest }]))
      .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
      .slice(0, count);
  }

  #addItem(item: TallyItem): void {
    // The second lane alone tells thousands of values apart; the first settles the rare tie.
    const key = this.#byHash.get(item.lo)?.hi === item.hi || !this.#byHash.has(item.lo) ? item.lo : item.lo + (item.hi >>> 0) * 2 ** 32;
    const entry = this.#byHash.get(key);
    if (entry === undefined) {
      this.#byHash.set(key, { hi: item.hi, text: item.text, count: item.count - item.over, failed: item.failed });
      return;
    }
    entry.text ??= item.text;
    entry.count += item.count - item.over;
    entry.failed += item.failed;
  }

  #prune(): void {
    const lightest = [...this.#byHash].sort((a, b) => a[1].count - b[1].count).slice(0, VALUES_MAX / 2);
    for (const [key] of lightest) this.#byHash.delete(key);
  }
}
