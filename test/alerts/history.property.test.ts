import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Alert, NotificationKind, OutboxRow } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import type { OperatorCommand } from '../../core/operator.ts';
import type { Evaluation } from '../../core/finding.ts';
import { type EntityId, OK, type Severity, entityId, failed, severityRank } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { RuleSpec } from '../../alerts/rule-spec.ts';
import { M0, T0, breach, quiet } from './support/build.ts';
import { DeskHarness } from './support/desk-harness.ts';

/** Histories over all tests; `KEYWATCH_HISTORIES=20000 vitest run test/alerts/history.property.test.ts` for the long run. */
const HISTORIES = Number(process.env['KEYWATCH_HISTORIES'] ?? 120);
const SEED = Number(process.env['KEYWATCH_SEED'] ?? 20_260_310);

const SPECS: readonly RuleSpec[] = [
  { rule: 'two-of-three', confirm: { m: 2, n: 3 }, clearHoldMs: 10 * MINUTE_MS },
  { rule: 'at-once', confirm: { m: 1, n: 1 }, clearHoldMs: 3 * MINUTE_MS, family: 'f', rank: 0 },
  { rule: 'higher', confirm: { m: 1, n: 2 }, clearHoldMs: 5 * MINUTE_MS, family: 'f', rank: 1 },
];
/** Six, so that a fleet can form. */
const ENTITIES: readonly EntityId[] = Array.from({ length: 6 }, (_, index) => entityId('key', `k${index}`));
const PAIRS = ENTITIES.flatMap((entity, index) => (index < 2 ? SPECS : SPECS.slice(1, 2)).map(({ rule }) => ({ rule, entity })));
const CHANNELS = ['slack', 'email'] as const;
const END: readonly NotificationKind[] = ['resolved'];
const NO_POST: readonly NotificationKind[] = ['acknowledged', 'updated'];

type Say = 'nothing' | 'clear' | 'hold' | 'low' | 'medium' | 'high' | 'critical';
type Mode = 'ok' | 'error' | 'busy' | 'hangs' | 'refuses';
type Ask = 'ack' | 'unack' | 'resolve' | 'silence' | 'end_silence' | 'maintenance' | 'exception' | 'feedback' | 'twice';
type Step =
  | { readonly kind: 'minutes'; readonly amount: number; readonly says: readonly Say[] }
  | { readonly kind: 'gap'; readonly minutes: number }
  | { readonly kind: 'ask'; readonly what: Ask; readonly which: number }
  | { readonly kind: 'restart'; readonly how: 'stop' | 'kill' | 'refold' }
  | { readonly kind: 'reload'; readonly rules: number }
  | { readonly kind: 'mode'; readonly channel: number; readonly mode: Mode };

const say: fc.Arbitrary<Say> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Say>('clear') },
  { weight: 2, arbitrary: fc.constant<Say>('nothing') },
  { weight: 4, arbitrary: fc.constantFrom<Say>('hold', 'low', 'medium', 'high', 'critical') },
);
const says = fc.array(say, { minLength: PAIRS.length, maxLength: PAIRS.length });

function steps(modes: readonly Mode[], hasReloads: boolean): fc.Arbitrary<readonly Step[]> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('minutes' as const), amount: fc.integer({ min: 1, max: 3 }), says }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('minutes' as const), amount: fc.integer({ min: 4, max: 40 }), says }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('gap' as const), minutes: fc.integer({ min: 1, max: 50 }) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('ask' as const),
        what: fc.constantFrom<Ask>('ack', 'unack', 'resolve', 'silence', 'end_silence', 'maintenance', 'exception', 'feedback', 'twice'),
        which: fc.nat(7),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('restart' as const), how: fc.constantFrom('stop' as const, 'kill' as const, 'refold' as const) }) },
    ...(hasReloads ? [{ weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), rules: fc.integer({ min: 1, max: SPECS.length }) }) }] : []),
    ...(modes.length === 0
      ? []
      : [{ weight: 2, arbitrary: fc.record({ kind: fc.constant('mode' as const), channel: fc.nat(1), mode: fc.constantFrom(...modes) }) }]),
  );
  return fc.array(step, { minLength: 1, maxLength: 16 });
}

