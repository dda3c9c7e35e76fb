import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { PEPPER_BYTES } from '../../core/fingerprint.ts';
import type { Secret } from '../../core/secret.ts';

/** Version of the sealing, in front of every sealed text. */
const PREFIX = 'kws1.';
/** What makes this key another one than those for other uses of the pepper. */
const PURPOSE = 'keywatch dead letter v1';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts records that hold raw keys, so that they can wait outside the process until the cause is mended. Only who
 * has the pepper can open them (AES-256-GCM under a key derived from it by HKDF-SHA256), and a change is noticed.
 */
export class Sealer {
  readonly #key: KeyObject;

  constructor(pepper: Secret) {
    const bytes = Buffer.from(pepper.reveal(), 'base64');
    if (bytes.length < 16) throw new Error('the pepper is shorter than 16 bytes; make one with: openssl rand -base64 32');
    this.#key = createSecretKey(Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(PEPPER_BYTES), PURPOSE, 32)));
  }

  /** `kws1.` and base64url of nonce, cipher text and tag. Never the same text twice. */
  seal(bytes: Uint8Array): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(PREFIX));
    const body = [nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()];
    return PREFIX + Buffer.concat(body).toString('base64url');
  }

  /** What was sealed; undefined when the text was sealed with another pepper, changed or cut. */
  open(text: string): Uint8Array | undefined {
    if (!text.startsWith(PREFIX)) return undefined;
    const body = Buffer.from(text.slice(PREFIX.length), 'base64url');
    if (body.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(PREFIX));
    decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
    try {
      return new Uint8Array(Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, body.length - TAG_BYTES)), decipher.final()]));
    } catch {
      // The tag does not fit: that is the answer, there is no other fault here.
      return undefined;
    }
  }
}
