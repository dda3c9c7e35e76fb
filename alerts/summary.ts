import type { CatchUp, OutboxRow } from '../core/alert.ts';
import { SEVERITIES, severityRank } from '../core/types.ts';
import { tellsThatItFired } from './channel-queue.ts';
import { code } from './hostile.ts';
import { formatCount, formatUtc } from './notify/units.ts';

/** How many entities or alerts a summary names. */
const NAMED_MAX = 10;

/** The message in place of many that waited for one channel: how many, of what, and the most severe by name. */
export function mergedText(rows: readonly OutboxRow[]): string {
  const fired = rows.filter(tellsThatItFired);
  const resolved = rows.filter((row) => row.kind === 'resolved');
  const others = rows.length - fired.length - resolved.length;
  const lines = [
    `${count(rows.length, 'message')} waited for this channel and are told here in one: ${count(fired.length, 'alert')} fired or worse, ${formatCount(resolved.length)} resolved${others > 0 ? `, ${formatCount(others)} other` : ''}.`,
    '# By rule',
    ...perRule(rows).map(([rule, amount]) => `- ${code(rule)}: ${formatCount(amount)}`),
    '# Most severe',
    ...mostSevere(rows),
    'Every alert is in the list: keywatch alerts list.',
  ];
  return lines.join('\n');
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

function perRule(rows: readonly OutboxRow[]): readonly (readonly [string, number])[] {
  const rules = new Map<string, number>();
  for (const { alert } of rows) if (alert !== undefined) rules.set(alert.rule, (rules.get(alert.rule) ?? 0) + 1);
  return [...rules].sort(([, a], [, b]) => b - a).slice(0, NAMED_MAX);
}

/** One line per alert, in its newest state, the most severe first. */
function mostSevere(rows: readonly OutboxRow[]): readonly string[] {
  const newest = new Map(rows.flatMap(({ alert }) => (alert === undefined ? [] : [[alert.id, alert] as const])));
  const alerts = [...newest.values()].sort((a, b) => severityRank(b.severity) - severityRank(a.severity) || b.score - a.score);
  const left = alerts.length - NAMED_MAX;
  return [
    ...alerts.slice(0, NAMED_MAX).map((alert) => `- ${alert.severity} ${Math.round(alert.score)} ${code(alert.label)} ${code(alert.rule)}: ${alert.state}`),
    ...(left > 0 ? [`- and ${formatCount(left)} more`] : []),
  ];
}

function count(amount: number, noun: string): string {
  if (noun === 'of them') return `${formatCount(amount)} of them ${amount === 1 ? 'is' : 'are'}`;
  return `${formatCount(amount)} ${noun}${amount === 1 ? '' : 's'}`;
}
