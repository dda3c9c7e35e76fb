import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Secret } from '../../core/secret.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { CliError } from '../cli/errors.ts';

/** How a server proves who it is, and whom it lets in. PEM texts, not paths. */
export type ServerTls = {
  readonly cert: string;
  readonly key: Secret;
  /** With it only clients whose certificate this authority signed get as far as a request. */
  readonly clientCa: string | undefined;
};

/** Browsers and clients that were here once must not fall back to plain HTTP for a year. */
export const HSTS = 'max-age=31536000';

/** What `node:https` takes. Throws one line when certificate and key do not fit. `setting` is where they are configured. */
export function secureOptions(
  tls: ServerTls,
  setting: string,
): {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.3';
  readonly ca?: string;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
} {
  const options = {
    cert: tls.cert,
    key: tls.key.reveal(),
    minVersion: 'TLSv1.3',
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
  } as const;
  try {
    createSecureContext(options);
    return options;
  } catch {
    // OpenSSL's words name no setting, and its error carries the input.
    throw new CliError(
      `the certificate, its key or the authority of clients cannot be used: they must be PEM, and the key that of the certificate (${setting})`,
    );
  }
}

/** It is renewed in good time, or clients stand outside. */
const SOON_MS: DurationMs = 14 * 86_400_000;

/** What a person should know of the certificate now; undefined when it is fine. */
export function certificateTrouble(cert: string, now: EpochMs, setting: string): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  const day = validToDate.toISOString().slice(0, 10);
  if (validToDate.getTime() <= now) return `the certificate ended on ${day}: clients refuse it; renew it and restart (${setting})`;
  if (validFromDate.getTime() > now) return `the certificate begins on ${validFromDate.toISOString().slice(0, 10)} only: clients refuse it (${setting})`;
  return validToDate.getTime() - now < SOON_MS ? `the certificate ends on ${day}; renew it and restart (${setting})` : undefined;
}
