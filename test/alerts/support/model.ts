import { type EntityId, SEVERITIES, type Severity } from '../../../core/types.ts';

/**
 * What alerts must be, written down a second time and more simply: whole minutes instead of milliseconds, one mutable
 * record per pair, every breach of an episode kept. It knows nothing of journals, restarts, channels' failures or queues.
 */
export type ModelRule = { readonly rule: string; readonly m: number; readonly n: number; readonly holdMinutes: number };
export type ModelVerdict = 'clear' | 'hold' | Severity;

type Episode = {
  start: number;
  phase: 'pending' | 'firing' | 'recovering' | 'resolved';
  /** Ends of breaching minutes. */
  breaches: Set<number>;
  lastBreach: number;
  severity: number;
  peak: number;
  reopens: number;
  clearFrom: number;
  /** Wall minutes of the last change of phase, for the wall clock's timers. */
  phaseAt: number;
  endedAt: number;
  hasFired: boolean;
  announced: { severity: number; reopens: number } | undefined;
  /** By channel: what it believes. */
  believes: Map<string, boolean>;
};

export type ModelAlert = {
  readonly name: string;
  readonly phase: Episode['phase'];
  readonly severity: Severity;
  readonly peak: number;
  readonly findings: number;
  readonly reopens: number;
  readonly endedAt: number | undefined;
};

const HIGH = SEVERITIES.indexOf('high');
const CRITICAL = SEVERITIES.indexOf('critical');
const LATE_MINUTES = 30;
const REOPEN_MINUTES = 60;

export class AlertModel {
  readonly #rules: readonly ModelRule[];
  readonly #channels: readonly { readonly name: string; readonly min: number }[];
  readonly #open = new Map<string, Episode>();
  /** Everything that ever fired, by name. */
  readonly fired = new Map<string, ModelAlert>();
  /** `channel kind name`, in order. */
  readonly rows: string[] = [];
  readonly summaries: { readonly alerts: number; readonly worst: number }[] = [];
  nearMisses = 0;
  through = 0;
  #advancedAt = 0;
  #late = { alerts: 0, at: 0, worst: 0 };
  #said: { name: string; kind: string; severity: number }[] = [];

  constructor(rules: readonly ModelRule[], channels: readonly { readonly name: string; readonly min: Severity }[]) {
    this.#rules = rules;
    this.#channels = channels.map(({ name, min }) => ({ name, min: SEVERITIES.indexOf(min) }));
  }

