import { type Alert, OPEN_STATES } from '../core/alert.ts';
import type { Incident, SuppressionReason } from '../core/incident.ts';
import { type EpochMs, SEVERITIES, severityRank } from '../core/types.ts';
import type { SinceDigest } from './since-digest.ts';
import { code } from './hostile.ts';
import { formatCount, formatDuration, formatShare, formatUtc } from './notify/units.ts';

/** What the judge covered since the last digest; whoever runs it knows, and passes it in. */
export type DigestCoverage = {
  /** Entities that had traffic, and those of them that were judged. */
  readonly active: number;
  readonly judged: number;
  /** Event time up to which every window is judged; absent before the first. */
  readonly judgedThrough?: EpochMs;
  /** Windows that could not be judged. */
  readonly gaps: number;
  readonly events: number;
  readonly rejected: number;
};

export type DigestInput = {
  readonly now: EpochMs;
  readonly since: SinceDigest;
  /** From the journal's projection: at least everything open and everything since. */
  readonly alerts: readonly Alert[];
  readonly coverage: DigestCoverage;
  /** Incidents by risk, and what a person made that ends within a day, as prose. */
  readonly risks?: readonly Incident[];
  readonly ending?: readonly string[];
  readonly queues: readonly { readonly channel: string; readonly queued: number; readonly failingSince: EpochMs | undefined }[];
};

const NAMED_MAX = 10;
const NOISY_MIN = 3;

