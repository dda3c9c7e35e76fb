/**
 * Keeps secrets out of text that is stored: user agents, user names and host names can carry them. Known
 * prefixes of issued keys, and any run of 24 or more token characters that mixes letters and digits.
 */
const KNOWN_PREFIX =
  /\b(?:sk_live_|sk_test_|rk_live_|pk_live_|AKIA|ASIA|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abprs]-|zpka_|AIza|ya29\.|kw_live_|kw_test_|SG\.)[A-Za-z0-9_\-.]{6,}/g;
const LONG_TOKEN = /[A-Za-z0-9_\-+=]{24,}/g;
/** Unlike names of hosts and pods, which have dots and dashes every few characters. */
const LONG_WORD = /[A-Za-z0-9_]{24,}/g;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;
const SECRET_PARAMETER = /((?:api[_-]?key|access[_-]?token|token|secret|password|authorization|bearer|subscription-key)["']?\s*[=:]\s*["']?)[^\s&;,"']+/gi;

export const REDACTED = '<redacted>';

export function redactText(text: string): string {
  return redactName(text).replace(LONG_TOKEN, (run) => (isMixed(run) ? REDACTED : run));
}

/** For names that somebody gave (routes, hosts): they may be long and hold digits, so only what is surely a key goes. */
export function redactName(text: string): string {
  return text.replace(SECRET_PARAMETER, `$1${REDACTED}`).replace(KNOWN_PREFIX, REDACTED);
}

/** Whether a word without blanks is a key in a place where keys have no business, such as that of an address. */
export function looksLikeKey(word: string): boolean {
  return redactName(word) !== word || UUID.test(word) || (word.match(LONG_WORD) ?? []).some(isMixed);
}

function isMixed(run: string): boolean {
  return /\d/.test(run) && /[A-Za-z]/.test(run);
}

const AGENT_BYTES_MAX = 96;
const USER_BYTES_MAX = 64;
// C0, C1, zero-width and bidirectional controls, and the replacement character of broken UTF-8.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is removed
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]/g;

export function canonicalAgent(raw: string): string {
  if (raw === '-') return '';
  return cutBytes(redactText(raw.replace(CONTROLS, ' ').trim()), AGENT_BYTES_MAX);
}

export function canonicalUser(raw: string): string {
  if (raw === '-') return '';
  return cutBytes(redactText(raw.replace(CONTROLS, ' ').trim()), USER_BYTES_MAX);
}

/** The longest prefix of at most `max` UTF-8 bytes that cuts no character. */
export function cutBytes(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text;
  const bytes = Buffer.from(text);
  let end = max;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
