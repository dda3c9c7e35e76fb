import type { CatchUp, Delivery, IncidentTrack, JournalBody, OutboxRow } from '../core/alert.ts';
import type { Exception, Incident, Maintenance, Silence } from '../core/incident.ts';
import type { EpochMs, Minute } from '../core/types.ts';
import { HOUR_MS } from '../core/window.ts';
import { ChannelQueue, type QueueJson } from './channel-queue.ts';
import type { Tracked } from './episode.ts';
import { type FlapMemory, afterTransition, isForgotten } from './flapping.ts';
import { KeyRisks } from './key-risks.ts';
import type { LifecycleView } from './lifecycle.ts';
import { renewed } from './renewed.ts';
import { type SinceDigest, deadLetter, emptySince } from './since-digest.ts';

const DEAD_LETTERS_MAX = 20;
const SNAPSHOT_VERSION = 3;
const COMMANDS_MAX = 5000;

type Json = {
  readonly version: number;
  readonly alerts: readonly Tracked[];
  readonly judgedThrough: Minute;
  readonly advancedAt: EpochMs;
  readonly catchUp: CatchUp | null;
  readonly channels: Readonly<Record<string, QueueJson>>;
  readonly sinceDigest: SinceDigest;
  readonly lastDigest: string | null;
  readonly announced: readonly string[];
  readonly installedAt: EpochMs;
  readonly surveyHour: number;
  readonly incidents: readonly TrackedIncident[];
  readonly incidentNumber: number;
  readonly silences: readonly Silence[];
  readonly maintenances: readonly Maintenance[];
  readonly exceptions: readonly Exception[];
  readonly commands: readonly string[];
  readonly quiet: readonly (readonly [string, EpochMs])[];
  readonly flaps: readonly (readonly [string, FlapMemory])[];
  readonly stale: JournalBody['stale'] | null;
  readonly staleTold: EpochMs;
  readonly forgotAt: number;
  readonly risks: ReturnType<KeyRisks['toJson']>;
};

/** An incident and what the desk remembers of it. */
export type TrackedIncident = { readonly incident: Incident; readonly track: IncidentTrack };

/** How the ids of the survey's summaries begin. */
export const SURVEY = 'survey-';

/** How the ids of announcements begin. */
export const ANNOUNCED = 'note-';
const ANNOUNCED_MAX = 100;

/** The audit action that marks a channel's failure as reported to another. */
export const CHANNEL_FAILING = 'channel_failing';

/**
 * Everything the alert desk knows: a fold over the journal. It changes by `apply` only, with exactly what was
 * appended, so that a restart (snapshot and the entries after it, or all entries) ends in the same state.
 */
export class DeskState implements LifecycleView {
  readonly #alerts = new Map<string, Tracked>();
  readonly #channels = new Map<string, ChannelQueue>();
  #judgedThrough: Minute = 0;
  #advancedAt: EpochMs = 0;
  #catchUp: CatchUp | undefined;
  #sinceDigest: SinceDigest = emptySince(0);
  #lastDigest: string | undefined;
  #announced: readonly string[] = [];
  #installedAt: EpochMs = 0;
  #surveyHour = 0;
  readonly #incidents = new Map<string, TrackedIncident>();
  #incidentNumber = 0;
  /** Dedup keys of the alerts of an incident or a fleet that are not archived. */
  readonly #members = new Map<string, Set<string>>();
  #silences: readonly Silence[] = [];
  #maintenances: readonly Maintenance[] = [];
  #exceptions: readonly Exception[] = [];
  #commands: readonly string[] = [];
  readonly #quiet = new Map<string, EpochMs>();
  readonly #flaps = new Map<string, FlapMemory>();
  #stale: JournalBody['stale'];
  #staleTold: EpochMs = 0;
  #forgotAt = 0;
  readonly risks = new KeyRisks();

  /** Wall clock of the first entry; 0 before it. */
  get installedAt(): EpochMs {
    return this.#installedAt;
  }

  /** Hours of the survey that were summed up. */
  get surveyHour(): number {
    return this.#surveyHour;
  }

  get incidents(): ReadonlyMap<string, TrackedIncident> {
    return this.#incidents;
  }

  get incidentNumber(): number {
    return this.#incidentNumber;
  }

  members(incident: string): ReadonlySet<string> {
    return this.#members.get(incident) ?? NOBODY;
  }

