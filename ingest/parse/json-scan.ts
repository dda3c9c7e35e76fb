import { R, ROLES, type Role, type Tokens } from './tokens.ts';

/** Field names at the top of a flat object, by the role they play; several names for one role is not a fast shape. */
export type FlatMap = ReadonlyMap<string, Role>;

const NOT_WANTED = -1;

/**
 * A byte scanner for one flat JSON object per line, compiled from a field map. It expects the keys in the
 * order of the line before and falls back to a look-up. It gives up (-1) on everything that JSON.parse might
 * see differently: escapes, control characters, nesting, exponents, long numbers, doubled or non-ASCII
 * wanted fields, anything behind the object.
 */
export class JsonScanner {
  readonly #roles = new Map<string, number>();
  readonly #wanted: Int32Array;
  /** Learned sequence: key bytes with quotes and colon, and the role each plays. */
  #sequence: Expectation[] = [];

  constructor(map: FlatMap) {
    for (const [name, role] of map) this.#roles.set(name, R[role]);
    this.#wanted = Int32Array.from(this.#roles.values());
  }

  scan(tokens: Tokens, buf: Uint8Array, from: number, limit: number): number {
    const { start, end } = tokens;
    const wanted = this.#wanted;
    for (let i = 0; i < wanted.length; i++) end[wanted[i] as number] = 0;
    tokens.point(buf);
    const { view } = tokens;
    if (buf[from] !== 123) return -1;
    let at = from + 1;
    let seen = 0;
    let numeric = 0;
    const { number } = tokens;
    const stop = STOP;
    const sequence = this.#sequence;
    for (let field = 0; ; field++) {
      // Key, as predicted or looked up.
      let role: number;
      const expected = field < sequence.length ? sequence[field] : undefined;
      if (expected !== undefined && matches(buf, view, at, expected)) {
        role = expected.role;
        at += expected.length;
      } else {
        const keyEnd = this.#learn(buf, at, limit, field);
        if (keyEnd < 0) return -1;
        role = (sequence[field] as { role: number }).role;
        at = keyEnd;
      }
      if (buf[at] === 32) at++;
      if (role >= 0) {
        if ((seen & (1 << role)) !== 0) return -1;
        seen |= 1 << role;
      }
      // Value.
      const byte = buf[at] as number;
      if (byte === 34) {
        const valueStart = ++at;
        while (stop[buf[at] as number] === 0) at++;
        if (buf[at] !== 34) {
          // Bytes beyond ASCII are fine where nobody looks.
          if (role >= 0) return -1;
          while (stop[buf[at] as number] === 0 || (buf[at] as number) >= 128) at++;
          if (buf[at] !== 34) return -1;
        }
        if (role >= 0) {
          start[role] = valueStart;
          end[role] = at;
        }
        at++;
      } else if ((byte >= 48 && byte <= 57) || byte === 45) {
        const valueEnd = numberEnd(buf, at, limit, number, role < 0 ? UNWANTED : role);
        if (valueEnd < 0) return -1;
        if (role >= 0) {
          start[role] = at;
          end[role] = valueEnd;
          numeric |= 1 << role;
        }
        at = valueEnd;
      } else {
        at = literalEnd(buf, at);
        if (at < 0) return -1;
      }
      const after = buf[at];
      if (after === 44) {
        at++;
        if (buf[at] === 32) at++;
        continue;
      }
      if (after !== 125) return -1;
      at++;
      if (buf[at] === 13) at++;
      tokens.numeric = numeric;
      return at >= limit || buf[at] === 10 ? Math.min(at, limit) : -1;
    }
  }

  /** Reads the key at `at`, remembers it as the expectation for this place; returns where its value starts, or -1. */
  #learn(buf: Uint8Array, at: number, limit: number, field: number): number {
    if (buf[at] !== 34) return -1;
    let keyEnd = at + 1;
    while (keyEnd < limit && buf[keyEnd] !== 34) {
      const byte = buf[keyEnd] as number;
      if (byte === 92 || byte < 32 || byte > 126) return -1;
      keyEnd++;
    }
    if (buf[keyEnd + 1] !== 58) return -1;
    const name = Buffer.from(buf.subarray(at + 1, keyEnd)).toString('latin1');
    const role = this.#roles.get(name) ?? NOT_WANTED;
    const bytes = Uint8Array.from(buf.subarray(at, keyEnd + 2));
    if (field < 256) this.#sequence[field] = expectation(bytes, role);
    else return -1;
    return keyEnd + 2;
  }
}

