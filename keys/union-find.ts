/** Disjoint sets of texts. Union is symmetric and never hangs, whatever circles the input holds. */
export class UnionFind {
  readonly #parents = new Map<string, string>();

  /** The member that stands for the set now; `name` itself when it is in none. Says nothing about which member it is. */
  find(name: string): string {
    let root = name;
    for (;;) {
      const parent = this.#parents.get(root);
      if (parent === undefined || parent === root) break;
      root = parent;
    }
    // Path compression: the next walk takes one step.
    let at = name;
    while (at !== root) {
      const parent = this.#parents.get(at) ?? root;
      this.#parents.set(at, root);
      at = parent;
    }
    return root;
  }

  add(name: string): void {
    if (!this.#parents.has(name)) this.#parents.set(name, name);
  }

  union(a: string, b: string): void {
    this.add(a);
    this.add(b);
    this.#parents.set(this.find(a), this.find(b));
  }

  /** Every set that was ever named, members in order of text. */
  groups(): readonly (readonly string[])[] {
    const byRoot = new Map<string, string[]>();
    for (const name of this.#parents.keys()) {
      const root = this.find(name);
      const members = byRoot.get(root);
      if (members === undefined) byRoot.set(root, [name]);
      else members.push(name);
    }
    return [...byRoot.values()].map((members) => members.sort());
  }
}
