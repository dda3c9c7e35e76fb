import { inspect } from 'node:util';

/**
 * A value that must never be printed. It shows as `<secret>` in logs, JSON, templates and the inspector;
 * only `reveal()` gives the text, at the one place that needs it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '<secret>';
  }

  toJSON(): string {
    return '<secret>';
  }

  [inspect.custom](): string {
    return '<secret>';
  }
}
