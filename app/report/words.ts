import type { Alert } from '../../core/alert.ts';
import {
  type DurationMs,
  type EntityId,
  type EntityKind,
  type EpochMs,
  type RejectReason,
  type Severity,
  SEVERITIES,
  entityKind,
  severityRank,
} from '../../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { formatDuration, formatNumber } from '../cli/format.ts';
import type { AnalyzeReport, ReportKeys } from './report.ts';

/** What both the terminal and the HTML report say, so that they say the same. */

/** `request_rate` is `request rate` to people. */
export function ruleTitle(rule: string): string {
  return rule.replaceAll('_', ' ');
}

/** `1 alert`, `1,234 alerts`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`;
}

const KIND_NOUNS: Readonly<Record<EntityKind, readonly [string, string]>> = {
  key: ['key', 'keys'],
  user: ['user', 'users'],
  client: ['client', 'clients'],
  refused: ['group of refused credentials', 'groups of refused credentials'],
  late: ['day of late events', 'days of late events'],
  network: ['network', 'networks'],
};
/** In the order in which they are named. */
const KINDS: readonly EntityKind[] = ['key', 'user', 'client', 'network', 'refused', 'late'];

/** How many owners there are of each kind. A client is never called a key. */
export type KindCounts = Readonly<Record<EntityKind, number>>;

export function kindCounts(entities: Iterable<EntityId>): KindCounts {
  const counts = { key: 0, user: 0, client: 0, refused: 0, late: 0, network: 0 };
  for (const entity of entities) counts[entityKind(entity)]++;
  return counts;
}

export function kindCountsOf(keys: ReportKeys): KindCounts {
  const counts = { key: 0, user: 0, client: 0, refused: 0, late: 0, network: 0 };
  for (const key of keys) counts[key.kind]++;
  return counts;
}

/** `3 keys, 2 clients and 1 network`. */
export function kindsCounted(counts: KindCounts): string {
  return listed(KINDS.filter((kind) => counts[kind] > 0).map((kind) => counted(counts[kind], ...KIND_NOUNS[kind])));
}

/** `keys and clients`: the heading of a list. `refused` and `late` are named only where they stand alone. */
export function kindsNamed(counts: KindCounts): string {
  const named = KINDS.filter((kind) => counts[kind] > 0 && kind !== 'refused' && kind !== 'late').map((kind) => KIND_NOUNS[kind][1]);
  return named.length === 0 ? 'keys' : listed(named);
}

/** `a, b and c`. */
export function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`;
}

const REJECT_WORDS: Readonly<Record<RejectReason, string>> = {
  empty_line: 'empty line',
  not_this_format: 'not in the format of its file',
  truncated: 'cut off in the middle',
  bad_json: 'not valid JSON',
  binary: 'binary, not text',
  line_too_long: 'line too long',
  no_time: 'no time',
  bad_time: 'time cannot be read',
  time_out_of_range: 'time before 2000 or after 2099',
  no_status: 'no status',
  bad_status: 'status cannot be read',
};

export function rejectWords(reason: RejectReason): string {
  return REJECT_WORDS[reason];
}

/** `2015-05-17 10:05`, UTC. */
export function minuteText(time: EpochMs): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}

/** `05-17 10:05`, for columns where every time is in one year. */
export function dayText(time: EpochMs): string {
  return minuteText(time).slice(5);
}

/** `2015-05-17 10:05 to 10:22`; the day is said again only when it is another. */
export function spanText(from: EpochMs, to: EpochMs): string {
  const start = minuteText(from);
  const end = minuteText(to);
  if (start === end) return start;
  return `${start} to ${start.slice(0, 10) === end.slice(0, 10) ? end.slice(11) : end}`;
}

/** `minute`, `15 min`, `hour`: what fits after "per". */
export function perText(bucketMs: DurationMs): string {
  return bucketMs === MINUTE_MS ? 'minute' : bucketMs === HOUR_MS ? 'hour' : bucketMs === DAY_MS ? 'day' : formatDuration(bucketMs);
}

/** All alerts of one rule on one entity: what a person reads once. `worst` is the most severe, the highest score first. */
export type AlertGroup = { readonly worst: Alert; readonly alerts: readonly Alert[]; readonly from: EpochMs; readonly to: EpochMs };

/** Most severe first, then by score, size and time, so that two runs print the same. */
export function alertGroups(alerts: readonly Alert[]): readonly AlertGroup[] {
  const groups = [...Map.groupBy(alerts, (alert) => `${alert.rule}|${alert.entity}`).values()].map((members): AlertGroup => {
    const worst = members.toSorted(compareAlerts)[0];
    if (worst === undefined) throw new Error('BUG: an alert group without alerts');
    return { worst, alerts: members, from: Math.min(...members.map((alert) => alert.startedAt)), to: Math.max(...members.map(alertEnd)) };
  });
  return groups.toSorted(
    (a, b) =>
      severityRank(b.worst.severity) - severityRank(a.worst.severity) ||
      b.worst.score - a.worst.score ||
      b.alerts.length - a.alerts.length ||
      compareAlerts(a.worst, b.worst),
  );
}

/** Most severe first. */
function compareAlerts(a: Alert, b: Alert): number {
  return severityRank(b.severity) - severityRank(a.severity) || b.score - a.score || a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1);
}

/** When it was resolved; while it is open, the last window over the limit. */
function alertEnd(alert: Alert): EpochMs {
  return Math.max(alert.startedAt, alert.resolvedAt ?? alert.lastBreachAt);
}

/** `2 critical, 1 medium`. */
export function severitiesCounted(alerts: readonly Alert[]): string {
  const counts = SEVERITIES.toReversed().map((severity): readonly [Severity, number] => [
    severity,
    alerts.filter((alert) => alert.severity === severity).length,
  ]);
  return counts
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${formatNumber(count)} ${severity}`)
    .join(', ');
}

/** The sentence that sums the alerts up: what would have been raised, or in the demo, where it happened, what was. */
export function verdict(report: AnalyzeReport, isLive = false): string {
  const raised = `${capitalised(report.limits)} ${isLive ? 'raised' : 'would have raised'}`;
  if (report.alerts.length === 0) return `${raised} no alert.`;
  const on = kindsCounted(kindCounts(new Set(report.alerts.map((alert) => alert.entity))));
  return `${raised} ${counted(report.alerts.length, 'alert')} on ${on}.`;
}

export function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What to tell a person when nothing was counted: why, and what to try. */
export function emptyHelp(report: AnalyzeReport): readonly string[] {
  const { source, totals } = report;
  if (source.files === 0) return ['No file was read. Check the names, or pass - to read from standard input.'];
  if (source.records === 0) return ['The input holds no lines. Check that the right files were given, and that their rotation has not emptied them.'];
  if (totals.rejected > 0) {
    return [
      `${counted(source.records, 'line')} read, none of them could be read as an access event.`,
      'Try --format combined, common, json, kong or caddy; for JSON with unusual names say where the fields are, for instance --map time=ts --map status=code.',
    ];
  }
  return [`${counted(source.records, 'line')} read, none inside the asked time range. Try other values of --since and --until, or none.`];
}
