import { type Alert, type JournalBody, OPEN_STATES } from '../core/alert.ts';
import type { Incident } from '../core/incident.ts';
import { type DurationMs, type EntityId, type EpochMs, SEVERITIES, severityRank } from '../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { CommandContext } from './commands.ts';
import type { DeskOptions } from './desk-options.ts';
import type { DeskState } from './desk-state.ts';
import { code } from './hostile.ts';
import type { IncidentDraft } from './incident-draft.ts';
import type { Lifecycle, Step } from './lifecycle.ts';
import { type Labels, matchersText } from './matchers.ts';
import { formatDuration, formatUtc } from './notify/units.ts';
import { type OverlayContext, labelsOf } from './overlay.ts';
import type { Routing } from './plan.ts';
import { RISK } from './risk.ts';
import type { RuleSpec } from './rule-spec.ts';
import { catchUpText } from './summary.ts';

/** Event time that is judged may be so far behind before nothing ends because it is silent. */
export const STALE_AFTER_MS: DurationMs = 5 * MINUTE_MS;

/** What keeps people from being told, as it will be once `more` is applied. */
export function overlayContext(parts: {
  readonly state: DeskState;
  readonly options: DeskOptions;
  readonly rules: ReadonlyMap<string, RuleSpec>;
  readonly draft: IncidentDraft;
  readonly more: Partial<JournalBody>;
  readonly now: EpochMs;
}): OverlayContext {
  const { state, options, rules, draft, more, now } = parts;
  const { directory, surveyMs = 0, isRevoked } = options;
  return {
    now,
    rules,
    canonical: (entity) => directory.canonical(entity),
    labels: (alert) => alertLabels(options, alert),
    silences: changedBy(state.silences, more.silences),
    maintenances: changedBy(state.maintenances, more.maintenances),
    exceptions: changedBy(state.exceptions, more.exceptions),
    isFlapping: (key) => draft.isFlapping(key),
    isStale: more.stale === undefined ? state.isStale : more.stale !== null,
    surveyUntil: surveyMs === 0 ? 0 : (state.installedAt === 0 ? now : state.installedAt) + surveyMs,
    isRevoked,
    incident: (id) => draft.cases.incident(id),
  };
}

function changedBy<T extends { readonly id: string }>(known: readonly T[], changed: readonly T[] = []): readonly T[] {
  const ids = new Set(changed.map((each) => each.id));
  return [...known.filter((each) => !ids.has(each.id)), ...changed];
}

export function alertLabels({ labels, directory }: DeskOptions, alert: Alert): Labels {
  return labelsOf(alert, labels?.(directory.canonical(alert.entity)));
}

/** The configured routes; without any, every channel hears of what is severe enough for it. */
export function routingOf(options: DeskOptions, now: EpochMs): Routing {
  const { channels, route } = options;
  return (alert) => {
    if (route !== undefined) {
      const { channels: routed, why, until } = route(alertLabels(options, alert), now);
      return { channels: new Set(routed), why: { reason: 'not_routed', detail: why, ...(until === undefined ? {} : { until }) } };
    }
    const wanted = channels.filter(({ minSeverity }) => severityRank(alert.severity) >= severityRank(minSeverity));
    return { channels: new Set(wanted.map(({ notifier }) => notifier.name)), why: { reason: 'below_severity' } };
  };
}

/** When a silence, a maintenance, an exception or the survey begins or ends next; in an hour at the latest. */
export function nextBoundary({ silences, maintenances, exceptions, installedAt }: DeskState, surveyMs: DurationMs, now: EpochMs): EpochMs {
  const times = [
    ...[...silences, ...maintenances].flatMap(({ startsAt, endsAt, endedAt }) => [startsAt, endedAt ?? endsAt]),
    ...exceptions.map(({ until, endedAt }) => endedAt ?? until),
    installedAt + surveyMs,
  ];
  return Math.min(...times.filter((time) => time > now), now + HOUR_MS);
}

/** Whether the data is behind, what changes by that, and what is told of it under a stable name. */
export function staleAt(
  state: DeskState,
  now: EpochMs,
  watermark: EpochMs | undefined,
): { readonly isStale: boolean; readonly body: Partial<JournalBody>; readonly told?: { readonly name: string; readonly text: string } } {
  const known = state.stale ?? undefined;
  if (watermark === undefined) return { isStale: known !== undefined, body: {} };
  const isStale = now - watermark > STALE_AFTER_MS;
  if (isStale === (known !== undefined)) return { isStale, body: {} };
  if (isStale) {
    const text = `The data is behind: everything before ${formatUtc(watermark)} is judged, that is ${formatDuration(now - watermark)} ago. Until it has caught up no alert ends because it is silent, and rules that look for silence say nothing.`;
    // A new installation that reads old logs is behind because it has just begun.
    return { isStale, body: { stale: { since: now, watermark } }, ...(state.judgedThrough === 0 ? {} : { told: { name: `stale-${now}`, text } }) };
  }
  const since = known?.since ?? now;
  const text = `The data has caught up, after ${formatDuration(now - since)}.`;
  return { isStale, body: { stale: null }, ...(state.announcedStale.includes(since) ? { told: { name: `stale-${since}-over`, text } } : {}) };
}

