/** Names under which gateways and clients carry a key, in headers, fields and query parameters (gateways.md A5). */
export const KEY_NAMES: readonly string[] = [
  'apikey',
  'api_key',
  'api-key',
  'x-api-key',
  'x_api_key',
  'key',
  'access_token',
  'subscription-key',
  'ocp-apim-subscription-key',
  'x-goog-api-key',
];

/** Finds the value of a key parameter in a query string, without decoding what is not a key. */
export class KeyNames {
  readonly names: readonly string[];
  /** By length: the lower-case bytes of each name. */
  readonly #byLength: Uint8Array[][] = [];
  valueStart = 0;
  valueEnd = 0;

  constructor(names: readonly string[]) {
    this.names = names.map((name) => name.toLowerCase());
    for (const name of this.names) {
      const bytes = Buffer.from(name);
      (this.#byLength[bytes.length] ??= []).push(bytes);
    }
  }

  has(name: string): boolean {
    return this.names.includes(name.toLowerCase());
  }

  /** Looks for the first non-empty key parameter in `bytes[start, end)`; sets `valueStart` and `valueEnd`. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end) {
      let nameEnd = at;
      while (nameEnd < end && bytes[nameEnd] !== 61 && bytes[nameEnd] !== 38) nameEnd++;
      let valueEnd = nameEnd;
      while (valueEnd < end && bytes[valueEnd] !== 38) valueEnd++;
      if (bytes[nameEnd] === 61 && valueEnd > nameEnd + 1 && this.#matches(bytes, at, nameEnd)) {
        this.valueStart = nameEnd + 1;
        this.valueEnd = valueEnd;
        return true;
      }
      at = valueEnd + 1;
    }
    return false;
  }

  #matches(bytes: Uint8Array, start: number, end: number): boolean {
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return false;
    for (const name of candidates) {
      let i = 0;
      while (i < name.length) {
        const byte = bytes[start + i] as number;
        if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== name[i]) break;
        i++;
      }
      if (i === name.length) return true;
    }
    return false;
  }
}
