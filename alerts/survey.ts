import type { Alert } from '../core/alert.ts';
import type { EpochMs } from '../core/types.ts';
import { code } from './hostile.ts';
import { formatCount, formatUtc } from './notify/units.ts';
import { byWorst } from './plan.ts';

const NAMED_MAX = 10;
/** Above what was seen. */
const HEADROOM = 1.5;
/** One, two or a few digits that people would choose. */
const FRIENDLY = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The hourly summary of a new installation: what would have been told, and limits that would have kept it quiet. */
export function surveyText(input: { readonly now: EpochMs; readonly from: EpochMs; readonly until: EpochMs; readonly alerts: readonly Alert[] }): string {
  const { now, from, until, alerts } = input;
  const fired = alerts.filter((alert) => alert.firedAt !== undefined);
  const fresh = fired.filter((alert) => (alert.firedAt ?? 0) >= from).sort(byWorst);
  const isOver = now >= until;
  return [
    `${formatCount(fresh.length)} ${fresh.length === 1 ? 'alert' : 'alerts'} since ${formatUtc(from)} that a running installation would have told. ${isOver ? 'The survey is over: from now on they are told.' : `This one is new and only looks until ${formatUtc(until)} (alerts.survey); what is far over a critical limit is told at once.`}`,
    ...(fresh.length === 0 ? [] : ['# Would have been told']),
    ...fresh
      .slice(0, NAMED_MAX)
      .map(
        ({ severity, label, rule, peak, finding }) =>
          `- ${severity} ${code(label)} ${code(rule)}: ${formatCount(peak)}, limit ${formatCount(finding.expected)}`,
      ),
    ...(fresh.length > NAMED_MAX ? [`- and ${formatCount(fresh.length - NAMED_MAX)} more`] : []),
    ...(fired.length === 0 ? [] : ['# Limits above everything seen so far']),
    ...[...Map.groupBy(fired, (alert) => alert.rule)].map(([rule, all]) => `- ${code(rule)}: ${suggested(all)}`),
  ].join('\n');
}

function suggested(alerts: readonly Alert[]): string {
  const peak = alerts.reduce((most, alert) => Math.max(most, alert.peak), 0);
  if (alerts[0]?.finding.unit === 'ratio')
    return `${formatCount(Math.min(95, Math.ceil(peak * 100 * HEADROOM)))} % (highest ${formatCount(Math.ceil(peak * 100))} %)`;
  return `${formatCount(friendly(peak * HEADROOM))} (highest ${formatCount(Math.ceil(peak))})`;
}

function friendly(value: number): number {
  if (value <= 0) return 1;
  const scale = 10 ** Math.floor(Math.log10(value));
  return Math.ceil((FRIENDLY.find((step) => step * scale >= value) ?? 10) * scale);
}
