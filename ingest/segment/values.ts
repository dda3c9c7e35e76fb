/**
 * What the value of a record may hold: one event, lines, or a JSON array of events. Cut in place, without copying: the
 * element scanner knows strings and brackets and nothing else, whether an element is an event is for the format to say.
 */
const LINE_FEED = 10;
const BLANK = 32;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const ARRAY = 91;
const ARRAY_END = 93;
const OBJECT = 123;
const OBJECT_END = 125;

/** Whether a value is cut into elements: a JSON array, or an object printed over several lines. */
export function hasElements(bytes: Uint8Array, start: number, end: number): boolean {
  // The usual value, told apart by two bytes.
  if (bytes[start] === OBJECT && (bytes[start + 1] as number) >= BLANK) return false;
  const at = skipBlank(bytes, start, end);
  const first = bytes[at];
  if (first === ARRAY) {
    const inside = bytes[skipBlank(bytes, at + 1, end)];
    return inside === OBJECT || inside === ARRAY_END || inside === ARRAY;
  }
  return first === OBJECT && (bytes[at + 1] === LINE_FEED || bytes[at + 1] === CARRIAGE_RETURN);
}

/** Whether a value holds more than one event, or may: a function of its bytes that no parser is asked for. */
export function isPacked(bytes: Uint8Array, start: number, end: number): boolean {
  if (hasElements(bytes, start, end)) return bytes[skipBlank(bytes, start, end)] === ARRAY;
  let last = end;
  while (last > start && isBlank(bytes[last - 1] as number)) last--;
  const feed = bytes.indexOf(LINE_FEED, skipBlank(bytes, start, end));
  return feed >= 0 && feed < last;
}

/** Hands out every element of a list, each ended by a line feed while it is looked at. */
export function eachElement(bytes: Uint8Array, start: number, end: number, visit: (start: number, end: number) => void): void {
  for (let at = elementStart(bytes, start, end); at >= 0;) {
    const stop = elementEnd(bytes, at, end);
    const behind = bytes[stop] as number;
    bytes[stop] = LINE_FEED;
    visit(at, stop);
    bytes[stop] = behind;
    at = elementStart(bytes, stop, end);
  }
}

/** Where the next element begins, -1 when there is none. Brackets between elements do not count: nested arrays are one list. */
function elementStart(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (!isBlank(byte) && byte !== COMMA && byte !== ARRAY && byte !== ARRAY_END) return at;
  }
  return -1;
}

/**
 * Behind the element that begins at `from`: an object ends with its bracket, anything else before the next comma or
 * bracket, and what is not finished at `end`. Line breaks between its tokens become blanks, so that it is one line.
 */
function elementEnd(bytes: Uint8Array, from: number, end: number): number {
  let depth = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = stringEnd(bytes, at + 1, end);
      continue;
    }
    if (byte === OBJECT || byte === ARRAY) depth++;
    else if (byte === OBJECT_END || byte === ARRAY_END) {
      if (depth === 0) return at === from ? at + 1 : at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || isBlank(byte))) return at;
    else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) bytes[at] = BLANK;
  }
  return end;
}

/** Whether a list that ends at `end` was closed: one without elements is then empty, and not cut off. */
export function isClosed(bytes: Uint8Array, start: number, end: number): boolean {
  let at = end - 1;
  while (at > start && isBlank(bytes[at] as number)) at--;
  return bytes[at] === ARRAY_END;
}

/** The place of the closing quote, or `end`. */
function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return end;
}

function skipBlank(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(bytes[at] as number)) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === BLANK || (byte >= 9 && byte <= 13);
}
