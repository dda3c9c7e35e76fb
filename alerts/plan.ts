import { type Alert, type IncidentTrack, type NotificationKind, OPEN_STATES, type OutboxRow } from '../core/alert.ts';
import type { ChannelMemory, Incident, Standing, Suppression } from '../core/incident.ts';
import { type DurationMs, type EpochMs, type Severity, severityRank } from '../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { Tracked } from './episode.ts';
import { type EscalationSteps, nextStep } from './escalation.ts';
import { shown } from './hostile.ts';
import { formatDuration } from './notify/units.ts';
import { RISK } from './risk.ts';
import { without } from './without.ts';

/** Related alerts are waited for before the first notice: the more severe, the shorter. */
export const FIRST_WAIT_MS: Readonly<Record<Severity, DurationMs>> = { critical: 0, high: 15_000, medium: MINUTE_MS, low: MINUTE_MS, info: MINUTE_MS };
/** From the last message that arrived to the next repeat, as long as nobody acknowledges; the last one goes on. */
export const REPEAT_MS: Readonly<Record<Severity, readonly DurationMs[]>> = {
  critical: [30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS],
  high: [2 * HOUR_MS, 4 * HOUR_MS, 8 * HOUR_MS],
  medium: [12 * HOUR_MS],
  low: [],
  info: [],
};
/** A living message is edited no more often. */
const EDIT_MS: DurationMs = 30_000;
const NOTE_CHARS_MAX = 300;
const SHOWN_ALERTS_MAX = 10;
const REMEMBERED_ALERTS_MAX = 100;

export type PlanChannel = { readonly name: string; readonly hasThreads: boolean };

/** Which channels hear of an alert: routes, by its labels. `why` when a channel does not. */
export type Routing = (alert: Alert) => { readonly channels: ReadonlySet<string>; readonly why: Suppression };

export type PlanInput = {
  readonly incident: Incident;
  readonly track: IncidentTrack;
  /** Its alerts that are not archived. */
  readonly members: readonly Tracked[];
  readonly now: EpochMs;
  readonly channels: readonly PlanChannel[];
  readonly routing: Routing;
  readonly suppression: (tracked: Tracked) => Suppression | undefined;
  readonly steps: EscalationSteps;
  readonly waits: Readonly<Record<Severity, DurationMs>>;
  /** Whether a channel's newest word on the incident is, or will be, that it fires. */
  readonly believesFiring: (channel: string) => boolean;
};

export type Plan = {
  readonly incident: Incident;
  readonly track: IncidentTrack;
  readonly rows: readonly OutboxRow[];
  /** When to look again although nothing happens. */
  readonly dueAt: EpochMs;
};

/**
 * What each channel is to be told of one incident now. It looks at where things stand and at what the channel knows,
 * not at what just happened: whatever was muted, lost with a crash or changed by a new configuration comes out right.
 */
export function planIncident(input: PlanInput): Plan {
  const draft = new PlanDraft(input);
  return draft.plan();
}

export function messageId(incident: string, channel: string, kind: NotificationKind, sequence: number): string {
  return `${incident}/${channel}/${sequence}-${kind}`;
}

/** What a channel knows after its first message. */
export function firstMemory(incident: Incident, alerts: readonly string[], now: EpochMs): ChannelMemory {
  const { severity, reopens } = incident;
  return {
    openedAs: severity,
    severity,
    reopens,
    alerts: alerts.slice(0, REMEMBERED_ALERTS_MAX),
    sequence: 1,
    repeats: 0,
    queuedAt: now,
    shown: shownOf(incident),
  };
}

class PlanDraft {
  readonly #input: PlanInput;
  /** Firing alerts that people may hear of, worst first. */
  readonly #audible: readonly Alert[];
  /** The same and those that recover already: whoever knows nothing of it hears that it fired. */
  readonly #untold: readonly Alert[];
  readonly #firing: readonly Alert[];
  /** Why the worst of the others is not told. */
  readonly #held: Suppression | undefined;
  readonly #rows: OutboxRow[] = [];
  readonly #standings: Record<string, Standing>;
  readonly #memories: Record<string, ChannelMemory>;
  #escalation: IncidentTrack['escalation'];
  #dueAt: EpochMs = Number.POSITIVE_INFINITY;

