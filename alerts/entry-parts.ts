import type { JournalBody } from '../core/alert.ts';

/** Incidents in one entry. */
const ENTRY_INCIDENTS_MAX = 5000;
const LARGE = 200;

/** Whether an entry with nothing but this in it would say anything. */
export function isEmpty(body: Partial<JournalBody>): boolean {
  return Object.values(body).every((part) => part === undefined || (Array.isArray(part) && part.length === 0));
}

/** Whether it takes a while to write. */
export function isLarge({ alerts = [], incidents = [] }: Partial<JournalBody>): boolean {
  return alerts.length + incidents.length > LARGE;
}

/**
 * A decision about very many alerts, as several entries: alerts first, then incidents with all messages, how far was
 * judged last. After a crash between two the desk finds alerts without an incident when it opens, or windows that are
 * judged again: what was told may be told twice, but nothing is lost.
 */
export function splitBody(body: Partial<JournalBody>, alertsMax: number): readonly Partial<JournalBody>[] {
  const { alerts = [], tracks = [], transitions = [], archived = [], incidents = [], incidentTracks = [], judgedThrough, ...rest } = body;
  if (alerts.length <= alertsMax && incidents.length <= ENTRY_INCIDENTS_MAX) return [body];
  const parts: Partial<JournalBody>[] = [];
  const known = new Set(alerts.map((alert) => alert.id));
  const trackOf = new Map(tracks.map((track) => [track.id, track]));
  const movesOf = Map.groupBy(transitions, (move) => move.alert);
  const over = new Set(archived);
  for (let from = 0; from < alerts.length; from += alertsMax) {
    const some = alerts.slice(from, from + alertsMax);
    parts.push({
      alerts: some,
      tracks: some.flatMap((alert) => trackOf.get(alert.id) ?? []),
      transitions: some.flatMap((alert) => movesOf.get(alert.id) ?? []),
      archived: some.map((alert) => alert.id).filter((id) => over.has(id)),
    });
  }
  const memoryOf = new Map(incidentTracks.map((track) => [track.id, track]));
  for (let from = 0; from === 0 || from < incidents.length; from += ENTRY_INCIDENTS_MAX) {
    const some = incidents.slice(from, from + ENTRY_INCIDENTS_MAX);
    parts.push({
      ...(from === 0 ? { ...rest, archived: archived.filter((id) => !known.has(id)), transitions: transitions.filter((move) => !known.has(move.alert)) } : {}),
      incidents: some,
      incidentTracks: some.flatMap((incident) => memoryOf.get(incident.id) ?? []),
    });
  }
  const last = parts.at(-1);
  if (last !== undefined && judgedThrough !== undefined) parts[parts.length - 1] = { ...last, judgedThrough };
  return parts;
}
