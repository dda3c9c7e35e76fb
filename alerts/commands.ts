import type { Alert, AuditNote, JournalBody } from '../core/alert.ts';
import { type Exception, type Incident, type Maintenance, type Silence, isInForce } from '../core/incident.ts';
import type { CommandResult, OperatorCommand } from '../core/operator.ts';
import { safeText } from '../core/text.ts';
import { type DurationMs, type EntityId, type EpochMs, assertNever } from '../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { DeskState } from './desk-state.ts';
import { acknowledgedFor } from './incident-config.ts';
import type { IncidentDraft } from './incident-draft.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type Labels, conditionOf, matcherFault, matchersText, matchesEverything } from './matchers.ts';

/** After a person ended an alert, its breaches raise nothing for so long. */
export const QUIET_MS: DurationMs = 30 * MINUTE_MS;
export const SILENCE_DEFAULT_MS: DurationMs = 2 * HOUR_MS;
export const OVERLAY_MAX_MS: DurationMs = 30 * DAY_MS;
const EXCEPTION_MAX_MS: DurationMs = 366 * DAY_MS;
const ACK_MAX_MS: DurationMs = 7 * DAY_MS;
const REASON_CHARS_MAX = 500;

export type CommandContext = {
  readonly state: DeskState;
  readonly lifecycle: Lifecycle;
  readonly draft: IncidentDraft;
  /** For what lasts so long. */
  readonly now: EpochMs;
  /** For what a person gave a time for. */
  readonly wall: EpochMs;
  readonly canonical: (entity: EntityId) => EntityId;
  readonly label: (entity: EntityId) => string;
  readonly labels: (alert: Alert) => Labels;
  readonly rules: ReadonlySet<string>;
};

type Effect = {
  readonly refused?: string;
  readonly made?: string;
  readonly audit?: Omit<AuditNote, 'actor' | 'command'>;
  readonly body?: Partial<JournalBody>;
  /** Overlays changed: every open incident is looked at again. */
  readonly isForAll?: boolean;
};

export type Obeyed = { readonly result: CommandResult; readonly body: Partial<JournalBody>; readonly isForAll: boolean };

/** One command, decided: what changes, the answer, and the line of the audit. A refusal changes nothing and is audited too. */
export function obey(command: OperatorCommand, context: CommandContext): Obeyed {
  const effect = effectOf(command, context);
  const { id, kind, actor } = command;
  const isRefused = effect.refused !== undefined;
  const result: CommandResult = {
    id,
    kind,
    actor,
    at: context.now,
    status: isRefused ? 'refused' : 'applied',
    ...(effect.refused === undefined ? {} : { reason: effect.refused }),
    ...(effect.made === undefined ? {} : { made: effect.made }),
  };
  const note = isRefused
    ? { action: `${kind}_refused`, subject: subjectOf(command), note: effect.refused }
    : (effect.audit ?? { action: kind, subject: subjectOf(command) });
  const audit: AuditNote = { ...cleaned(note), actor, command: id };
  return { result, body: { ...effect.body, commands: [result], audit: [audit] }, isForAll: effect.isForAll ?? false };
}

function effectOf(command: OperatorCommand, context: CommandContext): Effect {
  switch (command.kind) {
    case 'acknowledge':
      return acknowledge(command, context);
    case 'unacknowledge': {
      const incident = incidentOf(command.target, context);
      if (incident === undefined) return unknown(command.target);
      if (incident.acknowledged === undefined) return { refused: `${incident.id} is not acknowledged` };
      context.draft.endAck(incident.id, `taken back by ${command.actor.name}`);
      return { audit: audited(command.kind, incident.id, command.note) };
    }
    case 'resolve':
      return resolve(command, context);
    case 'add_silence':
      return addSilence(command, context);
    case 'end_silence': {
      const silence = context.state.silences.find((each) => each.id === command.silence && isInForce({ ...each, startsAt: 0 }, context.wall));
      if (silence === undefined) return { refused: `there is no silence ${command.silence} that could be ended` };
      const ended: Silence = { ...silence, endedAt: context.wall, endedBy: command.actor };
      return { body: { silences: [ended] }, isForAll: true, audit: audited(command.kind, silence.id, command.note) };
    }
    case 'add_maintenance':
      return addMaintenance(command, context);
    case 'end_maintenance': {
      const maintenance = context.state.maintenances.find((each) => each.id === command.maintenance && isInForce({ ...each, startsAt: 0 }, context.wall));
      if (maintenance === undefined) return { refused: `there is no maintenance ${command.maintenance} that could be ended` };
      const ended: Maintenance = { ...maintenance, endedAt: context.wall, endedBy: command.actor };
      return { body: { maintenances: [ended] }, isForAll: true, audit: audited(command.kind, maintenance.id, command.note) };
    }
    case 'add_exception':
      return addException(command, context);
    case 'end_exception': {
      const exception = context.state.exceptions.find((each) => each.id === command.exception && isInForce(each, context.wall));
      if (exception === undefined) return { refused: `there is no exception ${command.exception} that could be ended` };
      const ended: Exception = { ...exception, endedAt: context.wall, endedBy: command.actor };
      return { body: { exceptions: [ended] }, isForAll: true, audit: audited(command.kind, exception.id, command.note) };
    }
    case 'feedback': {
      const incident = incidentOf(command.target, context);
      if (incident === undefined) return unknown(command.target);
      const { verdict, actor, note } = command;
      context.draft.setFeedback(incident.id, { verdict, actor, at: context.now, ...(note === undefined ? {} : { note: safeText(note, REASON_CHARS_MAX) }) });
      context.draft.touch([incident.id]);
      return { audit: audited(command.kind, command.target, `${verdict}${note === undefined ? '' : `: ${note}`}`) };
    }
    case 'reload_notice':
      return { isForAll: true, audit: audited(command.kind, 'configuration', command.changes.join('; ')) };
    default:
      return assertNever(command);
  }
}