  constructor(input: PlanInput) {
    this.#input = input;
    const { incident, track, members } = input;
    const open = members.filter(({ alert }) => OPEN_STATES.includes(alert.state)).toSorted((x, y) => byWorst(x.alert, y.alert));
    const judged = open.map((tracked) => ({ alert: tracked.alert, held: input.suppression(tracked) }));
    const isFiring = (alert: Alert): boolean => alert.state !== 'recovering';
    this.#firing = open.map(({ alert }) => alert).filter(isFiring);
    this.#untold = judged.filter(({ held }) => held === undefined).map(({ alert }) => alert);
    this.#audible = this.#untold.filter(isFiring);
    this.#held = judged.find(({ held }) => held !== undefined)?.held;
    this.#standings = { ...incident.channels };
    this.#memories = { ...track.channels };
    this.#escalation = track.escalation;
  }

  plan(): Plan {
    const { incident, track, channels } = this.#input;
    if (incident.state === 'resolved' || incident.state === 'archived') this.#end();
    else {
      for (const channel of channels) this.#look(channel);
      this.#escalate();
    }
    const rest = without(track, 'escalation', 'waitUntil');
    const isOver = incident.state === 'resolved' || incident.state === 'archived';
    const waitUntil = isOver || (track.waitUntil !== undefined && track.waitUntil <= this.#input.now) ? undefined : track.waitUntil;
    return {
      incident: { ...incident, channels: this.#standings },
      track: {
        ...rest,
        channels: this.#memories,
        ...(waitUntil === undefined ? {} : { waitUntil }),
        ...(isOver || this.#escalation === undefined ? {} : { escalation: this.#escalation }),
      },
      rows: this.#rows,
      dueAt: this.#dueAt,
    };
  }

  /** Whoever was told that it fired is told that it ended, whatever mutes it by now. */
  #end(): void {
    const { incident, now, believesFiring, channels } = this.#input;
    for (const { name } of channels) {
      const memory = this.#memories[name];
      if (memory === undefined) {
        if (this.#standings[name]?.status !== 'held') this.#hold(name, { reason: 'not_firing', detail: 'it ended before this channel was to be told' });
        continue;
      }
      if (!believesFiring(name)) continue;
      this.#tell(name, 'resolved', { alerts: [], text: endText(incident), at: now });
    }
  }

  #look({ name, hasThreads }: PlanChannel): void {
    const { incident, track, now, routing, waits } = this.#input;
    const memory = this.#memories[name];
    const routed = (memory === undefined ? this.#untold : this.#audible).filter((alert) => routing(alert).channels.has(name));
    const worst = routed[0];
    if (worst === undefined) return this.#mute(name, memory);
    if (incident.acknowledged !== undefined) {
      if (memory === undefined) return this.#hold(name, { reason: 'acknowledged', until: incident.acknowledged.until });
      if (hasThreads) this.#edit(name, memory);
      return this.#clearHeld(name);
    }
    if (memory === undefined) {
      // The wait is for company, counted by the worst that is known so far.
      const from = track.waitUntil === undefined ? now : Math.min(track.waitUntil, incident.openedAt + waits[worst.severity]);
      if (now < from) {
        this.#due(from);
        return this.#hold(name, { reason: 'waiting', until: from });
      }
      return this.#tell(name, 'fired', { alerts: routed, at: now });
    }
    const kind = this.#news(memory, routed);
    if (kind !== undefined) return this.#tell(name, kind, { alerts: routed, at: now, ...this.#textOf(kind) });
    if (hasThreads) this.#edit(name, memory);
    this.#clearHeld(name);
    this.#repeatLater(memory, worst.severity);
  }

  /** What this channel does not know yet. */
  #news(memory: ChannelMemory, routed: readonly Alert[]): NotificationKind | undefined {
    const { incident, now } = this.#input;
    const worst = routed[0];
    if (worst === undefined) return undefined;
    if (incident.ackEnded !== undefined && incident.ackEnded.at > (memory.ackEndedAt ?? 0)) return 'ack_broken';
    if (memory.muted === 'flapping') return 'flapping_ended';
    if (incident.reopens > memory.reopens && severityRank(worst.severity) >= severityRank('high')) return 'reopened';
    if (severityRank(worst.severity) > severityRank(memory.severity)) return 'severity_up';
    if (memory.muted === 'silence' || memory.muted === 'maintenance') return 'still_firing';
    // A sum of what the channel knows is news where it makes that more severe, and only there.
    const isJoined = ({ id, rule }: Alert): boolean => rule !== RISK && !memory.alerts.includes(id);
    if (incident.kind === 'key' && memory.alerts.length < REMEMBERED_ALERTS_MAX && routed.some(isJoined)) return 'joined';
    const every = REPEAT_MS[worst.severity];
    const wait = every[Math.min(memory.repeats, every.length - 1)];
    return wait !== undefined && memory.sentAt !== undefined && now >= memory.sentAt + wait ? 'repeat' : undefined;
  }

  #textOf(kind: NotificationKind): { readonly text?: string } {
    const { incident } = this.#input;
    if (kind === 'ack_broken') return { text: `The acknowledgement ended: ${incident.ackEnded?.why ?? 'nobody said why'}.` };
    if (kind === 'still_firing') return { text: 'What muted it is over, and it still fires.' };
    if (kind === 'flapping_ended') return { text: 'It does not come and go any more, and fires.' };
    if (kind === 'repeat')
      return { text: `It still fires, and nobody acknowledged it. It began ${formatDuration(Math.max(0, this.#input.now - incident.startedAt))} ago.` };
    return {};
  }

  /** Nothing to hear of now: remembers that it is muted, so that the end of that is told. */
  #mute(name: string, memory: ChannelMemory | undefined): void {
    const { incident, routing, now } = this.#input;
    const worst = this.#audible[0] ?? this.#firing[0];
    if (worst === undefined) return memory === undefined ? this.#hold(name, { reason: 'not_firing' }) : this.#clearHeld(name);
    const held = this.#audible.length > 0 ? routing(worst).why : (this.#held ?? { reason: 'not_firing' });
    if (held.until !== undefined) this.#due(held.until);
    // Comes and goes: said once, then quiet.
    const isRouted = routing(worst).channels.has(name);
    if (held.reason === 'flapping' && isRouted && memory?.muted !== 'flapping') {
      const text = `${worst.dips + worst.reopens} times it ended or nearly ended and came back. It is not told again until it stays as it is for an hour. A limit above ${worst.peak} would have kept it quiet.`;
      this.#tell(name, 'flapping', { alerts: [worst], text, at: now });
    }
    const known = this.#memories[name];
    if (known !== undefined && known.muted !== held.reason) this.#memories[name] = { ...known, muted: held.reason };
    if (incident.acknowledged === undefined || known === undefined) this.#hold(name, held);
  }

