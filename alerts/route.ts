import type { Matcher } from '../core/operator.ts';
import { type EpochMs, SEVERITIES, type Severity, severityRank } from '../core/types.ts';
import { type Condition, type Labels, conditionOf, matchersText } from './matchers.ts';
import { type QuietHours, localTime, quietUntil } from './quiet-hours.ts';

/** What channels hear of unless routes say otherwise. Slack hears warnings; mail is for what must not be overlooked. */
export const SLACK_MIN_SEVERITY: Severity = 'medium';
export const EMAIL_MIN_SEVERITY: Severity = 'high';
/** What a route takes that says nothing of severity. */
export const ROUTE_MIN_SEVERITY: Severity = 'medium';

/** In a route: the address that the key inventory has for whoever owns the key. Also the name of that channel. */
export const OWNER = 'owner';

/** One line of the list. All of it must fit. */
export type Route = {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  /** Absent: `ROUTE_MIN_SEVERITY`, unless a matcher speaks of severity. */
  readonly minSeverity?: Severity | undefined;
  /** Names of channels, and `owner`. */
  readonly to: readonly string[];
  /** Where to instead of `owner`, when the inventory has no address for the key. */
  readonly ownerless: readonly string[];
  readonly quiet?: QuietHours | undefined;
  /** Go on with the next route although this one fits. */
  readonly continue: boolean;
};

/** What one route said of an alert. */
export type RouteStep = { readonly route: string; readonly fits: boolean; readonly to: readonly string[]; readonly clause: string };
export type RouteDecision = {
  readonly channels: readonly string[];
  /** Why no other channel hears of it: part of a sentence. */
  readonly why: string;
  /** Until when a route that fits is quiet; the first of them. */
  readonly until?: EpochMs | undefined;
  readonly steps: readonly RouteStep[];
};

/** A list of routes, ready to be asked many times. The severity, owner's address and all else are labels. */
export type Router = (labels: Labels, now: EpochMs) => RouteDecision;

/** First match wins, unless it says `continue`. */
export function routerOf(routes: readonly Route[]): Router {
  const prepared = routes.map((route) => ({ route, fault: faultsOf(route), quiet: route.quiet === undefined ? undefined : quietUntil(route.quiet) }));
  return (labels, now) => {
    const channels = new Set<string>();
    const steps: RouteStep[] = [];
    let why = 'no route fits';
    let until: EpochMs | undefined;
    for (const { route, fault, quiet } of prepared) {
      const misfit = fault(labels);
      if (misfit !== undefined) {
        steps.push({ route: route.name, fits: false, to: [], clause: misfit });
        continue;
      }
      const quietEnd = isBelow(labels, route.quiet?.breakThrough) ? quiet?.(now) : undefined;
      const to = quietEnd === undefined ? receivers(route, labels) : [];
      for (const channel of to) channels.add(channel);
      const isLast = !route.continue;
      const rest = isLast ? 'it fits, and the routes after it are not asked' : 'it fits, and the next route is asked too';
      const clause =
        quietEnd !== undefined && route.quiet !== undefined
          ? `${rest}; it is quiet, except for ${route.quiet.breakThrough} and above, until ${localTime(quietEnd, route.quiet.timezone)} (${route.quiet.timezone})`
          : `${rest}${route.to.includes(OWNER) && !to.includes(OWNER) ? '; the inventory has no mail address for the key' : ''}`;
      steps.push({ route: route.name, fits: true, to, clause });
      if (quietEnd !== undefined) until = Math.min(until ?? quietEnd, quietEnd);
      why = quietEnd === undefined ? `route ${route.name} leads elsewhere` : `route ${route.name} is quiet now`;
      if (isLast) break;
    }
    return { channels: [...channels], why, ...(until === undefined ? {} : { until }), steps };
  };
}

/** Why a route does not fit, naming the clause; undefined when it does. */
function faultsOf({ matchers, minSeverity }: Route): (labels: Labels) => string | undefined {
  const threshold = thresholdOf({ matchers, minSeverity });
  const conditions = matchers.map((matcher): readonly [Matcher, Condition] => [matcher, conditionOf([matcher])]);
  return (labels) => {
    if (isBelow(labels, threshold)) return `less severe than ${threshold}`;
    const failed = conditions.find(([, condition]) => !condition(labels));
    if (failed === undefined) return undefined;
    const [matcher] = failed;
    const found = Object.hasOwn(labels, matcher.label) ? (labels[matcher.label] ?? '') : '';
    return `${matchersText([matcher])} does not fit: it is ${found === '' ? 'not there' : `"${found}"`}`;
  };
}

/** From which severity on a route takes alerts; undefined: matchers say it. */
export function thresholdOf({ matchers, minSeverity }: Pick<Route, 'matchers' | 'minSeverity'>): Severity | undefined {
  return minSeverity ?? (matchers.some(({ label }) => label === 'severity') ? undefined : ROUTE_MIN_SEVERITY);
}

function receivers({ to, ownerless }: Route, labels: Labels): readonly string[] {
  if (!to.includes(OWNER) || hasOwnerAddress(labels)) return to;
  return [...new Set([...to.filter((name) => name !== OWNER), ...ownerless])];
}

/** Whether the inventory has an address that mail can go to. */
export function hasOwnerAddress(labels: Labels): boolean {
  return isMailAddress(labels['contact']);
}

export function isMailAddress(contact: string | undefined): contact is string {
  return contact !== undefined && contact.length <= 254 && /^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+$/.test(contact);
}

/** Whether the severity among the labels is below a threshold. */
export function isBelow(labels: Labels, threshold: Severity | undefined): boolean {
  if (threshold === undefined) return false;
  const severity = SEVERITIES.find((known) => known === labels['severity']);
  return severity !== undefined && severityRank(severity) < severityRank(threshold);
}
