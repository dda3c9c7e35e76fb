import { hashView, hashLanes } from '../../core/hash.ts';
import { HashTable } from './hash-table.ts';
import { redactName } from '../redact.ts';
import { Terms } from './terms.ts';

// Classes of path bytes, or-ed over a path segment.
const LETTER_LOWER = 1;
const LETTER_UPPER = 2;
const DIGIT = 4;
const DASH = 8;
const OTHER = 16;
const HEX_LETTER = 32;
const NON_HEX_LETTER = 64;
const AT = 128;
const DOT = 256;
/** `/` ends a segment; `?` and `#` end the path. */
const SLASH = 512;
const END = 1024;

const CLASS = new Uint16Array(256).fill(OTHER);
for (let byte = 97; byte <= 122; byte++) CLASS[byte] = LETTER_LOWER | (byte <= 102 ? HEX_LETTER : NON_HEX_LETTER);
for (let byte = 65; byte <= 90; byte++) CLASS[byte] = LETTER_UPPER | (byte <= 70 ? HEX_LETTER : NON_HEX_LETTER);
for (let byte = 48; byte <= 57; byte++) CLASS[byte] = DIGIT;
CLASS[45] = DASH;
CLASS[95] = DASH;
CLASS[46] = DOT;
CLASS[64] = AT;
CLASS[63] = END;
CLASS[35] = END;
CLASS[47] = SLASH;

const SLASH_BYTE = 47;
/** A literal-only route and its like that are remembered; attackers can make up as many as they want. */
const KNOWN_MAX = 8192;

// What a path segment becomes; the number of its text in PLACEHOLDERS. A long word in mixed case is replaced too, but is no object.
const LITERAL = 0;
const ID = 1;
const UUID = 2;
const HASH = 3;
const DATE = 4;
const EMAIL = 5;
const TOKEN = 6;
const ULID = 7;
const TOKEN_WORD = 8;
const PLACEHOLDERS: readonly Uint8Array[] = ['', '{id}', '{uuid}', '{hash}', '{date}', '{email}', '{token}', '{ulid}', '{token}'].map((text) =>
  Buffer.from(text),
);

/** Longer paths end in `/…`: attackers choose them. */
const TEMPLATE_BYTES_MAX = 120;
const SEGMENTS_MAX = 12;

/**
 * Turns a path into its route template, byte by byte and without looking at other paths: numbers, UUIDs,
 * hashes, dates, e-mail addresses, ULIDs and long tokens become placeholders, so a secret in the path does
 * not survive. Also gives the hash of the last replaced value: the object that was accessed.
 */
export class Routes {
  readonly terms = new Terms((raw) => redactName(raw.replace(/[^\x21-\x7e]/g, '?')));
  /** The object of the path last templated; both 0 when it has none. */
  objectHi = 0;
  objectLo = 0;
  /** Where the path last templated ended: at its query, its fragment or the end given. */
  pathEnd = 0;
  /** False leaves the object out: a report does not show it. */
  hasObjects = true;
  /** Route numbers by the hash of a path's literal part: most paths are a known prefix and an identifier. */
  readonly #known = new HashTable(1024);
  readonly #scratch = new Uint8Array(TEMPLATE_BYTES_MAX + 64);
  /** Identifiers in the path last templated in full. */
  #replaced = 0;
  /** It was too long to be kept whole. */
  #isCut = false;
  readonly #scratchView = new DataView(this.#scratch.buffer);

  clear(): void {
    this.terms.clear();
    this.#known.clear();
  }