  /** Steps that are due while nobody acknowledges. */
  #escalate(): void {
    const { incident, now, steps, channels } = this.#input;
    const worst = this.#audible[0];
    const isTold = Object.keys(this.#memories).length > 0;
    if (worst === undefined || incident.acknowledged !== undefined || !isTold) {
      if (incident.acknowledged !== undefined) this.#escalation = undefined;
      return;
    }
    this.#escalation ??= { from: now, done: 0 };
    const { from } = this.#escalation;
    for (let next = nextStep(steps, worst.severity, this.#escalation.done); next !== undefined; next = nextStep(steps, worst.severity, this.#escalation.done)) {
      if (now < from + next.afterMs) return this.#due(from + next.afterMs);
      this.#escalation = { from, done: this.#escalation.done + 1 };
      const known = new Set(channels.map(({ name }) => name));
      const to = next.channels === undefined ? Object.keys(this.#memories) : next.channels;
      for (const name of to.filter((each) => known.has(each)))
        this.#tell(name, 'escalated', {
          alerts: this.#audible,
          at: now,
          text: `Nobody acknowledged it within ${formatDuration(next.afterMs)}.`,
          mentions: next.mentions,
        });
    }
  }

  #tell(
    name: string,
    kind: NotificationKind,
    more: { readonly alerts: readonly Alert[]; readonly at: EpochMs; readonly text?: string; readonly mentions?: boolean },
  ): void {
    const { incident, members, steps } = this.#input;
    const isEnd = kind === 'resolved';
    const all = isEnd ? members.map(({ alert }) => alert).toSorted(byWorst) : more.alerts;
    const before = this.#memories[name];
    const base = before ?? { ...firstMemory(incident, [], more.at), sequence: 0 };
    const worst = all[0];
    const names = [...new Set([...base.alerts, ...all.map((alert) => alert.id)])].slice(0, REMEMBERED_ALERTS_MAX);
    const severity = worst !== undefined && severityRank(worst.severity) > severityRank(base.severity) ? worst.severity : base.severity;
    const rest = without(base, 'sentAt', 'muted');
    // An edit is no post: repeats go on as they were.
    const isEdit = kind === 'updated' || kind === 'acknowledged';
    const memory: ChannelMemory = {
      ...rest,
      ...(isEdit && base.sentAt !== undefined ? { sentAt: base.sentAt } : {}),
      ...(isEdit && base.muted !== undefined ? { muted: base.muted } : {}),
      severity: isEnd ? base.severity : severity,
      reopens: incident.reopens,
      alerts: names,
      sequence: base.sequence + 1,
      repeats: kind === 'repeat' ? base.repeats + 1 : isEdit ? base.repeats : 0,
      queuedAt: more.at,
      shown: shownOf(incident),
      ...(incident.ackEnded === undefined ? {} : { ackEndedAt: incident.ackEnded.at }),
    };
    this.#memories[name] = memory;
    this.#standings[name] = { status: 'told', at: more.at, openedAs: memory.openedAs, kind };
    const escalation = this.#escalation ?? { from: more.at, done: 0 };
    // Who is called counts from the news, not from what was less.
    const isAnew = kind === 'reopened' || kind === 'ack_broken' || kind === 'severity_up';
    if (!isEnd && !isEdit) this.#escalation = isAnew ? { from: more.at, done: 0 } : escalation;
    const step = isEnd || worst === undefined || incident.acknowledged !== undefined ? undefined : nextStep(steps, worst.severity, escalation.done);
    this.#rows.push({
      id: messageId(incident.id, name, kind, memory.sequence),
      channel: name,
      kind,
      createdAt: more.at,
      dueAt: more.at,
      incident: { ...incident, channels: {} },
      alerts: all.slice(0, SHOWN_ALERTS_MAX),
      ...(worst === undefined ? {} : { alert: worst }),
      openedAs: memory.openedAs,
      ...(more.text === undefined || more.text === '' ? {} : { text: more.text }),
      ...(step === undefined ? {} : { next: { what: step.what, at: escalation.from + step.afterMs } }),
      ...(more.mentions === true ? { mentions: true } : {}),
    });
  }

  /** A living message shows how things stand; nobody is called for it. */
  #edit(name: string, memory: ChannelMemory): void {
    const { incident, now } = this.#input;
    if (memory.shown === shownOf(incident)) return;
    if (now < memory.queuedAt + EDIT_MS) return this.#due(memory.queuedAt + EDIT_MS);
    const standing = this.#standings[name];
    const isAck = incident.acknowledged !== undefined && !memory.shown.startsWith('acknowledged');
    this.#tell(name, isAck ? 'acknowledged' : 'updated', { alerts: this.#firing, at: now });
    if (standing !== undefined) this.#standings[name] = standing;
  }

  #repeatLater(memory: ChannelMemory, severity: Severity): void {
    const every = REPEAT_MS[severity];
    const wait = every[Math.min(memory.repeats, every.length - 1)];
    if (wait !== undefined && memory.sentAt !== undefined) this.#due(memory.sentAt + wait);
  }

  #hold(name: string, held: Suppression): void {
    const { now } = this.#input;
    const known = this.#standings[name];
    if (isSame(known?.held, held)) return;
    this.#standings[name] = known?.status === 'told' ? { ...known, held } : { status: 'held', at: now, held };
  }

  #clearHeld(name: string): void {
    const known = this.#standings[name];
    if (known?.status !== 'told' || known.held === undefined) return;
    this.#standings[name] = without(known, 'held');
  }

  #due(at: EpochMs): void {
    this.#dueAt = Math.min(this.#dueAt, at);
  }
}

/** Worst first; of equals the one that began first. */
export function byWorst(a: Alert, b: Alert): number {
  return severityRank(b.severity) - severityRank(a.severity) || b.score - a.score || a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1);
}

function shownOf(incident: Incident): string {
  return `${incident.state} ${incident.severity} ${incident.alertsTotal} ${incident.lineages}`;
}

function endText(incident: Incident): string {
  const { resolution } = incident;
  if (resolution === undefined) return '';
  if (resolution.cause !== 'manual') return shown(resolution.note ?? '', NOTE_CHARS_MAX);
  const reason = { expected: 'it was expected', fixed: 'it is fixed', false_positive: 'it was a false alarm' }[resolution.reason ?? 'fixed'];
  return `Ended by ${shown(resolution.actor?.name ?? 'a person')}: ${reason}.${resolution.note === undefined ? '' : ` ${shown(resolution.note, NOTE_CHARS_MAX)}`}`;
}

function isSame(a: Suppression | undefined, b: Suppression): boolean {
  return a !== undefined && a.reason === b.reason && a.by === b.by && a.until === b.until;
}