/** A desk led through a history. `isRestarted: false` leaves the restarts out. */
class Run {
  readonly harness = new DeskHarness();
  readonly #isRestarted: boolean;
  #judged = 0;
  #asked = 0;
  #lastCommand: OperatorCommand | undefined;

  constructor(isRestarted: boolean) {
    this.#isRestarted = isRestarted;
    this.harness.rules = SPECS;
    this.harness.more = { random: () => 0.5 };
  }

  async obey(step: Step): Promise<void> {
    const { harness } = this;
    switch (step.kind) {
      case 'minutes':
        for (let i = 0; i < step.amount; i++) await this.#minute(step.says);
        break;
      case 'gap':
        await harness.clock.advance(step.minutes * MINUTE_MS);
        break;
      case 'ask':
        await this.#ask(step.what, step.which);
        break;
      case 'restart':
        if (!this.#isRestarted) break;
        await this.#restart(step.how);
        break;
      case 'reload':
        await harness.stop();
        harness.rules = SPECS.slice(0, step.rules);
        await harness.start();
        break;
      case 'mode':
        this.#mode(step.channel, step.mode);
        break;
    }
  }

  /** Everything heals, every overlay runs out, every key is quiet, everything is sent. */
  async finish(): Promise<void> {
    this.#mode(0, 'ok');
    this.#mode(1, 'ok');
    const clear = PAIRS.map((): Say => 'clear');
    for (let i = 0; i < 3; i++) await this.#minute(clear);
    await this.#judgeTo(Math.floor((this.harness.clock.now() - T0) / MINUTE_MS) + 75, clear);
    await this.harness.clock.advance(12 * MINUTE_MS);
    await this.harness.stop();
  }

  async #minute(what: readonly Say[]): Promise<void> {
    const { harness } = this;
    // A gap is judged as silence: nothing was said of those minutes.
    const minute = Math.max(this.#judged, Math.floor((harness.clock.now() - T0) / MINUTE_MS) - 1);
    this.#judged = minute + 1;
    const known = new Set(harness.rules.map((spec) => spec.rule));
    await harness.closed(
      minute,
      PAIRS.flatMap((pair, index) => (known.has(pair.rule) ? saidAs(what[index] ?? 'nothing', { ...pair, minute }) : [])),
    );
  }

  async #judgeTo(minute: number, what: readonly Say[]): Promise<void> {
    while (this.#judged < minute) await this.#minute(what);
  }

  async #ask(what: Ask, which: number): Promise<void> {
    const { harness } = this;
    const incidents = harness.desk.incidents();
    const target = incidents.length === 0 ? 'INC-0' : (incidents[which % incidents.length]?.id ?? 'INC-0');
    const now = harness.clock.now();
    const by = { id: `c${++this.#asked}`, at: now, actor: { way: 'cli', name: 'maria' } } as const;
    const key = { label: 'entity', op: '=', value: ENTITIES[which % ENTITIES.length] ?? '' } as const;
    const silence = (await harness.journal.silences({ inForceAt: now }))[0]?.id ?? 'SIL-0';
    const asks: Readonly<Record<Exclude<Ask, 'twice'>, OperatorCommand>> = {
      ack: { ...by, kind: 'acknowledge', target, forMs: (which + 1) * 5 * MINUTE_MS },
      unack: { ...by, kind: 'unacknowledge', target },
      resolve: { ...by, kind: 'resolve', target, reason: 'fixed' },
      silence: { ...by, kind: 'add_silence', matchers: [key], endsAt: now + (which + 1) * 8 * MINUTE_MS, reason: 'x' },
      end_silence: { ...by, kind: 'end_silence', silence },
      maintenance: { ...by, kind: 'add_maintenance', matchers: [key], startsAt: now, endsAt: now + (which + 1) * 4 * MINUTE_MS, reason: 'x' },
      exception: {
        ...by,
        kind: 'add_exception',
        entity: ENTITIES[which % ENTITIES.length] ?? entityId('key', 'k0'),
        rule: 'at-once',
        upTo: 801,
        until: now + 30 * MINUTE_MS,
        reason: 'x',
      },
      feedback: { ...by, kind: 'feedback', target, verdict: 'true' },
    };
    const command = what === 'twice' ? this.#lastCommand : asks[what];
    if (command === undefined) return;
    const before = harness.entries.length;
    await harness.desk.obey(command);
    if (what === 'twice') expect(harness.entries.length).toBe(before);
    this.#lastCommand = command;
    await harness.clock.settle();
  }

