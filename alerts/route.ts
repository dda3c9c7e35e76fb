import type { Alert, AlertTrack, OutboxRow } from '../core/alert.ts';
import { type EpochMs, type Severity, severityRank } from '../core/types.ts';
import type { ChannelQueue } from './channel-queue.ts';
import type { Tracked } from './episode.ts';
import type { Notice } from './lifecycle.ts';

/** What a channel wants to hear. */
export type ChannelRoute = {
  readonly name: string;
  /** Alerts below it are told in the digest only. */
  readonly minSeverity: Severity;
};

/** Slack hears warnings; mail is for what must not be overlooked. */
export const SLACK_MIN_SEVERITY: Severity = 'medium';
export const EMAIL_MIN_SEVERITY: Severity = 'high';

type Routing = {
  readonly notices: readonly Notice[];
  readonly changed: readonly Tracked[];
  readonly channels: readonly ChannelRoute[];
  readonly queues: ReadonlyMap<string, ChannelQueue>;
  readonly now: EpochMs;
};

/**
 * Turns notices into outbox rows, one per channel. This is the place where overlays (silence, maintenance) will
 * be applied: they change who hears, never what is true. Returns the rows and the tracks that remember them.
 *
 * Two rules hold here: the first thing a channel hears of an episode is that it fired, whatever step it joins at;
 * and whoever was told that it fired is told that it ended, whatever the routes say by then.
 */
export function routeNotices(routing: Routing): { readonly rows: readonly OutboxRow[]; readonly tracks: readonly AlertTrack[] } {
  const tracks = new Map(routing.changed.map(({ track }) => [track.id, track]));
  const rows: OutboxRow[] = [];
  /** What the newest row of this very step tells a channel of an alert. */
  const tells = new Map<string, boolean>();
  for (const notice of routing.notices) {
    const track = tracks.get(notice.alert.id);
    if (track === undefined) throw new Error(`BUG: a notice about alert ${notice.alert.id}, which did not change`);
    if (notice.kind === 'resolved') {
      for (const { name } of routing.channels) {
        const openedAs = track.channels[name];
        if (openedAs === undefined) continue;
        const pair = `${name}\n${notice.alert.id}`;
        const isTold = tells.get(pair) ?? routing.queues.get(name)?.willBelieveFiring(notice.alert.id) ?? false;
        if (!isTold) continue;
        rows.push(alertRow({ channel: name, kind: 'resolved', openedAs, now: routing.now, alert: notice.alert, note: notice.note }));
        tells.set(pair, false);
      }
      continue;
    }
    const heard: Record<string, Severity> = { ...track.channels };
    for (const { name, minSeverity } of routing.channels) {
      if (severityRank(notice.alert.severity) < severityRank(minSeverity)) continue;
      const openedAs = heard[name];
      const kind = openedAs === undefined ? 'fired' : notice.kind;
      rows.push(alertRow({ channel: name, kind, openedAs: openedAs ?? notice.alert.severity, now: routing.now, alert: notice.alert, note: notice.note }));
      heard[name] = openedAs ?? notice.alert.severity;
      tells.set(`${name}\n${notice.alert.id}`, true);
    }
    tracks.set(track.id, { ...track, channels: heard });
  }
  return { rows, tracks: [...tracks.values()] };
}

type AlertRowParts = {
  readonly channel: string;
  readonly kind: Notice['kind'];
  readonly openedAs: Severity;
  readonly now: EpochMs;
  readonly alert: Alert;
  readonly note?: string | undefined;
};

/** The row of one alert event on one channel. Its id is a function of the event, so that the same event is never queued twice under two names. */
export function alertRow({ channel, kind, openedAs, now, alert, note }: AlertRowParts): OutboxRow {
  return {
    id: `${alert.id}/${channel}/${eventName(kind, alert)}`,
    channel,
    kind,
    createdAt: now,
    dueAt: now,
    alert,
    openedAs,
    ...(note === undefined ? {} : { text: note }),
  };
}

function eventName(kind: Notice['kind'], alert: Alert): string {
  if (kind === 'fired') return kind;
  return kind === 'severity_up' ? `${kind}-${alert.severity}` : `${kind}-${alert.reopens}`;
}
