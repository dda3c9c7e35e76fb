import { SEVERITIES, type Severity, severityRank } from '../core/types.ts';
import { conditionOf } from './matchers.ts';
import { ROUTE_MIN_SEVERITY, type Route, isBelow, thresholdOf } from './route.ts';

/** What a list of routes leaves out. */
export type RouteGaps = {
  /** No route takes alerts of these, whatever else is true of them. */
  readonly never: readonly Severity[];
  /** Routes take these only under further conditions. */
  readonly sometimes: readonly Severity[];
  /** Routes that are never asked, since one before them takes everything. */
  readonly unreachable: readonly { readonly index: number; readonly by: string }[];
};

/** Severities that people expect to be told of; what is less severe is in the digest. */
const TOLD: readonly Severity[] = SEVERITIES.filter((severity) => severityRank(severity) >= severityRank(ROUTE_MIN_SEVERITY));

export function routeGaps(routes: readonly Route[]): RouteGaps {
  const takes = (route: Route, severity: Severity): boolean => {
    const fits = conditionOf(route.matchers.filter(({ label }) => label === 'severity'));
    return fits({ severity }) && !isBelow({ severity }, thresholdOf(route));
  };
  const isOpen = (route: Route): boolean => route.matchers.every(({ label }) => label === 'severity');
  const never = SEVERITIES.filter((severity) => !routes.some((route) => takes(route, severity)));
  const always = SEVERITIES.filter((severity) => routes.some((route) => isOpen(route) && takes(route, severity)));
  const unreachable: { readonly index: number; readonly by: string }[] = [];
  const taken = new Map<Severity, string>();
  routes.forEach((route, index) => {
    const wanted = SEVERITIES.filter((severity) => takes(route, severity));
    const [first] = wanted;
    if (first !== undefined && wanted.every((severity) => taken.has(severity))) unreachable.push({ index, by: taken.get(first) ?? '' });
    if (isOpen(route) && !route.continue) for (const severity of wanted) if (!taken.has(severity)) taken.set(severity, route.name);
  });
  return {
    never: never.filter((severity) => TOLD.includes(severity) || never.length === SEVERITIES.length),
    sometimes: TOLD.filter((severity) => !never.includes(severity) && !always.includes(severity)),
    unreachable,
  };
}
