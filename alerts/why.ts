import type { Alert, MessageRecord } from '../core/alert.ts';
import type { Incident, Suppression } from '../core/incident.ts';
import { type EpochMs, assertNever } from '../core/types.ts';
import { formatUtc } from './notify/units.ts';

export type Why = {
  readonly channel: string;
  readonly isTold: boolean;
  /** A name for scripts: a reason of suppression, or the state of the message. */
  readonly clause: string;
  /** One sentence. */
  readonly text: string;
};

/**
 * Why a channel was or was not told, from what is stored: the deciding clause by name. `messages` are those of the
 * incident, newest first; without an incident the alert answers for itself.
 */
export function why(
  asked: { readonly incident?: Incident | undefined; readonly alert?: Alert | undefined; readonly messages: readonly MessageRecord[] },
  channel: string,
): Why {
  const { incident, alert } = asked;
  const said = (isTold: boolean, clause: string, text: string): Why => ({ channel, isTold, clause, text });
  if (incident === undefined) {
    if (alert === undefined) return said(false, 'unknown', 'nothing of this id is stored');
    if (alert.state === 'pending') return said(false, 'not_firing', 'the alert is not confirmed yet: more of its windows must breach');
    if (alert.firedAt === undefined) return said(false, 'not_firing', 'the alert was never confirmed: too few of its windows breached');
    return said(false, 'catch_up', 'the alert was found in old traffic and is told in a summary only');
  }
  const standing = Object.hasOwn(incident.channels, channel) ? incident.channels[channel] : undefined;
  if (standing === undefined) return said(false, 'not_routed', `the channel was not configured when ${incident.id} was last looked at`);
  if (standing.status === 'held') return said(false, standing.held.reason, `not told: ${suppressionText(standing.held)}`);
  const message = asked.messages.find((each) => each.channel === channel);
  const since = standing.held === undefined ? '' : `; what came since is not told: ${suppressionText(standing.held)}`;
  const told = `told '${standing.kind.replaceAll('_', ' ')}' at ${formatUtc(standing.at)}`;
  if (message === undefined) return said(true, 'told', `${told}${since}`);
  switch (message.result) {
    case 'sent':
      return said(true, 'sent', `${told}; it arrived at ${formatUtc(message.at ?? standing.at)}${since}`);
    case 'merged':
      return said(true, 'merged', `${told} inside a summary, because too many messages waited for the channel${since}`);
    case 'waiting':
      return said(
        false,
        'queued',
        `not told yet: '${standing.kind.replaceAll('_', ' ')}' of ${formatUtc(standing.at)} ${message.attempts === 0 ? 'waits to be sent' : `is tried again, ${message.attempts} ${message.attempts === 1 ? 'attempt' : 'attempts'} failed: ${message.reason ?? 'unknown'}`}${since}`,
      );
    case 'dead':
      return said(
        false,
        'dead',
        `not told: '${standing.kind.replaceAll('_', ' ')}' of ${formatUtc(standing.at)} was given up: ${message.reason ?? 'unknown'}${since}`,
      );
    default:
      return assertNever(message.result);
  }
}

/** The clause in words. */
export function suppressionText({ reason, by, until, detail }: Suppression): string {
  const untilText = until === undefined ? '' : ` until ${formatUtc(until)}`;
  const of = (what: string): string => `${what}${by === undefined ? '' : ` ${by}`}`;
  switch (reason) {
    case 'below_severity':
      return detail ?? 'it is less severe than the channel wants; the digest has it';
    case 'not_routed':
      return `no route leads to the channel${detail === undefined ? '' : `: ${detail}`}${untilText}`;
    case 'waiting':
      return `related alerts are waited for${untilText}`;
    case 'silence':
      return `${of('silence')} holds${untilText}`;
    case 'maintenance':
      return `${of('maintenance')} holds${untilText}`;
    case 'exception':
      return `${of('exception')} says that this much is expected${untilText}`;
    case 'fleet':
      return `${of('the fleet incident')} speaks for it`;
    case 'family':
      return `${of('the alert')} of a higher rule of the same family speaks for it`;
    case 'flapping':
      return 'it comes and goes (flapping), which was said once';
    case 'survey':
      return `the installation is new: thresholds only report${untilText}`;
    case 'acknowledged':
      return `somebody has it${untilText}`;
    case 'data_stale':
    case 'ingest_gap':
    case 'revoked':
    case 'catch_up':
    case 'quiet':
    case 'not_firing':
      return detail ?? FALLBACK[reason];
    default:
      return assertNever(reason);
  }
}

const FALLBACK = {
  data_stale: 'the data is behind',
  ingest_gap: 'events are missing',
  revoked: 'the key is revoked',
  catch_up: 'it was found in old traffic',
  quiet: 'a person ended the alert less than 30 minutes ago',
  not_firing: 'it does not fire',
} as const;

/** How a silence would act now: for a preview before it is made. */
export function previewOf(
  alerts: readonly { readonly alert: Alert; readonly isMatch: boolean }[],
  now: EpochMs,
): { readonly now: readonly Alert[]; readonly lastWeek: readonly Alert[] } {
  const week = 7 * 86_400_000;
  const matched = alerts.filter(({ isMatch }) => isMatch).map(({ alert }) => alert);
  return {
    now: matched.filter((alert) => alert.state === 'firing' || alert.state === 'acknowledged' || alert.state === 'recovering'),
    lastWeek: matched.filter((alert) => (alert.firedAt ?? 0) > now - week),
  };
}