  get silences(): readonly Silence[] {
    return this.#silences;
  }

  get maintenances(): readonly Maintenance[] {
    return this.#maintenances;
  }

  get exceptions(): readonly Exception[] {
    return this.#exceptions;
  }

  hasObeyed(command: string): boolean {
    return this.#commands.includes(command);
  }

  quietUntil(key: string): EpochMs {
    return this.#quiet.get(key) ?? 0;
  }

  isFlapping(key: string): boolean {
    return this.#flaps.get(key)?.since !== undefined;
  }

  get flaps(): ReadonlyMap<string, FlapMemory> {
    return this.#flaps;
  }

  get stale(): JournalBody['stale'] {
    return this.#stale;
  }

  /** When the stale data began that people were told of. */
  get announcedStale(): readonly EpochMs[] {
    return this.#staleTold === 0 ? [] : [this.#staleTold];
  }

  get isStale(): boolean {
    return this.#stale !== undefined && this.#stale !== null;
  }

  get alerts(): ReadonlyMap<string, Tracked> {
    return this.#alerts;
  }

  get judgedThrough(): Minute {
    return this.#judgedThrough;
  }

  get advancedAt(): EpochMs {
    return this.#advancedAt;
  }

  get catchUp(): CatchUp | undefined {
    return this.#catchUp;
  }

  get channels(): ReadonlyMap<string, ChannelQueue> {
    return this.#channels;
  }

  get sinceDigest(): SinceDigest {
    return this.#sinceDigest;
  }

  get lastDigest(): string | undefined {
    return this.#lastDigest;
  }

  /** Names of the newest announcements: each is queued once. */
  get announced(): readonly string[] {
    return this.#announced;
  }

  /** The queue of a channel, made when first named. */
  channel(name: string): ChannelQueue {
    let queue = this.#channels.get(name);
    if (queue === undefined) this.#channels.set(name, (queue = new ChannelQueue()));
    return queue;
  }

