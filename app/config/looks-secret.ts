import { isFingerprint } from '../../core/fingerprint.ts';

/**
 * Tells raw secrets from public ids in places where only ids belong. A wrong "yes" costs the operator a
 * `publicId: true`; a wrong "no" puts a working key into a file that gets copied around. So: known ids are let
 * through, known secrets refused, and of the rest long random-looking tokens are refused.
 */
export function looksLikeSecret(text: string): boolean {
  const plain = text.trim();
  if (isFingerprint(plain) || PUBLIC_IDS.some((pattern) => pattern.test(plain))) return false;
  return SECRETS.some((pattern) => pattern.test(plain)) || plain.split(/[\s,;:@"'=&?]+/).some(isRandomToken);
}

const PUBLIC_IDS: readonly RegExp[] = [
  /** UUID, also in braces: Kong, Google, Azure. */
  /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i,
  /** ULID. */
  /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
  /** MongoDB object id (APIM subscriptions, Gravitee). */
  /^[0-9a-f]{24}$/,
  /** AWS access key ids are public; the secret is another string. */
  /^(?:AKIA|ASIA)[A-Z2-7]{16}$/,
  /** Ids that say so. */
  /^(?:key|kid|cred|app|sub|client|consumer|api)_(?!live_|test_|prod_|secret_|key_)[A-Za-z0-9]{6,32}$/,
  /** Whole entity ids: what `analyze --suggest` prints for clients and users. */
  /^(?:client|user|network):/,
  /^\d+$/,
];

const SECRETS: readonly RegExp[] = [
  /[a-z]{2,}[_-](?:live|secret)[_-](?=[a-z0-9]*\d)[a-z0-9]{8,}/i,
  /[a-z]{2,}_(?:test|prod)_(?=[a-z0-9]*\d)[a-z0-9]{12,}/i,
  /\bsk[-_][A-Za-z0-9_-]{16,}/,
  /\bwhsec_[A-Za-z0-9]{12,}/,
  /\bgh[pousr]_[A-Za-z0-9]{16,}/,
  /\bgithub_pat_[A-Za-z0-9_]{16,}/,
  /\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{16,}/,
  /\bx(?:ox[a-z]|app)-[A-Za-z0-9-]{10,}/,
  /\bzpka_[A-Za-z0-9_]{10,}/,
  /\bAIza[A-Za-z0-9_-]{30,}/,
  /\bya29\.[A-Za-z0-9_-]{16,}/,
  /\bSG\.[A-Za-z0-9_-]{16,}/,
  /\bnpm_[A-Za-z0-9]{20,}/,
  /\bpypi-[A-Za-z0-9_-]{20,}/,
  /\bhf_[A-Za-z0-9]{20,}/,
  /\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}/,
  /\bkey-[0-9a-f]{24,}/,
  /** JSON web tokens and other base64 of `{"`. */
  /\beyJ[A-Za-z0-9_-]{10,}/,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\b(?:bearer|basic)\s+[A-Za-z0-9+/=_.~-]{8,}/i,
  /\bhooks\.slack\.com\/(?:services|workflows|triggers)\//i,
  /:\/\/[^/\s:@]+:[^/\s@]+@/,
];

/** Shorter tokens cannot be told from names. */
const TOKEN_LENGTH_MIN = 20;
/** Bits per character: hex digits at random come to about 3.5 at 32 characters, words to less when they repeat. */
const TOKEN_ENTROPY_MIN = 3;

function isRandomToken(token: string): boolean {
  if (token.length < TOKEN_LENGTH_MIN || !/\d/.test(token) || !/[A-Za-z]/.test(token) || entropyOf(token) < TOKEN_ENTROPY_MIN) return false;
  // `billing-export-eu-west-1-v2` is words and numbers; in a secret letters and digits are mixed.
  const parts = token.split(/[-_./+]+/);
  const wordLength = parts.filter(isWord).reduce((sum, word) => sum + word.length, 0);
  return wordLength * 2 < parts.join('').length;
}

/** `production`, `v2`, `2026`, `eu1`, `BillingExport`; not `wJalrXUtnFEMI`, which changes case too often. */
function isWord(part: string): boolean {
  if (/^(?:\d{1,8}|v\d+)$/.test(part)) return true;
  const [, letters = ''] = /^([A-Za-z]+)\d{0,4}$/.exec(part) ?? [];
  return letters !== '' && letters.length >= (letters.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)?.length ?? 0) * 3;
}

function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