  async #restart(how: 'stop' | 'kill' | 'refold'): Promise<void> {
    if (how === 'stop') await this.harness.stop();
    else await this.harness.kill();
    if (how === 'refold') this.harness.forgetSnapshot();
    await this.harness.start();
  }

  #mode(channel: number, mode: Mode): void {
    const notifier = channel === 0 ? this.harness.slack : this.harness.email;
    notifier.answer = {
      ok: OK,
      error: failed('HTTP 500', true),
      busy: failed('HTTP 429', true, 40_000),
      hangs: 'hangs' as const,
      refuses: failed('HTTP 404', false),
    }[mode];
  }
}

function saidAs(what: Say, at: { readonly rule: string; readonly entity: EntityId; readonly minute: number }): readonly Evaluation[] {
  if (what === 'nothing') return [];
  return [what === 'clear' || what === 'hold' ? quiet({ ...at, verdict: what }) : breach({ ...at, severity: what })];
}

async function runOf(history: readonly Step[], isRestarted = true): Promise<Run> {
  const run = new Run(isRestarted);
  await run.harness.start();
  for (const step of history) await run.obey(step);
  await run.finish();
  return run;
}

/** What arrived on a channel of each incident, in order, repeats of one id left out; told inside another counts when that one arrived. */
function heard(run: Run, channel: (typeof CHANNELS)[number]): ReadonlyMap<string, readonly OutboxRow[]> {
  const rows = new Map(run.harness.entries.flatMap((entry) => entry.outbox).map((row) => [row.id, row]));
  const inside = new Map<string, string[]>();
  for (const { row, result, into } of run.harness.entries.flatMap((entry) => entry.deliveries))
    if (result === 'merged' && into !== undefined) inside.set(into, [...(inside.get(into) ?? []), row]);
  const flat = (id: string): readonly string[] => inside.get(id)?.flatMap(flat) ?? [id];
  const arrived = new Set(run.harness[channel].attempts.filter(({ outcome }) => outcome === OK).flatMap(({ notification }) => flat(notification.id)));
  const byIncident = new Map<string, OutboxRow[]>();
  for (const id of arrived) {
    const row = rows.get(id);
    if (row?.incident !== undefined && !NO_POST.includes(row.kind)) byIncident.set(row.incident.id, [...(byIncident.get(row.incident.id) ?? []), row]);
  }
  return byIncident;
}

function lawsHold(run: Run): void {
  const { entries } = run.harness;
  const alerts = entries.flatMap((entry) => entry.alerts);
  const incidents = new Map(entries.flatMap((entry) => entry.incidents ?? []).map((incident) => [incident.id, incident]));
  const refused = new Set(
    entries
      .flatMap((entry) => entry.deliveries)
      .filter(({ result, attempt }) => result === 'dead' && attempt > 0)
      .map(({ row }) => row),
  );
  const tried = new Set(
    entries
      .flatMap((entry) => entry.deliveries)
      .filter(({ result }) => result === 'retry')
      .map(({ row }) => row),
  );
  for (const channel of CHANNELS) {
    for (const [id, rows] of heard(run, channel)) {
      // Whoever was told that it fired is told that it ended, on the same channel.
      const endRefused = [...refused].some((row) => row.startsWith(`${id}/${channel}/`) && row.endsWith('-resolved'));
      if (!endRefused) expect(rows.map((row) => row.kind).at(-1)).toBe('resolved');
      // Never of two beginnings, never of two ends without news between, never of an end first.
      expect(rows.filter((row) => row.kind === 'fired').length).toBeLessThanOrEqual(1);
      for (const [index, row] of rows.entries()) {
        // An attempt that failed may have arrived all the same: then the end is the first that is known to have arrived.
        const isMaybeTold = index === 0 && [...tried].some((each) => each.startsWith(`${id}/${channel}/`));
        if (END.includes(row.kind) && !isMaybeTold) expect(END.includes(rows[index - 1]?.kind ?? 'resolved')).toBe(false);
      }
    }
    expect(run.harness.desk.health().find((health) => health.channel === channel)?.queued).toBe(0);
  }
  // No alert is lost: each that was confirmed is in an incident, and each channel was told of that one, or it says why not.
  for (const alert of new Map(alerts.map((each) => [each.id, each])).values()) {
    if (alert.firedAt === undefined) continue;
    const incident = incidents.get(alert.incident ?? '');
    expect(incident, `incident of ${alert.id}`).toBeDefined();
    for (const channel of CHANNELS) if (incident !== undefined) expectAnswer(incident, channel, entries, alert);
  }
  severityNeverDrops(alerts);
  severityNeverDrops(entries.flatMap((entry) => entry.incidents ?? []));
}

