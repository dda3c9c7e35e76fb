import type { Alert, AlertTrack } from '../core/alert.ts';
import { type Exception, type Incident, type Maintenance, type Silence, type Suppression, isInForce } from '../core/incident.ts';
import { type EntityId, type EpochMs, entityKind, severityRank } from '../core/types.ts';
import { type Condition, type Labels, conditionOf } from './matchers.ts';
import { RISK } from './risk.ts';
import { type RuleSpec, familyOf } from './rule-spec.ts';

/** A critical finding this many times over its limit is told although a new installation is only looking. */
const SURVEY_RATIO = 5;

/** Everything that keeps people from being told, as of one moment. */
export type OverlayContext = {
  readonly now: EpochMs;
  readonly rules: ReadonlyMap<string, RuleSpec>;
  readonly canonical: (entity: EntityId) => EntityId;
  readonly labels: (alert: Alert) => Labels;
  readonly silences: readonly Silence[];
  readonly maintenances: readonly Maintenance[];
  readonly exceptions: readonly Exception[];
  readonly isFlapping: (dedupKey: string) => boolean;
  readonly isStale: boolean;
  /** Thresholds only report until then. */
  readonly surveyUntil: EpochMs;
  readonly isRevoked?: ((entity: EntityId) => boolean) | undefined;
  readonly incident: (id: string) => Incident | undefined;
};

/**
 * The clause that keeps people from hearing of an alert now; undefined when nothing does. In the order in which a
 * person would want the answer: what was said about exactly this first, what holds for all last.
 */
export function suppressionOf(alert: Alert, track: AlertTrack | undefined, siblings: readonly Alert[], context: OverlayContext): Suppression | undefined {
  const spec = context.rules.get(alert.rule);
  const isTripwire = spec?.isTripwire === true;
  if (track !== undefined && track.announced === undefined) return { reason: 'catch_up', detail: 'it was found in old traffic and told in a summary' };
  return (
    exceptionOf(alert, context) ??
    (isTripwire ? undefined : surveyOf(alert, context)) ??
    inhibitionOf(alert, spec, siblings, context) ??
    silenceOf(alert, isTripwire, context) ??
    maintenanceOf(alert, isTripwire, context) ??
    (context.isFlapping(alert.dedupKey) && !(isTripwire && alert.severity === 'critical') ? { reason: 'flapping' } : undefined)
  );
}

function exceptionOf(alert: Alert, { exceptions, canonical, now }: OverlayContext): Suppression | undefined {
  const found = exceptions.find(
    (exception) =>
      exception.rule === alert.rule && isInForce(exception, now) && alert.peak <= exception.upTo && canonical(exception.lineage) === canonical(alert.entity),
  );
  return found === undefined ? undefined : { reason: 'exception', by: found.id, until: found.until };
}

function surveyOf(alert: Alert, { surveyUntil, now }: OverlayContext): Suppression | undefined {
  if (now >= surveyUntil) return undefined;
  const isFar = alert.severity === 'critical' && alert.finding.expected > 0 && alert.peak > alert.finding.expected * SURVEY_RATIO;
  return isFar ? undefined : { reason: 'survey', until: surveyUntil };
}

/** The four built-in ones. */
function inhibitionOf(alert: Alert, spec: RuleSpec | undefined, siblings: readonly Alert[], context: OverlayContext): Suppression | undefined {
  const { rules, incident, isStale, isRevoked } = context;
  if (spec?.isTripwire !== true && isRevoked?.(alert.entity) === true) return { reason: 'revoked', detail: 'the key is revoked' };
  if (spec?.isAbsence === true && isStale) return { reason: 'ingest_gap', detail: 'events are missing, so that something is missing says nothing' };
  const fleet = alert.fleet === undefined ? undefined : incident(alert.fleet);
  // A critical one is told by itself, however many there are; a sum of what is told already is not.
  if (fleet !== undefined && fleet.state !== 'archived' && (alert.severity !== 'critical' || alert.rule === RISK)) return { reason: 'fleet', by: fleet.id };
  const family = familyOf(spec, alert.rule);
  const higher = siblings.find((other) => {
    const otherSpec = rules.get(other.rule);
    const isSame = other.id !== alert.id && other.entity === alert.entity && familyOf(otherSpec, other.rule) === family;
    return (
      isSame &&
      (other.state === 'firing' || other.state === 'acknowledged') &&
      (otherSpec?.rank ?? 0) > (spec?.rank ?? 0) &&
      severityRank(other.severity) >= severityRank(alert.severity)
    );
  });
  return higher === undefined ? undefined : { reason: 'family', by: higher.id };
}

function silenceOf(alert: Alert, isTripwire: boolean, { silences, labels, now }: OverlayContext): Suppression | undefined {
  const found = silences.find(
    (silence) => isInForce(silence, now) && (!isTripwire || silence.includeCritical) && covers(silence, alert) && matches(silence, labels(alert)),
  );
  return found === undefined ? undefined : { reason: 'silence', by: found.id, until: found.endsAt };
}

/** Not any more when it got more severe, or passed twice the value, since the silence was made. */
function covers(silence: Silence, alert: Alert): boolean {
  const seen = Object.hasOwn(silence.covers, alert.id) ? silence.covers[alert.id] : undefined;
  return seen === undefined || (severityRank(alert.severity) <= severityRank(seen.severity) && alert.peak <= seen.value * 2);
}

function maintenanceOf(alert: Alert, isTripwire: boolean, { maintenances, labels, now }: OverlayContext): Suppression | undefined {
  const found = maintenances.find((each) => isInForce(each, now) && (!isTripwire || each.includeCritical) && matches(each, labels(alert)));
  return found === undefined ? undefined : { reason: 'maintenance', by: found.id, until: found.endsAt };
}

const compiled = new WeakMap<object, Condition>();

function matches(overlay: Silence | Maintenance, labels: Labels): boolean {
  let condition = compiled.get(overlay.matchers);
  if (condition === undefined) compiled.set(overlay.matchers, (condition = conditionOf(overlay.matchers)));
  return condition(labels);
}

/** What routes and silences see of an alert. `more` comes from the key inventory; what Keywatch knows itself wins. */
export function labelsOf(alert: Alert, more: Labels = {}): Labels {
  return { ...more, rule: alert.rule, severity: alert.severity, entity: alert.entity, kind: entityKind(alert.entity), key: alert.label };
}
