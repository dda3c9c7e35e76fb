import { z } from 'zod';
import { Secret } from '../../../core/secret.ts';
import { SEVERITIES } from '../../../core/types.ts';
import { EMAIL_MIN_SEVERITY } from '../../route.ts';

const ADDRESS = /^[^\s@<>(),;:"]+@[^\s@<>(),;:"]+$/;
const address = z.string().regex(ADDRESS, { error: 'not a plain mail address like alerts@example.com' });

const RECIPIENTS_MAX = 50;
const IMPLICIT_TLS_PORT = 465;

/** One mail channel over SMTP. */
export const emailConfig = z
  .strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(587),
    /**
     * implicit: TLS from the first byte (port 465) · starttls: upgraded before anything else is said, or nothing is
     * sent · none: in the clear, for a relay on this machine. Default by port.
     */
    tls: z.enum(['implicit', 'starttls', 'none']).optional(),
    /** PEM of the authority that signed the server's certificate, where it is not a public one. */
    ca: z.string().optional(),
    auth: z.strictObject({ user: z.string().min(1), password: z.instanceof(Secret, { error: 'give the password as {file: …} or {env: …}' }) }).optional(),
    from: address,
    /** Shown before the address. */
    fromName: z.string().default('Keywatch'),
    to: z.array(address).min(1).max(RECIPIENTS_MAX),
    replyTo: address.optional(),
    /** Alerts below it are told in the digest only. */
    minSeverity: z.enum(SEVERITIES).default(EMAIL_MIN_SEVERITY),
    /** Milliseconds without a word from the server. */
    timeoutMs: z.int().min(100).max(25_000).default(20_000),
  })
  .refine((config) => tlsOf(config) !== 'none' || config.auth === undefined, {
    error: 'a password is not sent in the clear: use tls: starttls or implicit',
    path: ['tls'],
  });
export type EmailConfig = z.infer<typeof emailConfig>;

/** How the connection is protected. */
export function tlsOf(config: { readonly port: number; readonly tls?: 'implicit' | 'starttls' | 'none' | undefined }): 'implicit' | 'starttls' | 'none' {
  return config.tls ?? (config.port === IMPLICIT_TLS_PORT ? 'implicit' : 'starttls');
}