function expectAnswer(incident: Incident, channel: string, entries: DeskHarness['entries'], alert: Alert): void {
  const standing = incident.channels[channel];
  expect(standing, `${channel} of ${incident.id}`).toBeDefined();
  if (standing?.status !== 'held') return;
  const { reason, by } = standing.held;
  const did = (kind: string): boolean => entries.some((entry) => entry.commands?.some((command) => command.kind === kind && command.status === 'applied'));
  const isPlausible: Readonly<Record<string, boolean>> = {
    below_severity: channel === 'email' ? severityRank(incident.severity) < severityRank('critical') : severityRank(alert.severity) < severityRank('critical'),
    waiting: true,
    not_firing: true,
    silence: did('add_silence'),
    maintenance: did('add_maintenance'),
    exception: did('add_exception'),
    acknowledged: did('acknowledge'),
    fleet: by !== undefined && incident.fleet === by,
    family: by !== undefined,
    flapping: true,
  };
  expect(isPlausible[reason], `${reason} of ${incident.id} on ${channel}`).toBe(true);
}

function severityNeverDrops(values: readonly { readonly id: string; readonly severity: Severity }[]): void {
  const seen = new Map<string, Severity>();
  for (const { id, severity } of values) {
    expect(severityRank(severity)).toBeGreaterThanOrEqual(severityRank(seen.get(id) ?? 'info'));
    seen.set(id, severity);
  }
}

/** The snapshot saved at the end equals the fold of the whole journal. */
async function refoldIsTheSame(run: Run): Promise<void> {
  // Opening is an act of its own: it archives what a removed rule ended.
  await run.harness.open();
  await run.harness.desk[Symbol.asyncDispose]();
  const saved = await run.harness.journal.snapshot();
  run.harness.forgetSnapshot();
  await run.harness.open();
  await run.harness.desk[Symbol.asyncDispose]();
  const folded = await run.harness.journal.snapshot();
  expect(JSON.parse(folded?.state ?? '')).toEqual(JSON.parse(saved?.state ?? ''));
}

describe('any history of findings, gaps, people, restarts, reloads and failing channels', () => {
  test('nobody is told of two beginnings, everybody who was told one is told the end, no alert is lost, severity never drops', async () => {
    await fc.assert(
      fc.asyncProperty(steps(['ok', 'error', 'busy', 'hangs', 'refuses'], true), async (history) => {
        const run = await runOf(history);
        lawsHold(run);
        await refoldIsTheSame(run);
      }),
      { numRuns: Math.ceil(HISTORIES * 0.7), seed: SEED, endOnFailure: HISTORIES < 1000 },
    );
  }, 7_200_000);

  test('a restart at any step changes nothing that is sent', async () => {
    await fc.assert(
      fc.asyncProperty(steps([], false), async (history) => {
        const told = (run: Run): readonly string[] =>
          run.harness.entries
            .flatMap((entry) => entry.outbox)
            .map((row) => `${row.id} ${row.covers?.messages ?? ''}`)
            .sort();
        const [restarted, plain] = [await runOf(history), await runOf(history, false)];
        expect(told(restarted)).toEqual(told(plain));
        lawsHold(restarted);
      }),
      { numRuns: Math.ceil(HISTORIES * 0.3), seed: SEED, endOnFailure: HISTORIES < 1000 },
    );
  }, 7_200_000);
});

test('the histories reach what they are about', async () => {
  const run = await runOf([
    { kind: 'minutes', amount: 3, says: PAIRS.map(() => 'critical') },
    { kind: 'ask', what: 'ack', which: 0 },
    { kind: 'restart', how: 'kill' },
  ]);
  expect(run.harness.entries.flatMap((entry) => entry.incidents ?? []).some((incident) => incident.kind === 'fleet')).toBe(true);
  expect(run.harness.desk.judgedThrough).toBeGreaterThan(M0);
});
