import { z } from 'zod';
import { SEVERITIES, type Severity } from '../../../core/types.ts';
import { count, secretRef, text } from './fields.ts';

const severity = z.enum(SEVERITIES as readonly [Severity, ...Severity[]]);

const slackSchema = z
  .strictObject({
    name: text().describe('Name of the channel in this file, in messages and in the log.'),
    url: secretRef('The incoming webhook.'),
    minSeverity: severity.describe('Less severe alerts are not sent here.').prefault('medium'),
  })
  .describe('A Slack channel by incoming webhook.');

const emailSchema = z
  .strictObject({
    name: text().describe('Name of the channel in this file, in messages and in the log.'),
    host: text().describe('SMTP server.'),
    port: count({ min: 1, max: 65_535 }).prefault(587),
    secure: z.boolean().describe('TLS from the first byte (port 465); otherwise STARTTLS.').prefault(false),
    user: text().optional(),
    password: secretRef('Password of user.').optional(),
    from: text(),
    to: z.array(text()).min(1),
    minSeverity: severity.describe('Less severe alerts are not sent here.').prefault('medium'),
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