/** A key with its quotes and colon, as words: the last one overlaps the one before; a longer key is compared byte by byte between. */
type Expectation = {
  readonly length: number;
  readonly first: number;
  readonly second: number;
  readonly last: number;
  readonly bytes: Uint8Array;
  readonly role: number;
};

/** `"":` alone is shorter than a word: such a key is always looked up. */
function expectation(bytes: Uint8Array, role: number): Expectation {
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const word = (at: number): number => (at >= 0 && at + 4 <= length ? view.getInt32(at, true) : 0);
  return { length, first: word(0), second: word(4), last: word(length - 4), bytes, role };
}

function matches(buf: Uint8Array, view: DataView, at: number, expected: Expectation): boolean {
  const { length } = expected;
  if (length < 4 || at + length > buf.length) return false;
  if (view.getInt32(at, true) !== expected.first || view.getInt32(at + length - 4, true) !== expected.last) return false;
  if (length <= 8) return true;
  if (view.getInt32(at + 4, true) !== expected.second) return false;
  const { bytes } = expected;
  for (let i = 8; i < length - 4; i++) if (buf[at + i] !== bytes[i]) return false;
  return true;
}

/** Bytes that end the plain part of a string: quote, backslash, control characters, bytes beyond ASCII. */
const STOP = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) STOP[byte] = byte < 32 || byte === 34 || byte === 92 || byte >= 128 ? 1 : 0;

/** Where the value of a number goes that plays no role. */
const UNWANTED = ROLES.length;
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/** The end of a JSON number of at most 15 digits without exponent, its value in `values[slot]`; -1 otherwise. Up to 15 digits the steps are exact. */
function numberEnd(buf: Uint8Array, from: number, limit: number, values: Float64Array, slot: number): number {
  let at = from;
  const isNegative = buf[at] === 45;
  if (isNegative) at++;
  const first = at;
  // Nine digits fit an integer; only longer numbers need the slower steps.
  let head = 0;
  const nine = first + 9 < limit ? first + 9 : limit;
  let digit = (buf[at] as number) - 48;
  while (digit >= 0 && digit <= 9 && at < nine) {
    head = (Math.imul(head, 10) + digit) | 0;
    digit = (buf[++at] as number) - 48;
  }
  let mantissa = head;
  while (digit >= 0 && digit <= 9 && at < limit) {
    mantissa = mantissa * 10 + digit;
    digit = (buf[++at] as number) - 48;
  }
  let digits = at - first;
  if (digits === 0 || (digits > 1 && buf[first] === 48)) return -1;
  if (buf[at] === 46) {
    const fraction = ++at;
    digit = (buf[at] as number) - 48;
    while (digit >= 0 && digit <= 9 && at < limit) {
      mantissa = mantissa * 10 + digit;
      digit = (buf[++at] as number) - 48;
    }
    const decimals = at - fraction;
    // JSON.parse would spell 5.0 as "5" and 0.0000001 as "1e-7".
    if (decimals === 0 || buf[at - 1] === 48 || (buf[first] === 48 && decimals > 6)) return -1;
    digits += decimals;
    if (digits > 15) return -1;
    mantissa /= POWERS[decimals] as number;
  } else if (isNegative && buf[first] === 48) return -1;
  if (digits > 15 || buf[at] === 101 || buf[at] === 69) return -1;
  values[slot] = isNegative ? -mantissa : mantissa;
  return at;
}

/** Behind true, false or null; such a value plays no role. */
function literalEnd(buf: Uint8Array, at: number): number {
  if (buf[at] === 116 && buf[at + 1] === 114 && buf[at + 2] === 117 && buf[at + 3] === 101) return at + 4;
  if (buf[at] === 110 && buf[at + 1] === 117 && buf[at + 2] === 108 && buf[at + 3] === 108) return at + 4;
  if (buf[at] === 102 && buf[at + 1] === 97 && buf[at + 2] === 108 && buf[at + 3] === 115 && buf[at + 4] === 101) return at + 5;
  return -1;
}

/** Exported for the table of visible fields. */
export function rolesOf(map: FlatMap): ReadonlySet<Role> {
  return new Set(ROLES.filter((role) => [...map.values()].includes(role)));
}