/** What a digest tells of keys and of decisions that end soon. */
export function digestParts(state: DeskState, now: EpochMs): { readonly risks: readonly Incident[]; readonly ending: readonly string[] } {
  const isSoon = (end: EpochMs): boolean => end > now && end <= now + DAY_MS;
  const overlays = [...state.silences, ...state.maintenances].filter(({ endsAt }) => isSoon(endsAt));
  const exceptions = state.exceptions.filter(({ until }) => isSoon(until));
  const risks = [...state.incidents.values()].map(({ incident }) => incident).filter((incident) => incident.risk > 0);
  return {
    risks: risks.sort((a, b) => b.risk - a.risk),
    ending: [
      ...overlays.map(({ id, matchers, endsAt }) => `${id} ${code(matchersText(matchers))}: until ${formatUtc(endsAt)}`),
      ...exceptions.map(({ id, label, rule, until }) => `${id} ${code(label)} ${code(rule)}: until ${formatUtc(until)}`),
    ],
  };
}

/** Messages to channels that are no longer configured are given up. */
export function dropUnknownChannels(state: DeskState, channels: DeskOptions['channels'], now: EpochMs): Partial<JournalBody> {
  const known = new Set(channels.map(({ notifier }) => notifier.name));
  const rows = [...state.channels].filter(([name]) => !known.has(name)).flatMap(([, queue]) => [...queue.rows.values()]);
  return {
    deliveries: rows.map(({ row, attempts }) => ({
      row: row.id,
      at: now,
      attempt: attempts,
      result: 'dead',
      reason: `the channel ${row.channel} is no longer configured`,
    })),
  };
}

/** Tells the observer what an entry decided, before the state takes it in. */
export function tellEvents({ onEvent }: DeskOptions, state: DeskState, body: JournalBody): void {
  if (onEvent === undefined) return;
  const alerts = new Map(body.alerts.map((alert) => [alert.id, alert]));
  for (const transition of body.transitions) onEvent({ kind: 'transition', transition, alert: alerts.get(transition.alert) });
  for (const row of body.outbox) onEvent({ kind: 'queued', row });
  for (const delivery of body.deliveries) {
    const row = [...state.channels.values()].map((queue) => queue.rows.get(delivery.row)?.row).find((found) => found !== undefined);
    onEvent({ kind: 'delivery', delivery, row });
  }
}

/** What a command is decided with. */
export function commandContext(parts: {
  readonly state: DeskState;
  readonly options: DeskOptions;
  readonly rules: ReadonlyMap<string, RuleSpec>;
  readonly lifecycle: Lifecycle;
  readonly draft: IncidentDraft;
  readonly now: EpochMs;
  readonly wall: EpochMs;
}): CommandContext {
  const { state, options, rules, lifecycle, draft, now, wall } = parts;
  return {
    state,
    lifecycle,
    draft,
    now,
    wall,
    canonical: (entity) => options.directory.canonical(entity),
    label: (entity) => options.directory.label(entity),
    labels: (alert) => alertLabels(options, alert),
    rules: new Set(rules.keys()),
  };
}

/** Pairs of entity and rule with an open alert that a detector can say something of. */
export function watchedOf(state: DeskState, directory: DeskOptions['directory']): ReadonlyMap<EntityId, ReadonlySet<string>> {
  const watched = new Map<EntityId, Set<string>>();
  for (const { alert } of state.alerts.values()) {
    if (alert.rule === RISK || (alert.state !== 'pending' && !OPEN_STATES.includes(alert.state))) continue;
    const entity = directory.canonical(alert.entity);
    const rules = watched.get(entity);
    if (rules === undefined) watched.set(entity, new Set([alert.rule]));
    else rules.add(alert.rule);
  }
  return watched;
}

/** Throws where the names of the channels do not fit together. */
export function checkChannels({ channels, fallback }: DeskOptions): void {
  const names = channels.map((channel) => channel.notifier.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two notification channels are named '${twice}'; give each its own name`);
  if (fallback !== undefined && !names.includes(fallback)) throw new Error(`the fallback channel '${fallback}' is not among the channels: ${names.join(', ')}`);
}

/** The channel that hears of what another one did not take. */
export function fallbackOf({ channels, fallback }: DeskOptions, channel: string): string | undefined {
  if (fallback !== undefined && fallback !== channel) return fallback;
  return channels.find(({ notifier, isForIncidentsOnly }) => notifier.name !== channel && isForIncidentsOnly !== true)?.notifier.name;
}

/** What is told of a catch-up that this step ended, and the rank of its most severe alert. */
export function catchUpSummary(state: DeskState, { summary, changed }: Step): { readonly text: string; readonly worst: number } | undefined {
  if (summary === undefined) return undefined;
  const after = new Map([...state.alerts.values(), ...changed].map(({ alert }) => [alert.id, alert]));
  const stillFiring = [...after.values()].filter((alert) => alert.state === 'firing' && alert.startedAt <= summary.to).length;
  return { text: catchUpText(summary, stillFiring), worst: SEVERITIES.findLastIndex((severity) => (summary.severities[severity] ?? 0) > 0) };
}