function acknowledge(command: Extract<OperatorCommand, { kind: 'acknowledge' }>, context: CommandContext): Effect {
  const { now, draft } = context;
  const incident = incidentOf(command.target, context);
  if (incident === undefined) return unknown(command.target);
  if (incident.state === 'resolved' || incident.state === 'archived') return { refused: `${incident.id} is over` };
  const forMs = command.forMs ?? acknowledgedFor(incident.severity);
  if (!(forMs > 0 && forMs <= ACK_MAX_MS)) return { refused: 'an acknowledgement lasts at most 7 days' };
  const { note, actor } = command;
  draft.acknowledge(incident.id, { actor, at: now, until: now + forMs, ...(note === undefined ? {} : { note: safeText(note, REASON_CHARS_MAX) }) });
  return { audit: audited(command.kind, incident.id, note) };
}

function resolve(command: Extract<OperatorCommand, { kind: 'resolve' }>, context: CommandContext): Effect {
  const { state, lifecycle, draft, now } = context;
  const { target, reason, actor, note } = command;
  const targets = alertsOf(target, context);
  if (targets === undefined) return unknown(target);
  if (targets.length === 0) return { refused: `${target} is over` };
  const ids = new Set(targets.map((alert) => alert.id));
  const resolution = { cause: 'manual' as const, reason, actor, ...(note === undefined ? {} : { note: safeText(note, REASON_CHARS_MAX) }) };
  draft.take(lifecycle.resolve(state, { ids, resolution, now }));
  const quiet = targets.map(({ dedupKey }) => ({ dedupKey, until: now + QUIET_MS }));
  return { body: { quiet }, audit: audited(command.kind, target, `${reason}${note === undefined ? '' : `: ${note}`}`) };
}

function addSilence(command: Extract<OperatorCommand, { kind: 'add_silence' }>, context: CommandContext): Effect {
  const { wall: now, state, labels } = context;
  const startsAt = command.startsAt ?? now;
  const endsAt = command.endsAt ?? startsAt + SILENCE_DEFAULT_MS;
  const fault = overlayFault({ ...command, startsAt, endsAt }, now);
  if (fault !== undefined) return { refused: fault };
  if (matchesEverything(command.matchers))
    return { refused: 'this silence would match every alert; name a key, a rule, an owner or a team (maintenance may cover everything)' };
  const condition = conditionOf(command.matchers);
  const open = [...state.alerts.values()].map(({ alert }) => alert).filter((alert) => alert.state !== 'resolved' && condition(labels(alert)));
  const silence: Silence = {
    ...overlayOf(command, { now, startsAt, endsAt, prefix: 'SIL' }),
    covers: Object.fromEntries(open.map((alert) => [alert.id, { severity: alert.severity, value: alert.peak }])),
  };
  return {
    made: silence.id,
    body: { silences: [silence] },
    isForAll: true,
    audit: audited(command.kind, silence.id, `${matchersText(silence.matchers)}: ${silence.reason}`),
  };
}

function addMaintenance(command: Extract<OperatorCommand, { kind: 'add_maintenance' }>, { wall: now }: CommandContext): Effect {
  const { startsAt, endsAt } = command;
  const fault = overlayFault(command, now);
  if (fault !== undefined) return { refused: fault };
  const maintenance: Maintenance = overlayOf(command, { now, startsAt, endsAt, prefix: 'MNT' });
  const note = `${matchersText(maintenance.matchers)}: ${maintenance.reason}`;
  return { made: maintenance.id, body: { maintenances: [maintenance] }, isForAll: true, audit: audited(command.kind, maintenance.id, note) };
}