  /** One call: verdicts about minutes (`end` = the minute after it), then all up to `through` is judged. `now` in wall minutes. */
  observe(
    verdicts: readonly {
      readonly rule: string;
      readonly entity: EntityId;
      readonly end: number;
      readonly verdict: ModelVerdict;
      readonly observed: number;
      readonly times: number;
    }[],
    through: number,
    now: number,
  ): void {
    const known = Math.max(through, this.through);
    for (const said of verdicts.toSorted((a, b) => a.end - b.end)) {
      const pair = `${said.rule} ${said.entity}`;
      const rule = this.#ruleOf(pair);
      this.#time(pair, rule, Math.min(said.end - 1, known), now);
      const severity = SEVERITIES.findIndex((each) => each === said.verdict);
      if (severity >= 0) this.#breach(pair, rule, { ...said, severity }, now);
      else this.#quiet(pair, said.end, said.verdict === 'clear', now);
    }
    if (through > this.through) for (const pair of this.#open.keys()) this.#time(pair, this.#ruleOf(pair), known, now);
    if (this.#late.alerts > 0 && known >= now - LATE_MINUTES) this.#summarise();
    if (through > this.through) {
      this.through = through;
      this.#advancedAt = now;
    }
    this.#said = [];
  }

  tick(now: number): void {
    for (const [pair, episode] of this.#open) {
      const idle = now - Math.max(episode.phaseAt, this.#advancedAt);
      if (episode.phase === 'recovering' && idle >= this.#ruleOf(pair).holdMinutes) this.#end(pair, episode, now, now);
      else if (episode.phase === 'resolved' && idle >= REOPEN_MINUTES) this.#open.delete(pair);
    }
    if (this.#late.alerts > 0 && now - Math.max(this.#advancedAt, this.#late.at) >= 5) this.#summarise();
    this.#said = [];
  }

  phases(): ReadonlyMap<string, string> {
    return new Map([...this.#open].map(([pair, episode]) => [pair, `${episode.phase} ${SEVERITIES[episode.severity] ?? ''}`]));
  }

  #breach(
    pair: string,
    rule: ModelRule,
    said: { readonly end: number; readonly severity: number; readonly observed: number; readonly times: number },
    now: number,
  ): void {
    const { end, severity } = said;
    const isLate = end < now - LATE_MINUTES;
    let episode = this.#open.get(pair);
    if (episode === undefined) {
      episode = {
        start: end - 1,
        phase: 'pending',
        breaches: new Set(),
        lastBreach: end,
        severity,
        peak: 0,
        reopens: 0,
        clearFrom: 0,
        phaseAt: now,
        endedAt: 0,
        hasFired: false,
        announced: undefined,
        believes: new Map(),
      };
      this.#open.set(pair, episode);
    }
    const isNews = !episode.breaches.has(end) || severity > episode.severity;
    const wasWorse = severity > episode.severity;
    episode.breaches.add(end);
    episode.lastBreach = Math.max(episode.lastBreach, end);
    episode.severity = Math.max(episode.severity, severity);
    episode.peak = Math.max(episode.peak, said.observed);
    if (episode.phase === 'pending') {
      let isConfirmed = severity >= CRITICAL || said.times >= 3;
      for (let first = end - rule.n + 1; first <= end; first++) {
        let amount = 0;
        for (let each = first; each < first + rule.n; each++) if (episode.breaches.has(each)) amount++;
        if (amount >= rule.m) isConfirmed = true;
      }
      if (isConfirmed) {
        this.#enter(episode, 'firing', now);
        episode.hasFired = true;
        if (isLate) this.#late = { alerts: this.#late.alerts + 1, at: now, worst: Math.max(this.#late.worst, episode.severity) };
      }
    } else if (episode.phase === 'firing') {
      if (wasWorse) episode.phaseAt = now;
    } else if (isNews) {
      if (episode.phase === 'resolved') episode.reopens++;
      this.#enter(episode, 'firing', now);
    }
    if (episode.phase === 'firing' && !isLate) this.#announce(pair, episode);
    this.#note(pair, episode);
  }

  #quiet(pair: string, end: number, isClear: boolean, now: number): void {
    const episode = this.#open.get(pair);
    if (episode === undefined || end <= episode.lastBreach) return;
    if (episode.phase === 'firing' && isClear) {
      this.#enter(episode, 'recovering', now);
      episode.clearFrom = end;
    } else if (episode.phase === 'recovering' && !isClear && end > episode.clearFrom) {
      episode.clearFrom = end;
      episode.phaseAt = now;
    }
    this.#note(pair, episode);
  }

  /** All minutes that end at `through` or before are known. */
  #time(pair: string, rule: ModelRule, through: number, now: number): void {
    const episode = this.#open.get(pair);
    if (episode === undefined) return;
    if (episode.phase === 'pending' && [...episode.breaches].every((end) => end + rule.n - 1 <= through)) {
      this.nearMisses++;
      this.#open.delete(pair);
    } else if (episode.phase === 'recovering' && episode.clearFrom + rule.holdMinutes <= through) {
      this.#end(pair, episode, episode.clearFrom + rule.holdMinutes, now);
      this.#time(pair, rule, through, now);
    } else if (episode.phase === 'resolved' && episode.endedAt + REOPEN_MINUTES <= through) {
      this.#open.delete(pair);
    }
  }

  #end(pair: string, episode: Episode, endedAt: number, now: number): void {
    this.#enter(episode, 'resolved', now);
    episode.endedAt = endedAt;
    for (const { name } of this.#channels) {
      if (episode.believes.get(name) === true) this.rows.push(`${name} resolved ${nameOf(pair, episode)}`);
      if (episode.believes.has(name)) episode.believes.set(name, false);
    }
    this.#said = this.#said.filter((said) => said.name !== nameOf(pair, episode));
    this.#note(pair, episode);
  }

  #announce(pair: string, episode: Episode): void {
    const { announced } = episode;
    let kind: string | undefined;
    if (announced === undefined) kind = 'fired';
    else if (episode.reopens > announced.reopens && episode.severity >= HIGH) kind = 'reopened';
    else if (episode.severity > announced.severity) kind = 'severity_up';
    if (kind === undefined) return;
    episode.announced = { severity: episode.severity, reopens: episode.reopens };
    const name = nameOf(pair, episode);
    // What is said twice within one call is one message, at the higher severity.
    const before = this.#said.find((said) => said.name === name);
    for (const channel of this.#channels) {
      if (episode.severity < channel.min) continue;
      if (before !== undefined && before.severity >= channel.min) continue;
      const isFirst = !episode.believes.has(channel.name);
      this.rows.push(`${channel.name} ${isFirst ? 'fired' : (before?.kind ?? kind)} ${name}`);
      episode.believes.set(channel.name, true);
    }
    if (before === undefined) this.#said.push({ name, kind, severity: episode.severity });
    else before.severity = episode.severity;
  }

  #summarise(): void {
    this.summaries.push({ alerts: this.#late.alerts, worst: this.#late.worst });
    this.#late = { alerts: 0, at: 0, worst: 0 };
  }

  #enter(episode: Episode, phase: Episode['phase'], now: number): void {
    episode.phase = phase;
    episode.phaseAt = now;
  }

  #note(pair: string, episode: Episode): void {
    if (!episode.hasFired) return;
    const { phase, severity, peak, breaches, reopens, endedAt } = episode;
    const name = nameOf(pair, episode);
    this.fired.set(name, {
      name,
      phase,
      severity: SEVERITIES[severity] ?? 'info',
      peak,
      findings: breaches.size,
      reopens,
      endedAt: phase === 'resolved' ? endedAt : undefined,
    });
  }

  #ruleOf(pair: string): ModelRule {
    const rule = this.#rules.find((each) => pair.startsWith(`${each.rule} `));
    if (rule === undefined) throw new Error(`BUG: no model rule for ${pair}`);
    return rule;
  }
}

function nameOf(pair: string, episode: Episode): string {
  return `${pair} ${episode.start}`;
}
