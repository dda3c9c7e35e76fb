import { z } from 'zod';
import { emailConfig } from '../../../alerts/notify/email/config.ts';
import { slackConfig } from '../../../alerts/notify/slack/config.ts';
import { duration, secretRef, text } from './fields.ts';

const name = text().describe('Name of the channel in this file, in messages and in the log.');
const MIN_SEVERITY = 'Less severe alerts are told in the daily digest only.';

/** How long the other side may be silent. */
function timeout(preset: string): z.ZodType<number, string | number | undefined> {
  return duration({ min: 100, max: 25_000 }).describe('How long the other side may be silent.').prefault(preset);
}

/** As `slackConfig` has it beside the channel, with a name, a reference instead of the secret, and a unit for the time. */
const slackSchema = z
  .strictObject({
    name,
    webhookUrl: secretRef('The incoming webhook; whoever has it can post.'),
    minSeverity: slackConfig.shape.minSeverity.describe(MIN_SEVERITY),
    timeout: timeout('10s'),
  })
  .describe('A Slack channel by incoming webhook.');

/** As `emailConfig` has it beside the channel. */
const emailSchema = z
  .strictObject({
    name,
    host: emailConfig.shape.host.describe('SMTP server.'),
    port: emailConfig.shape.port,
    tls: emailConfig.shape.tls.describe(
      'implicit: TLS from the first byte. starttls: upgraded before anything is said. none: in the clear, for a relay on this machine. Default by port.',
    ),
    ca: text().describe('Path of a PEM file with the authority of the server, where it is not a public one.').optional(),
    auth: z
      .strictObject({ user: text(), password: secretRef('The password of user.') })
      .describe('Who sends.')
      .optional(),
    from: emailConfig.shape.from.describe('Address of the sender.'),
    fromName: emailConfig.shape.fromName.describe('Shown before the address.'),
    to: emailConfig.shape.to.describe('Addresses of the receivers.'),
    replyTo: emailConfig.shape.replyTo,
    minSeverity: emailConfig.shape.minSeverity.describe(MIN_SEVERITY),
    timeout: timeout('20s'),
  })
  .describe('Mail to people.');

const timezone = text().check((context) => {
  if (context.value === 'local') return;
  try {
    Intl.DateTimeFormat('en', { timeZone: context.value });
  } catch {
    context.issues.push({ code: 'custom', input: context.value, message: 'no such time zone; expected a name such as Europe/Berlin, UTC, or local' });
  }
});

export const alertsSchema = z
  .strictObject({
    channels: z
      .strictObject({ slack: z.array(slackSchema).prefault([]), email: z.array(emailSchema).prefault([]) })
      .describe('Who is told.')
      .prefault({}),
    fallback: text().describe('Name of the channel that is told when another one cannot be reached.').optional(),
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
