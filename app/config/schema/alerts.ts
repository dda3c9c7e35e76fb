import { z } from 'zod';
import type { ChannelKind } from '../../../alerts/notify/channel.ts';
import { CHANNEL_KINDS } from '../../../alerts/notify/registry.ts';
import { SEVERITIES } from '../../../core/types.ts';
import { duration, orOff, secretRef, text, textRef, webAddress } from './fields.ts';
import { routesSchema, timezone } from './routes.ts';

const name = text().describe('Name of the channel in this file, in messages and in the log.');
const MIN_SEVERITY = 'Less severe alerts are told in the daily digest only.';

/** The fields of channels as the file has them: secrets by reference, times with a unit, certificates by path. */
const FILE_FIELDS = {
  secret: secretRef,
  duration: (what: string, { min, max, preset }: { readonly min: number; readonly max: number; readonly preset: string }) =>
    duration({ min, max }).describe(what).prefault(preset),
  pem: textRef,
};

/** As each channel has it beside itself, with what all channels have. */
function channelSchema(kind: ChannelKind) {
  return z
    .strictObject({ name, ...kind.fields(FILE_FIELDS), minSeverity: z.enum(SEVERITIES).describe(MIN_SEVERITY).prefault(kind.minSeverity) })
    .describe(kind.summary);
}

const channelsSchema = z.strictObject(Object.fromEntries(CHANNEL_KINDS.map((kind) => [kind.kind, z.array(channelSchema(kind)).prefault([])])));

const stepsSchema = z.array(
  z.strictObject({
    after: duration({ max: 86_400_000 }).describe('Since it was told first, or got worse.'),
    channels: z.array(text()).min(1).describe('Names of channels. Default: those that were told already.').optional(),
    mention: z.boolean().describe('Call the people of the channel by name.').prefault(false),
  }),
);

export const alertsSchema = z
  .strictObject({
    channels: channelsSchema.describe('Who is told.').prefault({}),
    fallback: text().describe('Name of the channel that is told when another one cannot be reached.').optional(),
    routes: routesSchema.optional(),
    ownerMail: text()
      .describe("Name of the email channel whose mail server is used for routes to owner; the receiver is the key's contact. Default: the first one.")
      .optional(),
    survey: duration({ max: 7 * 86_400_000 })
      .describe(
        'How long a new installation only reports, in an hourly summary with suggested limits; what is far over a critical limit is told at once. 0: not at all.',
      )
      .prefault('24h'),
    escalation: z
      .strictObject({ critical: stepsSchema.optional(), high: stepsSchema.optional(), medium: stepsSchema.optional() })
      .describe(
        'What happens when nobody acknowledges. Default: people on duty are called by name, of a critical incident after 10 minutes, of a high one after 30.',
      )
      .prefault({}),
    links: z
      .strictObject({
        kibana: webAddress('https://kibana.example.com')
          .describe(
            'Where Kibana is, with its space (/s/name) if it is not the default one: messages link to the minutes of the key. Needs store.elasticsearch.',
          )
          .optional(),
        runbook: z
          .union([webAddress('https://wiki.example.com/api-keys'), z.record(text(), webAddress('https://wiki.example.com/api-keys'))], {
            error: 'expected an address such as https://wiki.example.com/api-keys, or one for each rule: {error_rate: https://…}',
          })
          .describe('What to do: one address, or one for each rule by its name; a rule that is not named has none.')
          .optional(),
      })
      .describe('Where messages lead, beside the dossier (publicUrl).')
      .prefault({}),
    watch: z
      .strictObject({
        deadManUrl: secretRef('Address of a service that calls people when nothing is heard: the process that judges asks for it once a minute.').optional(),
        silentAfter: orOff(duration({ min: 60_000 }))
          .describe('A source that brought records and brings none for so long is reported; or off.')
          .prefault('1h'),
      })
      .describe('Who watches Keywatch itself.')
      .prefault({}),
    digest: z
      .strictObject({
        enabled: z.boolean().prefault(true),
        at: z
          .string()
          .regex(/^(?:[01]?\d|2[0-3]):[0-5]\d$/, { error: 'expected a time of day such as 09:00' })
          .describe('Time of day.')
          .transform((time) => time.padStart(5, '0'))
          .prefault('09:00'),
        timezone: timezone.describe('Name of a time zone, or local.').prefault('local'),
      })
      .describe('The daily summary.')
      .prefault({}),
  })
  .prefault({});
