import type { Alert, AlertTrack, JournalBody, OutboxRow } from '../core/alert.ts';
import type { EpochMs } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';
import { tellsThatItFired } from './channel-queue.ts';
import { CHANNEL_FAILING, type DeskState } from './desk-state.ts';
import { code } from './hostile.ts';
import { formatCount, formatUtc } from './notify/units.ts';
import { alertRow } from './route.ts';

/** A channel that takes nothing for this long is reported to the fallback channel while its messages are still tried. */
export const FAILING_REPORT_AFTER_MS = 10 * MINUTE_MS;

type Lost = { readonly state: DeskState; readonly row: OutboxRow; readonly reason: string; readonly fallback: string; readonly now: EpochMs };

/**
 * What the fallback channel is told of a message that was given up: the alert itself, when it is still open and the
 * fallback has not heard of it; else one line about the loss.
 */
export function deadLetterBody(lost: Lost): Pick<JournalBody, 'alerts' | 'outbox' | 'tracks'> {
  const { state, row, reason, fallback, now } = lost;
  const what = `${code(row.channel)} did not take a message and it is given up: ${code(reason)}.`;
  const tracked = row.alert === undefined ? undefined : state.alerts.get(row.alert.dedupKey);
  const isOpen = tracked !== undefined && tracked.alert.id === row.alert?.id && tracked.alert.state !== 'resolved';
  if (isOpen && tellsThatItFired(row) && tracked.track.channels[fallback] === undefined) {
    const { alert, track } = tracked;
    const moved: AlertTrack = { ...track, channels: { ...track.channels, [fallback]: alert.severity } };
    const openedAs = alert.severity;
    return {
      alerts: [alert],
      tracks: [moved],
      outbox: [alertRow({ channel: fallback, kind: 'fired', openedAs, now, alert, note: `Sent here because the channel ${what}` })],
    };
  }
  const text = [`The channel ${what}`, ...(row.alert === undefined ? [`It was: ${row.kind}.`, row.text ?? ''] : [`It was: ${describe(row, row.alert)}.`])].join(
    '\n',
  );
  return { alerts: [], outbox: [pipelineRow({ id: `${row.id}/dead`, channel: fallback, text, now })] };
}

/** The report of a channel that has been failing for long, once per failure; undefined while there is nothing to report. */
export function failingBody(failing: {
  readonly state: DeskState;
  readonly channel: string;
  readonly reason: string;
  readonly fallback: string;
  readonly now: EpochMs;
}): Pick<JournalBody, 'outbox' | 'audit'> | undefined {
  const { state, channel, fallback, now } = failing;
  const queue = state.channel(channel);
  const since = queue.failingSince;
  if (since === undefined || queue.isFailureReported || now - since < FAILING_REPORT_AFTER_MS) return undefined;
  const waiting = [...queue.rows.values()].flatMap(({ row }) => (row.alert === undefined ? [] : [describe(row, row.alert)]));
  const text = [
    `The channel ${code(channel)} has taken no message since ${formatUtc(since)}: ${code(failing.reason)}. ${formatCount(queue.rows.size)} wait and are tried again for a day.`,
    ...waiting.slice(-5).map((line) => `- ${line}`),
  ].join('\n');
  return { outbox: [pipelineRow({ id: `failing/${channel}/${since}`, channel: fallback, text, now })], audit: [{ action: CHANNEL_FAILING, subject: channel }] };
}

/** A message about Keywatch itself. */
export function pipelineRow({
  id,
  channel,
  text,
  now,
}: {
  readonly id: string;
  readonly channel: string;
  readonly text: string;
  readonly now: EpochMs;
}): OutboxRow {
  return { id, channel, kind: 'pipeline', createdAt: now, dueAt: now, text };
}

function describe(row: OutboxRow, alert: Alert): string {
  return `${row.kind.replace('_', ' ')}, ${alert.severity}, ${code(alert.label)} ${code(alert.rule)} (alert ${alert.id})`;
}
