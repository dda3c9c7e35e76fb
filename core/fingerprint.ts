import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from './secret.ts';

/** Version of the pepper scheme, part of every fingerprint. */
export const FINGERPRINT_VERSION = 'kf1';
export const PEPPER_BYTES = 32;

/**
 * The keyed hash of secrets: `kf1_` and 32 hex digits, the first 128 bits of HMAC-SHA256(pepper, secret).
 * Without the pepper a stolen index cannot be tested against guessed keys.
 */
export class Fingerprinter {
  // A KeyObject: with a Buffer as the secret each call takes six times as long (notes/measured.md).
  readonly #key: KeyObject;

  constructor(pepper: Secret) {
    const bytes = Buffer.from(pepper.reveal(), 'base64');
    if (bytes.length < 16) throw new Error('the pepper is shorter than 16 bytes; make one with: openssl rand -base64 32');
    this.#key = createSecretKey(bytes);
  }

  fingerprint(secret: Uint8Array | string): string {
    return `${FINGERPRINT_VERSION}_${createHmac('sha256', this.#key).update(secret).digest('hex').slice(0, 32)}`;
  }

  /** Tells two peppers apart without telling anything about either. */
  checkValue(): string {
    return createHmac('sha256', this.#key).update('keywatch pepper check').digest('hex').slice(0, 16);
  }
}

export function isFingerprint(text: string): boolean {
  return /^kf1_[0-9a-f]{32}$/.test(text);
}