/** The daily digest as prose (`prose.ts`). Complete also when nothing happened: that it arrives is the news then. */
export function digestText(input: DigestInput): string {
  const from = input.since.from === 0 ? input.now : input.since.from;
  const fired = input.alerts.filter((alert) => alert.firedAt !== undefined && alert.firedAt >= from);
  const open = input.alerts.filter((alert) => OPEN_STATES.includes(alert.state));
  return [
    `${plural(fired.length, 'alert')} since ${formatUtc(from)}, ${formatCount(open.length)} open now.`,
    ...section(
      'Open now',
      open.sort(bySeverity).map((alert) => openLine(alert, input.now)),
    ),
    ...section('Fired', fired.sort(bySeverity).map(firedLine)),
    ...section('By rule', ruleLines(fired)),
    ...section(
      'Keys with the highest risk',
      (input.risks ?? []).map(({ label, risk, id }) => `${code(label)}: ${formatCount(risk)} (${id})`),
    ),
    ...section('Noisiest rules', adviceLines(fired)),
    ...section('Muted findings', mutedLines(input.since)),
    ...section('Ends within a day', input.ending ?? []),
    ...section('Not sent one by one', quietLines(input.since, fired)),
    ...section('Messages that were given up', deadLines(input.since)),
    ...section('Channels', channelLines(input)),
    '# Coverage',
    ...coverageLines(input),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  const left = lines.length - NAMED_MAX;
  return [`# ${title}`, ...lines.slice(0, NAMED_MAX).map((line) => `- ${line}`), ...(left > 0 ? [`- and ${formatCount(left)} more`] : [])];
}

function openLine(alert: Alert, now: EpochMs): string {
  return `${alert.severity} ${code(alert.label)} ${code(alert.rule)}: ${alert.state} for ${formatDuration(now - alert.startedAt)}`;
}

function firedLine(alert: Alert): string {
  const end = alert.resolvedAt === undefined ? alert.state : `over after ${formatDuration(alert.resolvedAt - alert.startedAt)}`;
  return `${alert.severity} ${code(alert.label)} ${code(alert.rule)}: ${formatUtc(alert.startedAt)}, ${end}${alert.reopens > 0 ? `, came back ${formatCount(alert.reopens)} times` : ''}`;
}

function ruleLines(fired: readonly Alert[]): readonly string[] {
  const rules = new Map<string, Alert[]>();
  for (const alert of fired) rules.set(alert.rule, [...(rules.get(alert.rule) ?? []), alert]);
  return [...rules].sort(([, a], [, b]) => b.length - a.length).map(([rule, alerts]) => `${code(rule)}: ${formatCount(alerts.length)} (${severities(alerts)})`);
}

function severities(alerts: readonly Alert[]): string {
  return SEVERITIES.toReversed()
    .flatMap((severity) => {
      const amount = alerts.filter((alert) => alert.severity === severity).length;
      return amount > 0 ? [`${formatCount(amount)} ${severity}`] : [];
    })
    .join(', ');
}

/** Rules that fire for many keys, or again and again for one, and the limit that would have kept them quiet. */
function adviceLines(fired: readonly Alert[]): readonly string[] {
  const noisy = [...Map.groupBy(fired, (alert) => alert.rule)].filter(([, alerts]) => alerts.length >= NOISY_MIN).sort(([, a], [, b]) => b.length - a.length);
  return noisy.map(([rule, alerts]) => {
    const peaks = alerts.map((alert) => alert.peak).sort((a, b) => a - b);
    const usual = peaks[Math.floor((peaks.length - 1) * 0.9)] ?? 0;
    return `${code(rule)}: ${plural(alerts.length, 'alert')}; nine in ten stayed below ${formatCount(Math.ceil(usual))}`;
  });
}

function mutedLines({ suppressed }: SinceDigest): readonly string[] {
  return (Object.entries(suppressed) as [SuppressionReason, number][]).map(
    ([reason, amount]) => `${reason.replaceAll('_', ' ')}: ${plural(amount, 'finding')}`,
  );
}

function quietLines(since: SinceDigest, fired: readonly Alert[]): readonly string[] {
  const low = fired.filter((alert) => severityRank(alert.severity) < severityRank('medium')).length;
  return [
    ...(low > 0 ? [`${plural(low, 'alert')} of severity low or info`] : []),
    ...(since.summedUp > 0 ? [`${plural(since.summedUp, 'alert')} in a summary of old traffic`] : []),
    ...(since.merged > 0 ? [`${plural(since.merged, 'message')} merged, because too many waited for one channel`] : []),
    ...Object.entries(since.nearMisses).map(([rule, amount]) => `${code(rule)}: over its limit ${plural(amount, 'time')} without being confirmed`),
  ];
}

function deadLines(since: SinceDigest): readonly string[] {
  const left = since.dead - since.deadLetters.length;
  return [
    ...since.deadLetters
      .toReversed()
      .map(
        ({ channel, kind, at, reason, label, severity }) =>
          `${code(channel)} ${formatUtc(at)}: ${kind.replace('_', ' ')}${severity === undefined ? '' : `, ${severity}`}${label === undefined ? '' : ` ${code(label)}`}: ${code(reason)}`,
      ),
    ...(left > 0 ? [`${formatCount(left)} earlier ones`] : []),
  ];
}

function channelLines({ queues }: DigestInput): readonly string[] {
  return queues
    .filter(({ queued, failingSince }) => queued > 0 || failingSince !== undefined)
    .map(
      ({ channel, queued, failingSince }) =>
        `${code(channel)}: ${plural(queued, 'message')} waiting${failingSince === undefined ? '' : `, failing since ${formatUtc(failingSince)}`}`,
    );
}

function coverageLines({ coverage, now }: DigestInput): readonly string[] {
  const { active, judged, judgedThrough, gaps, events, rejected } = coverage;
  return [
    `- ${formatCount(judged)} of ${formatCount(active)} active entities judged${active > 0 ? ` (${formatShare(judged / active)})` : ''}`,
    judgedThrough === undefined
      ? '- no window judged yet'
      : `- judged through ${formatUtc(judgedThrough)}, ${formatDuration(Math.max(0, now - judgedThrough))} ago`,
    `- ${gaps === 0 ? 'no gaps' : plural(gaps, 'window')}${gaps === 0 ? '' : ' not judged'}`,
    `- ${plural(events, 'event')} counted, ${plural(rejected, 'record')} rejected`,
  ];
}

function bySeverity(a: Alert, b: Alert): number {
  return severityRank(b.severity) - severityRank(a.severity) || b.score - a.score;
}

function plural(amount: number, noun: string): string {
  return `${formatCount(amount)} ${noun}${amount === 1 ? '' : 's'}`;
}
