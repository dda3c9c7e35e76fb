import { z } from 'zod';
import { type ChannelTarget, PROGRAM_FIELDS, type SettingFields, isSafeUrl, targetOf } from '../channel.ts';

export function pagerdutyFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    routingKey: fields.secret('The integration key of an “Events API v2” integration.'),
    url: z
      .string()
      .refine(isSafeUrl, { error: 'expected an https:// address' })
      .describe('Where the Events API is; https://events.eu.pagerduty.com for accounts in the EU.')
      .prefault('https://events.pagerduty.com'),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '15s' }),
  };
}

export const pagerdutyConfig = z.strictObject(pagerdutyFields(PROGRAM_FIELDS)).refine(({ routingKey }) => /^[A-Za-z0-9]{32}$/.test(routingKey.reveal()), {
  error: 'not an integration key of the Events API v2 (32 letters and digits)',
  path: ['routingKey'],
});
export type PagerdutyConfig = z.infer<typeof pagerdutyConfig>;

export function pagerdutyTargets({ url }: PagerdutyConfig): readonly ChannelTarget[] {
  return [targetOf(url)];
}
