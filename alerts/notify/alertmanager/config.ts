import { z } from 'zod';
import { type ChannelTarget, PROGRAM_FIELDS, type SettingFields, targetOf } from '../channel.ts';

const INSTANCES_MAX = 10;

/** http too: an Alertmanager inside a network mostly has no TLS. With a token or a password it must have it. */
function isBaseUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).username === '';
}

export function alertmanagerFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    urls: z
      .array(z.string().refine(isBaseUrl, { error: 'expected an address such as http://alertmanager:9093, without a user in it' }))
      .min(1)
      .max(INSTANCES_MAX)
      .describe('Addresses of all instances, with the path before /api/v2 where there is one. Each is told; one that takes it is enough.'),
    token: fields.secret('Bearer token, where a proxy asks for one.').optional(),
    basicAuth: z
      .strictObject({ user: z.string().min(1), password: fields.secret('The password of user.') })
      .describe('User and password instead of a token.')
      .optional(),
    labels: z
      .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, { error: 'a label is made of letters, digits and _' }), z.string().min(1).max(200))
      .describe('Put on every alert, for your routes.')
      .prefault({}),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '10s' }),
  };
}

export const alertmanagerConfig = z
  .strictObject(alertmanagerFields(PROGRAM_FIELDS))
  .refine(({ token, basicAuth }) => token === undefined || basicAuth === undefined, { error: 'give a token or basicAuth, not both', path: ['token'] })
  .refine(
    ({ token, basicAuth, urls }) =>
      (token === undefined && basicAuth === undefined) ||
      urls.every((url) => new URL(url).protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname)),
    { error: 'a token or a password is not sent in the clear: use https://', path: ['urls'] },
  );
export type AlertmanagerConfig = z.infer<typeof alertmanagerConfig>;

export function alertmanagerTargets({ urls }: AlertmanagerConfig): readonly ChannelTarget[] {
  return urls.map(targetOf);
}