  /** The number of the template of the path that starts the target `bytes[start, end)`. */
  template(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    this.objectHi = 0;
    this.objectLo = 0;
    let at = start;
    let lastSlash = -1;
    let classes = 0;
    let klass = 0;
    while (at < end) {
      klass = CLASS[bytes[at] as number] as number;
      if (klass >= SLASH) {
        if (klass === END) break;
        lastSlash = at;
        classes = 0;
      } else classes |= klass;
      at++;
    }
    this.pathEnd = at;
    if (lastSlash < 0 || bytes[start] !== SLASH_BYTE) return this.#full(bytes, view, start, end);
    const from = lastSlash + 1;
    const kind = placeholderOf(bytes, from, at, classes);
    // What stays the same: the prefix where the last segment is replaced, else the whole path.
    hashView(bytes, view, start, kind === LITERAL ? at : from);
    const hi = hashLanes.hi ^ kind;
    const { lo } = hashLanes;
    const known = this.#known.find(hi, lo);
    if (known < 0) {
      const route = this.#full(bytes, view, start, end);
      // With an identifier before the last segment the prefix is another one every time.
      const isRepeated = !this.#isCut && this.#replaced === (kind === LITERAL || kind === TOKEN_WORD ? 0 : 1);
      if (isRepeated && this.#known.size < KNOWN_MAX) this.#known.insert(hi, lo, route);
      return route;
    }
    if (kind !== LITERAL && kind !== TOKEN_WORD && this.hasObjects) {
      hashView(bytes, view, from, at);
      this.objectHi = hashLanes.hi;
      this.objectLo = hashLanes.lo;
    }
    return known;
  }

  /** The number of a route as a gateway names it. A path or URL in that place is templated, so that neither its query nor its identifiers stay. */
  named(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    if (isPath(bytes, start, end)) return this.template(bytes, view, start, end);
    return this.terms.intern(bytes, view, start, Math.min(end, start + TEMPLATE_BYTES_MAX));
  }

  #full(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    this.#replaced = 0;
    this.#isCut = false;
    this.pathEnd = end;
    if (end <= start) return 0;
    const out = this.#scratch;
    let length = 0;
    let at = start;
    let segments = 0;
    // An absolute URL (HTTP/2 in some gateways): the path begins after the authority.
    if (bytes[at] !== 47) at = skipAuthority(bytes, at, end);
    while (at < end) {
      if (bytes[at] === 47) {
        out[length++] = 47;
        at++;
        continue;
      }
      const from = at;
      let classes = 0;
      let klass = 0;
      while (at < end) {
        klass = CLASS[bytes[at] as number] as number;
        if (klass >= SLASH) break;
        classes |= klass;
        at++;
      }
      const to = at;
      if (klass === END && at < end) {
        this.pathEnd = at;
        end = at;
      }
      const kind = placeholderOf(bytes, from, to, classes);
      if (kind === LITERAL) {
        const room = Math.min(to, from + TEMPLATE_BYTES_MAX - length);
        if (room < to) this.#isCut = true;
        for (let i = from; i < room; i++) out[length++] = bytes[i] as number;
      } else {
        const placeholder = PLACEHOLDERS[kind] as Uint8Array;
        for (let i = 0; i < placeholder.length; i++) out[length++] = placeholder[i] as number;
        if (kind !== TOKEN_WORD) {
          this.#replaced++;
          if (this.hasObjects) {
            hashView(bytes, view, from, to);
            this.objectHi = hashLanes.hi;
            this.objectLo = hashLanes.lo;
          }
        }
      }
      if (++segments >= SEGMENTS_MAX || length >= TEMPLATE_BYTES_MAX) {
        if (at < end) {
          this.#isCut = true;
          if (length > TEMPLATE_BYTES_MAX) length = TEMPLATE_BYTES_MAX;
          out[length++] = 47;
          out[length++] = 42;
        }
        while (at < end && CLASS[bytes[at] as number] !== END) at++;
        this.pathEnd = at;
        break;
      }
    }
    if (length === 0) return 0;
    for (let i = 0; i < length; i++) {
      const byte = out[i] as number;
      // Not printable ASCII: hostile or broken; one mark stands for it.
      if (byte < 33 || byte > 126) out[i] = 63;
    }
    return this.terms.intern(out, this.#scratchView, 0, length);
  }
}

/** A path, with or without a host in front, or anything with a query. */
export function isPath(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === SLASH_BYTE) return true;
  for (let i = start; i < end; i++) {
    if (bytes[i] === 63 || (bytes[i] === 58 && bytes[i + 1] === SLASH_BYTE && bytes[i + 2] === SLASH_BYTE)) return true;
  }
  return false;
}

function skipAuthority(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end - 2; i++) {
    if (bytes[i] === 58 && bytes[i + 1] === 47 && bytes[i + 2] === 47) {
      let at = i + 3;
      while (at < end && bytes[at] !== 47) at++;
      return at;
    }
  }
  return start;
}

/** What the segment `bytes[start, end)` becomes, by its bytes alone. */
function placeholderOf(bytes: Uint8Array, start: number, end: number, classes: number): number {
  const length = end - start;
  if ((classes & ~(LETTER_LOWER | LETTER_UPPER | HEX_LETTER | NON_HEX_LETTER | DASH)) === 0) {
    return length >= 32 && (classes & (LETTER_LOWER | LETTER_UPPER)) === 3 ? TOKEN_WORD : LITERAL;
  }
  if ((classes & AT) !== 0 || hasEncodedAt(bytes, start, end, classes)) return EMAIL;
  if (classes === DIGIT) return ID;
  if ((classes & DIGIT) === 0) return LITERAL;
  const isHexOnly = (classes & ~(DIGIT | LETTER_LOWER | LETTER_UPPER | HEX_LETTER)) === 0;
  const letters = classes & (LETTER_LOWER | LETTER_UPPER);
  if ((classes & OTHER) === 0 && (classes & DOT) === 0) {
    if (
      length === 36 &&
      bytes[start + 8] === 45 &&
      bytes[start + 13] === 45 &&
      bytes[start + 18] === 45 &&
      bytes[start + 23] === 45 &&
      (classes & NON_HEX_LETTER) === 0
    ) {
      return UUID;
    }
    if (length === 10 && bytes[start + 4] === 45 && bytes[start + 7] === 45 && letters === 0) return DATE;
    if (isHexOnly && length >= 8 && letters !== 3) return HASH;
    if (length === 26 && (classes & DASH) === 0 && letters === LETTER_UPPER && (bytes[start] as number) <= 55) return ULID;
    // Numbers with separators, as order or phone numbers are written: 2024-001, 17_3.
    if (letters === 0) return ID;
    // A version: v1, v2beta is a literal.
    if (length <= 8 && (bytes[start] === 118 || bytes[start] === 86)) return LITERAL;
    if (length >= 20) return TOKEN;
    return digitsIn(bytes, start, end) >= 4 ? ID : LITERAL;
  }
  if ((classes & DOT) !== 0 && letters === 0 && (classes & OTHER) === 0) return ID;
  if (length >= 24) return TOKEN;
  return digitsIn(bytes, start, end) >= 4 ? ID : LITERAL;
}

function digitsIn(bytes: Uint8Array, start: number, end: number): number {
  let digits = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte >= 48 && byte <= 57) digits++;
  }
  return digits;
}

function hasEncodedAt(bytes: Uint8Array, start: number, end: number, classes: number): boolean {
  if ((classes & OTHER) === 0) return false;
  for (let i = start; i < end - 2; i++) if (bytes[i] === 37 && bytes[i + 1] === 52 && bytes[i + 2] === 48) return true;
  return false;
}