  apply(body: JournalBody): void {
    if (this.#sinceDigest.from === 0) this.#sinceDigest = emptySince(body.at);
    if (this.#installedAt === 0) this.#installedAt = body.at;
    this.#applyAlerts(body);
    this.#applyIncidents(body);
    this.risks.apply(body);
    this.#applyDecisions(body);
    if (body.catchUp !== undefined) this.#catchUp = body.catchUp ?? undefined;
    for (const delivery of body.deliveries) this.#applyDelivery(delivery);
    for (const row of body.outbox) this.channel(row.channel).enqueue(row);
    // After the rows of this entry: an episode may end and be over for good in one step, and its end is still to be told.
    for (const { id, state } of body.incidents ?? []) if (state === 'archived') for (const queue of this.#channels.values()) queue.forget(id);
    const notes = new Set(body.outbox.map(messageName).filter((name) => name.startsWith(ANNOUNCED)));
    if (notes.size > 0) this.#announced = [...this.#announced, ...notes].slice(-ANNOUNCED_MAX);
    for (const { action, subject } of body.audit ?? []) if (action === CHANNEL_FAILING) this.channel(subject).markFailureReported();
    for (const row of body.outbox) if (row.kind === 'survey') this.#surveyHour = Math.max(this.#surveyHour, Number(messageName(row).slice(SURVEY.length)));
    const digest = body.outbox.find((row) => row.kind === 'digest');
    if (digest !== undefined) {
      this.#lastDigest = messageName(digest);
      this.#sinceDigest = emptySince(body.at);
    }
    if (body.judgedThrough !== undefined && body.judgedThrough > this.#judgedThrough) {
      this.#judgedThrough = body.judgedThrough;
      this.#advancedAt = body.at;
    }
  }

  toJson(): string {
    const json: Json = {
      version: SNAPSHOT_VERSION,
      alerts: [...this.#alerts.values()],
      judgedThrough: this.#judgedThrough,
      advancedAt: this.#advancedAt,
      catchUp: this.#catchUp ?? null,
      channels: Object.fromEntries([...this.#channels].filter(([, queue]) => !queue.isPristine).map(([name, queue]) => [name, queue.toJson()])),
      sinceDigest: this.#sinceDigest,
      lastDigest: this.#lastDigest ?? null,
      announced: this.#announced,
      installedAt: this.#installedAt,
      surveyHour: this.#surveyHour,
      incidents: [...this.#incidents.values()],
      incidentNumber: this.#incidentNumber,
      silences: this.#silences,
      maintenances: this.#maintenances,
      exceptions: this.#exceptions,
      commands: this.#commands,
      quiet: [...this.#quiet],
      flaps: [...this.#flaps],
      stale: this.#stale ?? null,
      staleTold: this.#staleTold,
      forgotAt: this.#forgotAt,
      risks: this.risks.toJson(),
    };
    return JSON.stringify(json);
  }

  /** Undefined for a snapshot of another version: the caller folds the whole journal instead. */
  static fromJson(text: string): DeskState | undefined {
    const json = JSON.parse(text) as Json;
    if (json.version !== SNAPSHOT_VERSION) return undefined;
    const state = new DeskState();
    for (const tracked of json.alerts) state.#alerts.set(tracked.alert.dedupKey, tracked);
    for (const [name, queue] of Object.entries(json.channels)) state.#channels.set(name, new ChannelQueue(queue));
    state.#judgedThrough = json.judgedThrough;
    state.#advancedAt = json.advancedAt;
    state.#catchUp = json.catchUp ?? undefined;
    state.#sinceDigest = json.sinceDigest;
    state.#lastDigest = json.lastDigest ?? undefined;
    state.#announced = json.announced;
    state.#installedAt = json.installedAt;
    state.#surveyHour = json.surveyHour;
    for (const tracked of json.incidents) state.#incidents.set(tracked.incident.id, tracked);
    state.#incidentNumber = json.incidentNumber;
    for (const { alert } of json.alerts) state.#addMember(alert);
    state.#silences = json.silences;
    state.#maintenances = json.maintenances;
    state.#exceptions = json.exceptions;
    state.#commands = json.commands;
    for (const [key, until] of json.quiet) state.#quiet.set(key, until);
    for (const [key, memory] of json.flaps) state.#flaps.set(key, memory);
    state.#stale = json.stale ?? undefined;
    state.#staleTold = json.staleTold;
    state.#forgotAt = json.forgotAt;
    state.risks.load(json.risks);
    return state;
  }

  #applyAlerts(body: JournalBody): void {
    const archived = new Set(body.archived);
    if (archived.size > 0)
      for (const [key, { alert }] of this.#alerts) {
        if (!archived.has(alert.id)) continue;
        this.#alerts.delete(key);
        for (const incident of [alert.incident, alert.fleet]) if (incident !== undefined) this.#members.get(incident)?.delete(key);
      }
    const tracks = new Map((body.tracks ?? []).map((track) => [track.id, track]));
    for (const alert of body.alerts) {
      const track = tracks.get(alert.id);
      if (track === undefined || archived.has(alert.id)) continue;
      this.#alerts.set(alert.dedupKey, { alert, track });
      this.#addMember(alert);
    }
    for (const transition of body.transitions) {
      const key = dedupKeyOf(transition.alert);
      const memory = afterTransition(this.#flaps.get(key), transition);
      if (memory !== undefined) this.#flaps.set(key, memory);
    }
    const rules = new Map(body.alerts.map((alert) => [alert.id, alert.rule]));
    for (const { alert, cause } of body.transitions) {
      const since = this.#sinceDigest;
      const rule = rules.get(alert) ?? 'unknown';
      if (cause === 'not_confirmed') this.#sinceDigest = { ...since, nearMisses: { ...since.nearMisses, [rule]: (since.nearMisses[rule] ?? 0) + 1 } };
      if (cause === 'confirmed' && tracks.get(alert)?.announced === undefined) this.#sinceDigest = { ...since, summedUp: since.summedUp + 1 };
    }
  }

  #addMember(alert: Tracked['alert']): void {
    for (const incident of [alert.incident, alert.fleet]) {
      if (incident === undefined) continue;
      // Its own entry may be missing after a crash; the number is taken all the same.
      this.#incidentNumber = Math.max(this.#incidentNumber, Number(incident.slice(INCIDENT.length)));
      const members = this.#members.get(incident);
      if (members === undefined) this.#members.set(incident, new Set([alert.dedupKey]));
      else members.add(alert.dedupKey);
    }
  }

  #applyIncidents(body: JournalBody): void {
    const tracks = new Map((body.incidentTracks ?? []).map((track) => [track.id, track]));
    for (const incident of body.incidents ?? []) {
      this.#incidentNumber = Math.max(this.#incidentNumber, Number(incident.id.slice(INCIDENT.length)));
      const track = tracks.get(incident.id) ?? this.#incidents.get(incident.id)?.track;
      if (incident.state === 'archived' || track === undefined) {
        this.#incidents.delete(incident.id);
        this.#members.delete(incident.id);
      } else this.#incidents.set(incident.id, { incident, track });
    }
    for (const track of tracks.values()) {
      const known = this.#incidents.get(track.id);
      if (known !== undefined && known.track !== track) this.#incidents.set(track.id, { incident: known.incident, track });
    }
  }

  /** What people decided, and overlays that were computed. */
  #applyDecisions(body: JournalBody): void {
    this.#silences = renewed(this.#silences, body.silences, body.at);
    this.#maintenances = renewed(this.#maintenances, body.maintenances, body.at);
    this.#exceptions = renewed(this.#exceptions, body.exceptions, body.at);
    if (body.commands !== undefined) this.#commands = [...this.#commands, ...body.commands.map((command) => command.id)].slice(-COMMANDS_MAX);
    for (const { dedupKey, until } of body.quiet ?? []) this.#quiet.set(dedupKey, until);
    for (const { dedupKey, since } of body.flaps ?? []) {
      const { changes, dips } = this.#flaps.get(dedupKey) ?? { changes: [], dips: [] };
      this.#flaps.set(dedupKey, since === null ? { changes: [], dips: [] } : { changes, dips, since });
    }
    if (body.stale !== undefined) this.#stale = body.stale ?? undefined;
    if (body.stale !== undefined && body.stale !== null && body.outbox.some((row) => row.id.startsWith('stale-'))) this.#staleTold = body.stale.since;
    for (const { reason, amount } of body.suppressed ?? []) {
      const { suppressed } = this.#sinceDigest;
      this.#sinceDigest = { ...this.#sinceDigest, suppressed: { ...suppressed, [reason]: (suppressed[reason] ?? 0) + amount } };
    }
    this.#forgetOld(body.at);
  }

  /** Once an hour is enough, and depends on the entries only. */
  #forgetOld(at: EpochMs): void {
    const hour = Math.floor(at / HOUR_MS);
    if (hour === this.#forgotAt) return;
    this.#forgotAt = hour;
    for (const [key, memory] of this.#flaps) if (isForgotten(memory, at)) this.#flaps.delete(key);
    for (const [key, until] of this.#quiet) if (until <= at) this.#quiet.delete(key);
  }

  /** A message about an incident arrived or was given up: its repeats count from there. */
  #settled(channel: string, incidents: readonly string[], at: EpochMs): void {
    for (const id of incidents) {
      const known = this.#incidents.get(id);
      const memory = known?.track.channels[channel];
      if (known === undefined || memory === undefined) continue;
      const channels = { ...known.track.channels, [channel]: { ...memory, sentAt: at } };
      this.#incidents.set(id, { incident: known.incident, track: { ...known.track, channels } });
    }
  }

  #applyDelivery(delivery: Delivery): void {
    for (const [channel, queue] of this.#channels) {
      const row = queue.rows.get(delivery.row)?.row;
      if (row === undefined) continue;
      queue.record(delivery);
      if (delivery.result === 'sent' || delivery.result === 'dead')
        this.#settled(channel, [...(row.incident === undefined ? [] : [row.incident.id]), ...(row.covers?.firing ?? [])], delivery.at);
      const since = this.#sinceDigest;
      if (delivery.result === 'merged') this.#sinceDigest = { ...since, merged: since.merged + 1 };
      // Attempt 0: never tried, because it would have said nothing.
      if (delivery.result !== 'dead' || delivery.attempt === 0) continue;
      const letter = deadLetter(channel, row, delivery);
      this.#sinceDigest = { ...since, dead: since.dead + 1, deadLetters: [...since.deadLetters, letter].slice(-DEAD_LETTERS_MAX) };
    }
  }
}

export const INCIDENT = 'INC-';
const NOBODY: ReadonlySet<string> = new Set();

/** The id of an alert is its dedup key and its episode. */
function dedupKeyOf(alert: string): string {
  return alert.slice(0, alert.lastIndexOf('-'));
}

/** Rows of one message to several channels differ in their channel only: `<name>/<channel>`. */
function messageName(row: OutboxRow): string {
  return row.id.slice(0, row.id.indexOf('/'));
}
