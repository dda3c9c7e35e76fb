import { readFileSync, statSync } from 'node:fs';
import { Secret } from '../../core/secret.ts';
import { systemReason } from '../cli/errors.ts';
import type { SecretRef } from './schema/fields.ts';

const SECRET_BYTES_MAX = 64 * 1024;

export type ReadSecret = { readonly ok: true; readonly secret: Secret } | { readonly ok: false; readonly message: string };

/** Reads what a reference points at. A line break at the end of a file is not part of the secret. */
export function readSecret(
  ref: SecretRef,
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly resolve: (path: string) => string },
): ReadSecret {
  if (ref.kind === 'env') {
    const value = options.env[ref.name];
    if (value === undefined || value === '')
      return { ok: false, message: `the environment variable ${ref.name} is ${value === undefined ? 'not set' : 'empty'}` };
    return { ok: true, secret: new Secret(value) };
  }
  const path = options.resolve(ref.name);
  try {
    if (statSync(path).size > SECRET_BYTES_MAX) return { ok: false, message: `${path} is too large for a secret` };
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (value.trim() === '') return { ok: false, message: `${path} is empty; it should hold the secret` };
    return { ok: true, secret: new Secret(value) };
  } catch (error) {
    return { ok: false, message: `cannot read the secret from ${path}: ${systemReason(error)}` };
  }
}