function addException(command: Extract<OperatorCommand, { kind: 'add_exception' }>, { wall: now, canonical, label, rules }: CommandContext): Effect {
  const { entity, rule, upTo, until, actor } = command;
  const reason = safeText(command.reason, REASON_CHARS_MAX);
  if (reason === '') return { refused: 'an exception needs a reason' };
  if (!rules.has(rule)) return { refused: `there is no rule ${safeText(rule)}` };
  if (!Number.isFinite(upTo) || upTo <= 0) return { refused: 'up to which value it is expected must be a number above 0' };
  if (!(until > now)) return { refused: 'the exception would be over already' };
  if (until > now + EXCEPTION_MAX_MS) return { refused: 'an exception lasts at most a year' };
  const lineage = canonical(entity);
  const exception: Exception = { id: idOf('EXC', command.id), lineage, label: safeText(label(lineage)), rule, upTo, until, reason, actor, createdAt: now };
  return {
    made: exception.id,
    body: { exceptions: [exception] },
    isForAll: true,
    audit: audited(command.kind, exception.id, `${exception.label} ${rule} up to ${upTo}: ${reason}`),
  };
}

type OverlayCommand = Extract<OperatorCommand, { kind: 'add_silence' | 'add_maintenance' }>;

function overlayOf(
  command: OverlayCommand,
  parts: { readonly now: EpochMs; readonly startsAt: EpochMs; readonly endsAt: EpochMs; readonly prefix: string },
): Maintenance {
  const { now, startsAt, endsAt, prefix } = parts;
  const { actor, includeCritical = false } = command;
  return {
    id: idOf(prefix, command.id),
    matchers: command.matchers,
    startsAt,
    endsAt,
    actor,
    createdAt: now,
    reason: safeText(command.reason, REASON_CHARS_MAX),
    includeCritical,
  };
}

function overlayFault(
  command: Pick<OverlayCommand, 'matchers' | 'reason'> & { readonly startsAt: EpochMs; readonly endsAt: EpochMs },
  now: EpochMs,
): string | undefined {
  const { matchers, reason, startsAt, endsAt } = command;
  if (reason.trim() === '') return 'a reason is required';
  if (!Number.isFinite(startsAt) || !Number.isFinite(endsAt) || endsAt <= startsAt) return 'it must end after it starts';
  if (endsAt <= now) return 'it would be over already';
  if (endsAt - startsAt > OVERLAY_MAX_MS) return 'it lasts at most 30 days';
  return matcherFault(matchers);
}

/** Short, and a function of the command: the same command always makes the same. */
function idOf(prefix: string, command: string): string {
  return `${prefix}-${command.replace(/[^A-Za-z0-9]/g, '').slice(0, 12)}`;
}

/** The incident of an id, which may be an alert's. */
function incidentOf(target: string, { state, draft }: CommandContext): Incident | undefined {
  const known = state.incidents.get(target)?.incident ?? draft.cases.incident(target);
  if (known !== undefined) return known;
  const incident = draft.cases.alert(target)?.alert.incident;
  return incident === undefined ? undefined : draft.cases.incident(incident);
}

/** The open alerts of an id; undefined when nobody knows it. */
function alertsOf(target: string, { state, draft }: CommandContext): readonly Alert[] | undefined {
  const alert = draft.cases.alert(target)?.alert;
  const keys = alert === undefined && state.incidents.has(target) ? [...state.members(target)] : undefined;
  const found = alert === undefined ? keys?.flatMap((key) => state.alerts.get(key)?.alert ?? []) : [alert];
  return found?.filter((each) => each.state !== 'resolved' && each.state !== 'archived');
}

function unknown(target: string): Effect {
  return { refused: `there is no incident or alert ${safeText(target)} that is open; it may be over` };
}

function audited(action: string, subject: string, note: string | undefined): Omit<AuditNote, 'actor' | 'command'> {
  return note === undefined ? { action, subject } : { action, subject, note };
}

function cleaned(note: { readonly action: string; readonly subject: string; readonly note?: string | undefined }): Omit<AuditNote, 'actor' | 'command'> {
  const subject = safeText(note.subject);
  return note.note === undefined ? { action: note.action, subject } : { action: note.action, subject, note: safeText(note.note, REASON_CHARS_MAX) };
}

function subjectOf(command: OperatorCommand): string {
  if ('target' in command) return command.target;
  if ('silence' in command) return command.silence;
  if ('maintenance' in command) return command.maintenance;
  if ('exception' in command) return command.exception;
  return command.kind;
}
