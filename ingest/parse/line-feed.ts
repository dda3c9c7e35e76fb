export const LINE_FEED = 10;

/** The scanners stop at a line feed; the last line of a finished stream may have none. */
export function withLineFeed(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 || bytes[bytes.length - 1] === LINE_FEED) return bytes;
  const whole = new Uint8Array(bytes.length + 1);
  whole.set(bytes);
  whole[bytes.length] = LINE_FEED;
  return whole;
}
