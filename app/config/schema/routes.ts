import { z } from 'zod';
import { matcherFault } from '../../../alerts/matchers.ts';
import { WEEKDAYS } from '../../../alerts/quiet-hours.ts';
import type { Matcher } from '../../../core/operator.ts';
import { SEVERITIES } from '../../../core/types.ts';
import { parseMatcher } from '../../operate/matchers.ts';
import { text } from './fields.ts';

/** A name of a time zone, or `local`. */
export const timezone = text().check((context) => {
  if (context.value === 'local') return;
  try {
    Intl.DateTimeFormat('en', { timeZone: context.value });
  } catch {
    context.issues.push({ code: 'custom', input: context.value, message: 'no such time zone; expected a name such as Europe/Berlin, UTC, or local' });
  }
});

/** Minutes after midnight. */
const timeOfDay = z
  .string()
  .regex(/^(?:[01]?\d|2[0-3]):[0-5]\d$/, { error: 'expected a time of day such as "07:00", in quotes' })
  .transform((time) => {
    const [hour = '0', minute = '0'] = time.split(':');
    return Number(hour) * 60 + Number(minute);
  });

/** `team = payments`. */
const matcher = z.string().transform((input, context): Matcher => {
  const found = parseMatcher(input.replace(/^(\s*[A-Za-z_][A-Za-z0-9_.-]*)\s*(=~|!~|!=|=)\s*/, '$1$2'));
  const fault =
    found === undefined ? 'expected a condition on a label: team = payments, owner != "", severity =~ high|critical, key !~ test-.*' : matcherFault([found]);
  if (found !== undefined && fault === undefined) return found;
  context.issues.push({ code: 'custom', input, message: fault ?? 'not a condition' });
  return z.NEVER;
});

const quietSchema = z
  .strictObject({
    from: timeOfDay.describe('Time of day at which they begin, such as "20:00".'),
    to: timeOfDay.describe('Time of day at which they end; before `from`: on the next day. The same: a whole day.'),
    days: z
      .array(z.enum(WEEKDAYS))
      .min(1)
      .describe('Days on which they begin: mon to sun. Default: all.')
      .prefault([...WEEKDAYS]),
    timezone: timezone.describe('Name of a time zone, or local.').prefault('local'),
    breakThrough: z.enum(SEVERITIES).describe('Of this severity and above the route tells all the same.').prefault('critical'),
  })
  .describe('Hours in which the route tells nobody. What still fires when they end is told then.');

const routeSchema = z.strictObject({
  name: text().describe('How `keywatch alerts why` and `keywatch routes test` call it. Default: its number.').optional(),
  match: z
    .array(matcher)
    .describe(
      'Conditions on labels, all of which must hold: =, !=, =~ and !~ (expressions match the whole value). Labels: key, entity, kind, rule, severity, and from the inventory owner, contact, team, environment, plan, tier. None: everything.',
    )
    .prefault([]),
  minSeverity: z.enum(SEVERITIES).describe('Less severe alerts go on to the next route. Default: medium, unless `match` speaks of severity.').optional(),
  to: z.array(text()).min(1).describe('Names of channels, and owner: the mail address that the inventory has as the contact of the key.'),
  ownerless: z.array(text()).describe('Channels in place of owner, for keys whose contact is not known.').prefault([]),
  quiet: quietSchema.optional(),
  continue: z.boolean().describe('Go on with the next route although this one fits.').prefault(false),
});

export const routesSchema = z
  .array(routeSchema)
  .min(1, { error: 'routes is empty, so nobody would ever be told; add a route, or leave routes out: then every channel is told from its minSeverity on' })
  .describe('Who is told of what: the first route that fits decides. Without routes every channel is told from its minSeverity on.');
