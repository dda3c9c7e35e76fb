import { z } from 'zod';
import { type ChannelTarget, PROGRAM_FIELDS, type SettingFields, isSafeUrl, targetOf } from '../channel.ts';

export function splunkFields<S extends z.ZodType, D extends z.ZodType, P extends z.ZodType>(fields: SettingFields<S, D, P>) {
  return {
    url: z
      .string()
      .refine(isSafeUrl, { error: 'expected an address such as https://splunk.example.com:8088' })
      .describe('Where the HTTP Event Collector listens.'),
    token: fields.secret('A token of the HTTP Event Collector.'),
    index: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]*$/, { error: 'expected the name of an index' })
      .describe('Default: the index of the token.')
      .optional(),
    retention: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,40}$/, { error: 'expected a short label such as 7y' })
      .describe('Label on every record (field retention), by which your Splunk decides how long it keeps it.')
      .prefault('7y'),
    acknowledge: z.boolean().describe('Wait until the indexers have it; for a token with indexer acknowledgement.').prefault(false),
    records: z.boolean().describe('Send every finding, alert and audit record, not only messages.').prefault(true),
    ca: fields.pem('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    timeout: fields.duration('How long the other side may be silent.', { min: 100, max: 25_000, preset: '15s' }),
  };
}

export const splunkConfig = z.strictObject(splunkFields(PROGRAM_FIELDS)).refine(({ token }) => /^[\x21-\x7e]{8,200}$/.test(token.reveal()), {
  error: 'not a token of the HTTP Event Collector',
  path: ['token'],
});
export type SplunkConfig = z.infer<typeof splunkConfig>;

export function splunkTargets({ url }: SplunkConfig): readonly ChannelTarget[] {
  return [targetOf(url)];
}
