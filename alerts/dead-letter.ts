import type { IncidentTrack, JournalBody, OutboxRow } from '../core/alert.ts';
import type { Incident } from '../core/incident.ts';
import type { EpochMs } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';
import { tellsThatItFired } from './channel-queue.ts';
import { CHANNEL_FAILING, type DeskState } from './desk-state.ts';
import { code } from './hostile.ts';
import { firstMemory, messageId } from './plan.ts';
import { formatCount, formatUtc } from './notify/units.ts';

/** A channel that takes nothing for this long is reported to the fallback channel while its messages are still tried. */
export const FAILING_REPORT_AFTER_MS = 10 * MINUTE_MS;

type Lost = { readonly state: DeskState; readonly row: OutboxRow; readonly reason: string; readonly fallback: string; readonly now: EpochMs };

/**
 * What the fallback channel is told of a message that was given up: the incident itself, when it is still open and the
 * fallback has not heard of it; else one line about the loss.
 */
function deadLetterBody(lost: Lost): Pick<JournalBody, 'outbox'> & Partial<JournalBody> {
  const { state, row, reason, fallback, now } = lost;
  const what = `${code(row.channel)} did not take a message and it is given up: ${code(reason)}.`;
  const tracked = row.incident === undefined ? undefined : state.incidents.get(row.incident.id);
  const isOpen = tracked !== undefined && tracked.incident.state !== 'resolved';
  if (isOpen && tellsThatItFired(row) && tracked.track.channels[fallback] === undefined) {
    const { incident, track } = tracked;
    const memory = firstMemory(incident, row.alerts?.map((alert) => alert.id) ?? [], now);
    const moved: IncidentTrack = { ...track, channels: { ...track.channels, [fallback]: memory } };
    const { alert, alerts } = row;
    return {
      incidentTracks: [moved],
      outbox: [
        {
          id: messageId(incident.id, fallback, 'fired', memory.sequence),
          channel: fallback,
          kind: 'fired',
          createdAt: now,
          dueAt: now,
          incident,
          openedAs: incident.severity,
          ...(alert === undefined ? {} : { alert }),
          ...(alerts === undefined ? {} : { alerts }),
          text: `Sent here because the channel ${what}`,
        },
      ],
    };
  }
  const text = [
    `The channel ${what}`,
    ...(row.incident === undefined ? [`It was: ${row.kind}.`, row.text ?? ''] : [`It was: ${describe(row, row.incident)}.`]),
  ].join('\n');
  return { outbox: [pipelineRow({ id: `${row.id}/dead`, channel: fallback, text, now })] };
}

/** The report of a channel that has been failing for long, once per failure; undefined while there is nothing to report. */
function failingBody(failing: {
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
  const waiting = [...queue.rows.values()].flatMap(({ row }) => (row.incident === undefined ? [] : [describe(row, row.incident)]));
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

function describe(row: OutboxRow, incident: Incident): string {
  const rule = incident.rule ?? row.alert?.rule;
  return `${row.kind.replace('_', ' ')}, ${incident.severity}, ${code(incident.label)}${rule === undefined ? '' : ` ${code(rule)}`} (${incident.id})`;
}

/** What a failed attempt means for the other channels. */
export function failureBody(input: {
  readonly state: DeskState;
  readonly row: OutboxRow;
  readonly result: 'retry' | 'dead';
  readonly channel: string;
  readonly reason: string;
  readonly fallback: string | undefined;
  readonly now: EpochMs;
}): Partial<JournalBody> {
  const { fallback, result, row } = input;
  // A report about a lost report would go in circles.
  if (fallback === undefined || (result === 'dead' && row.kind === 'pipeline')) return {};
  return result === 'dead' ? deadLetterBody({ ...input, fallback }) : (failingBody({ ...input, fallback }) ?? {});
}
