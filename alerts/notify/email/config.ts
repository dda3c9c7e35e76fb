import { z } from 'zod';
import { PROGRAM_FIELDS, type SettingFields } from '../channel.ts';

const ADDRESS = /^[^\s@<>(),;:"]+@[^\s@<>(),;:"]+$/;
const address = z.string().regex(ADDRESS, { error: 'not a plain mail address like alerts@example.com' });

const RECIPIENTS_MAX = 50;
const IMPLICIT_TLS_PORT = 465;

export function emailFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    host: z.string().min(1).describe('SMTP server.'),
    port: z.int().min(1).max(65_535).default(587),
    tls: z
      .enum(['implicit', 'starttls', 'none'])
      .describe(
        'implicit: TLS from the first byte. starttls: upgraded before anything is said. none: in the clear, for a relay on this machine. Default by port.',
      )
      .optional(),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    auth: z
      .strictObject({ user: z.string().min(1), password: fields.secret('The password of user.') })
      .describe('Who sends.')
      .optional(),
    from: address.describe('Address of the sender.'),
    fromName: z.string().default('Keywatch').describe('Shown before the address.'),
    to: z.array(address).min(1).max(RECIPIENTS_MAX).describe('Addresses of the receivers.'),
    replyTo: address.optional(),
    dkim: z
      .strictObject({
        domain: z
          .string()
          .regex(/^[A-Za-z0-9.-]+\.[A-Za-z0-9-]+$/, { error: 'expected a domain such as example.com' })
          .describe('Domain of the sender that the key is published under.'),
        selector: z
          .string()
          .regex(/^[A-Za-z0-9._-]+$/, { error: 'expected a name of letters, digits, dots and dashes' })
          .describe('Name of the key: <selector>._domainkey.<domain>.'),
        privateKey: fields.secret('The private key as PEM.'),
      })
      .describe('Signs each mail, where the mail server does not.')
      .optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '20s' }),
  };
}

/** One mail channel over SMTP. */
export const emailConfig = z
  .strictObject(emailFields(PROGRAM_FIELDS))
  .refine((config) => tlsOf(config) !== 'none' || config.auth === undefined, {
    error: 'a password is not sent in the clear: use tls: starttls or implicit',
    path: ['tls'],
  })
  .refine((config) => config.dkim === undefined || /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(config.dkim.privateKey.reveal()), {
    error: 'not a private key in PEM form',
    path: ['dkim', 'privateKey'],
  });
export type EmailConfig = z.infer<typeof emailConfig>;

/** How the connection is protected. */
export function tlsOf(config: { readonly port: number; readonly tls?: 'implicit' | 'starttls' | 'none' | undefined }): 'implicit' | 'starttls' | 'none' {
  return config.tls ?? (config.port === IMPLICIT_TLS_PORT ? 'implicit' : 'starttls');
}
