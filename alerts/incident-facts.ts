import type { Alert } from '../core/alert.ts';
import type { Acknowledgement, Incident } from '../core/incident.ts';
import { severityRank } from '../core/types.ts';
import type { Tracked } from './episode.ts';
import { without } from './without.ts';

const SHARED_SAMPLE = 2000;
const SHARED_MAX = 5;
const SHARED_SHARE = 0.5;
const ACK_SCORE_STEP = 20;

/** What goes beyond what the person saw who acknowledged, in words. */
export function beyond(incident: Incident, { seen }: Acknowledgement, open: readonly Tracked[], familyOf: (alert: Alert) => string): string | undefined {
  if (severityRank(incident.severity) > severityRank(seen.severity)) return `it is ${incident.severity} now, it was ${seen.severity}`;
  const family = open.map(({ alert }) => familyOf(alert)).find((each) => !seen.families.includes(each));
  if (family !== undefined) return 'another kind of rule fires, too';
  if (incident.kind === 'key' && open.some(({ alert }) => !seen.entities.includes(alert.entity))) return 'a second key joined';
  if (incident.kind === 'fleet' && incident.lineages >= seen.lineages * 2)
    return `it is ${incident.lineages.toLocaleString('en-US')} keys now, it was ${seen.lineages.toLocaleString('en-US')}`;
  const origin = open.flatMap(({ track }) => track.origins).find((each) => !seen.origins.includes(each));
  if (origin !== undefined)
    return origin.startsWith('country') ? 'traffic comes from a country that it did not come from' : 'traffic comes from a network that it did not come from';
  const score = Math.max(0, ...open.map(({ alert }) => alert.score));
  return score >= seen.score + ACK_SCORE_STEP ? `its score is ${Math.round(score)}, it was ${Math.round(seen.score)}` : undefined;
}

/** Of its worst alert. */
export function stateOf(alerts: readonly Alert[]): Incident['state'] {
  if (alerts.length === 0) return 'archived';
  const states = new Set(alerts.map((alert) => alert.state));
  return (['firing', 'acknowledged', 'recovering'] as const).find((state) => states.has(state)) ?? 'resolved';
}

/** The fleet itself is not muted by the fleet. */
export function withoutFleet(alert: Alert): Alert {
  return without(alert, 'fleet');
}

export function withoutAck(incident: Incident): Incident {
  return without(incident, 'acknowledged');
}

/** What at least half of the members have in common. */
export function sharedOf(alerts: readonly Alert[]): NonNullable<Incident['shared']> {
  const sample = alerts.slice(0, SHARED_SAMPLE);
  const counts = new Map<string, { readonly dimension: string; readonly value: string; amount: number }>();
  for (const { finding } of sample) {
    for (const { dimension, value } of finding.contributions) {
      const key = `${dimension}\n${value}`;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { dimension, value, amount: 1 });
      else known.amount++;
    }
  }
  return [...counts.values()]
    .filter(({ amount }) => amount >= sample.length * SHARED_SHARE && amount > 1)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, SHARED_MAX)
    .map(({ dimension, value, amount }) => ({ dimension, value, share: amount / sample.length }));
}

/** Plain data, compared as the journal would write it. */
export function isEqual(a: object, b: object): boolean {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: object): unknown {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([x], [y]) => (x < y ? -1 : 1));
}
