import type { CatchUp, Covers } from '../core/alert.ts';
import { SEVERITIES } from '../core/types.ts';
import { code } from './hostile.ts';
import { formatCount, formatUtc } from './notify/units.ts';

/** How many entities or alerts a summary names. */
const NAMED_MAX = 10;

/** The message in place of many: how many, of what, and the most severe by name. */
export function mergedText(covers: Covers): string {
  const { messages, fired, resolved, worst, firing, ended } = covers;
  const others = messages - fired - resolved;
  const rules = Object.entries(covers.rules).sort(([, a], [, b]) => b - a);
  const left = firing.length + ended.length - worst.length;
  return [
    `${count(messages, 'message')} for this channel are told here in one: ${count(fired, 'incident')} fired or worse, ${formatCount(resolved)} resolved${others > 0 ? `, ${formatCount(others)} other` : ''}.`,
    '# By rule',
    ...rules.slice(0, NAMED_MAX).map(([rule, amount]) => `- ${code(rule)}: ${formatCount(amount)}`),
    '# Most severe',
    ...worst.map(({ id, severity, score, label, rule, state }) => `- ${severity} ${Math.round(score)} ${code(label)} ${code(rule)}: ${state} (${id})`),
    ...(left > 0 ? [`- and ${formatCount(left)} more`] : []),
    'Every alert is in the list: keywatch alerts list.',
  ].join('\n');
}

/** The message after old windows were caught up with. */
export function catchUpText(catchUp: CatchUp, stillFiring: number): string {
  const severities = SEVERITIES.toReversed().flatMap((severity) => {
    const amount = catchUp.severities[severity] ?? 0;
    return amount > 0 ? [`${formatCount(amount)} ${severity}`] : [];
  });
  const rules = Object.entries(catchUp.rules).sort(([, a], [, b]) => b - a);
  const entities = catchUp.entities.slice(0, NAMED_MAX);
  const left = catchUp.entities.length - entities.length;
  return [
    `${count(catchUp.alerts, 'alert')} found while catching up on old traffic (${formatUtc(catchUp.from)} to ${formatUtc(catchUp.to)}): ${severities.join(', ')}. They were recorded, not sent one by one.`,
    stillFiring === 0 ? 'None of them is firing any more.' : `${count(stillFiring, 'of them')} still firing now; what still breaches was sent on its own.`,
    '# By rule',
    ...rules.slice(0, NAMED_MAX).map(([rule, amount]) => `- ${code(rule)}: ${formatCount(amount)}`),
    '# Most affected',
    ...entities.map(({ label, alerts, severity }) => `- ${code(label)}: ${count(alerts, 'alert')}, up to ${severity}`),
    ...(left > 0 ? [`- and ${formatCount(left)} more`] : []),
    'Every alert is in the list: keywatch alerts list.',
  ].join('\n');
}

function count(amount: number, noun: string): string {
  if (noun === 'of them') return `${formatCount(amount)} of them ${amount === 1 ? 'is' : 'are'}`;
  return `${formatCount(amount)} ${noun}${amount === 1 ? '' : 's'}`;
}
