import { z } from 'zod';
import { type ChannelTarget, PROGRAM_FIELDS, type SettingFields, isSafeUrl, targetOf } from '../channel.ts';

/** Bytes of a key: less is guessed, more is no better. */
const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;

export function webhookFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    url: fields.secret('Where to post: https://…, or http:// to this machine.'),
    secret: fields.secret(
      'Signs each post: whsec_ and base64 of 24 to 64 random bytes. With two in the file, separated by a blank, both sign: for a change of keys.',
    ),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '15s' }),
  };
}

export const webhookConfig = z
  .strictObject(webhookFields(PROGRAM_FIELDS))
  .refine(({ url }) => isSafeUrl(url.reveal()), { error: 'not an https:// address (http:// only to this machine)', path: ['url'] })
  .refine(({ secret }) => signingKeys(secret.reveal()) !== undefined, {
    error: `expected whsec_ and base64 of ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} random bytes; make one with: echo "whsec_$(openssl rand -base64 32)"`,
    path: ['secret'],
  });
export type WebhookConfig = z.infer<typeof webhookConfig>;

/** The keys of one or two secrets; undefined when one is not right. */
export function signingKeys(text: string): readonly Buffer[] | undefined {
  const parts = text.trim().split(/\s+/);
  const keys = parts.map((part) => {
    const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(part) ?? [];
    return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
  });
  if (keys.length > 2) return undefined;
  return keys.every((key) => key !== undefined && key.length >= KEY_BYTES_MIN && key.length <= KEY_BYTES_MAX)
    ? keys.flatMap((key) => (key === undefined ? [] : [key]))
    : undefined;
}

export function webhookTargets({ url }: WebhookConfig): readonly ChannelTarget[] {
  return [targetOf(url.reveal())];
}
