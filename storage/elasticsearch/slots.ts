/**
 * How many requests may run at once: one more after as many successes as there are slots, half as many after a
 * sign of overload. Whoever waits is served in order.
 */
export class Slots {
  readonly max: number;
  #allowed: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.max = max;
    this.#allowed = max;
  }

  get allowed(): number {
    return Math.floor(this.#allowed);
  }

  get taken(): number {
    return this.#taken;
  }

  async take(): Promise<void> {
    if (this.#taken >= this.allowed) {
      // Whoever gives a slot away counts it for the one that it wakes.
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
      return;
    }
    this.#taken++;
  }

  give(): void {
    this.#taken--;
    this.#wake();
  }

  succeeded(): void {
    this.#allowed = Math.min(this.max, this.#allowed + 1 / this.#allowed);
    this.#wake();
  }

  overloaded(): void {
    this.#allowed = Math.max(1, Math.floor(this.#allowed / 2));
  }

  #wake(): void {
    while (this.#taken < this.allowed) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken++;
      next();
    }
  }
}
