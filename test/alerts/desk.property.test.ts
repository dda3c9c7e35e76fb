import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Evaluation } from '../../core/finding.ts';
import { type EntityId, OK, type Severity, entityId, failed, severityRank } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { RuleSpec } from '../../alerts/rule-spec.ts';
import { breach, finding, quiet, M0, T0 } from './support/build.ts';
import { DeskHarness } from './support/desk-harness.ts';
import { AlertModel, type ModelRule, type ModelVerdict } from './support/model.ts';

/** Histories per run, over both tests; `KEYWATCH_TEST_HISTORIES=20000 KEYWATCH_TEST_SEED=7 vitest run …` for another, longer run. */
const HISTORIES = Number(process.env['KEYWATCH_TEST_HISTORIES'] ?? 2000);
const SEED = Number(process.env['KEYWATCH_TEST_SEED'] ?? 20_260_310);

const RULES: readonly ModelRule[] = [
  { rule: 'two-of-three', m: 2, n: 3, holdMinutes: 10 },
  { rule: 'at-once', m: 1, n: 1, holdMinutes: 3 },
];
const SPECS: readonly RuleSpec[] = RULES.map(({ rule, m, n, holdMinutes }) => ({ rule, confirm: { m, n }, clearHoldMs: holdMinutes * MINUTE_MS }));
const ENTITIES: readonly EntityId[] = [entityId('key', 'a'), entityId('key', 'b')];
const PAIRS = RULES.flatMap(({ rule }) => ENTITIES.map((entity) => ({ rule, entity })));
const CHANNELS = [
  { name: 'slack', min: 'medium' },
  { name: 'email', min: 'high' },
] as const;

/** What one rule says of one entity in one minute; `triple` is a warning of three times its limit. */
type Say = 'nothing' | 'clear' | 'hold' | 'low' | 'medium' | 'triple' | 'high' | 'critical';
type Mode = 'ok' | 'error' | 'busy' | 'hangs' | 'refuses';
type Command =
  | { readonly kind: 'minutes'; readonly amount: number; readonly says: readonly Say[]; readonly isOneCall: boolean }
  | { readonly kind: 'live'; readonly pair: number; readonly severity: 'critical' | 'medium' }
  | { readonly kind: 'wait'; readonly minutes: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'restart'; readonly how: 'stop' | 'kill' | 'refold' }
  | { readonly kind: 'mode'; readonly channel: number; readonly mode: Mode };

const say: fc.Arbitrary<Say> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Say>('clear') },
  { weight: 2, arbitrary: fc.constant<Say>('nothing') },
  { weight: 3, arbitrary: fc.constant<Say>('medium') },
  { weight: 3, arbitrary: fc.constantFrom<Say>('hold', 'low', 'triple', 'high', 'critical') },
);
const says = fc.array(say, { minLength: PAIRS.length, maxLength: PAIRS.length });

function commands(modes: readonly Mode[]): fc.Arbitrary<readonly Command[]> {
  const command: fc.Arbitrary<Command> = fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('minutes' as const), amount: fc.constant(1), says, isOneCall: fc.constant(true) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('minutes' as const), amount: fc.integer({ min: 2, max: 75 }), says, isOneCall: fc.constant(true) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('minutes' as const), amount: fc.integer({ min: 2, max: 13 }), says, isOneCall: fc.constant(false) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('live' as const),
        pair: fc.nat(PAIRS.length - 1),
        severity: fc.constantFrom('critical' as const, 'medium' as const),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 200 })) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'tick' as const }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('restart' as const), how: fc.constantFrom('stop' as const, 'kill' as const, 'refold' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('mode' as const), channel: fc.nat(1), mode: fc.constantFrom(...modes) }) },
  );
  return fc.array(command, { minLength: 1, maxLength: 25 });
}

/** A desk and the model, led through the same history. */
class Run {
  readonly harness = new DeskHarness();
  readonly model = new AlertModel(RULES, CHANNELS);
  #judged = 0;

  async start(): Promise<void> {
    this.harness.rules = SPECS;
    await this.harness.start();
  }

  /** Wall minutes after T0. */
  get now(): number {
    return (this.harness.clock.now() - T0) / MINUTE_MS;
  }

  async obey(command: Command): Promise<void> {
    switch (command.kind) {
      case 'minutes':
        if (command.isOneCall) await this.#minutes(command.amount, command.says);
        else for (let i = 0; i < command.amount; i++) await this.#minutes(1, command.says);
        break;
      case 'live':
        await this.#live(command.pair, command.severity);
        break;
      case 'wait':
        await this.harness.clock.advance(command.minutes * MINUTE_MS);
        await this.#tick();
        break;
      case 'tick':
        await this.#tick();
        break;
      case 'restart':
        await this.#restart(command.how);
        break;
      case 'mode':
        this.#mode(command.channel, command.mode);
        break;
    }
    this.#compare();
  }

  /** Everything heals, every key is quiet, everything is sent. */
  async finish(): Promise<void> {
    this.#mode(0, 'ok');
    this.#mode(1, 'ok');
    const quietly = PAIRS.map((): Say => 'clear');
    while (this.#judged + 2 < this.now) await this.obey({ kind: 'minutes', amount: Math.ceil(this.now - this.#judged - 2), says: quietly, isOneCall: true });
    for (let i = 0; i < 14; i++) await this.obey({ kind: 'minutes', amount: 1, says: quietly, isOneCall: true });
    await this.harness.clock.advance(20 * MINUTE_MS);
    await this.harness.stop();
  }

  /** Minutes are judged a minute after they end, or at once when the desk is behind. */
  async #minutes(amount: number, says: readonly Say[]): Promise<void> {
    const first = this.#judged;
    const through = first + amount;
    if (this.now < through + 1) await this.harness.clock.advance((through + 1 - this.now) * MINUTE_MS);
    const evaluations: Evaluation[] = [];
    const verdicts: Parameters<AlertModel['observe']>[0][number][] = [];
    for (let minute = first; minute < through; minute++) {
      for (const [index, pair] of PAIRS.entries()) {
        const what = says[index] ?? 'nothing';
        if (what === 'nothing') continue;
        const evaluation = evaluationOf(what, { ...pair, minute });
        evaluations.push(evaluation);
        verdicts.push({ ...pair, end: minute + 1, verdict: verdictOf(what), observed: evaluation.observed, times: what === 'triple' ? 3 : 1 });
      }
    }
    this.#judged = through;
    await this.harness.desk.observe(evaluations, { judgedThrough: M0 + through });
    this.model.observe(verdicts, through, this.now);
    await this.harness.clock.settle();
  }

  /** A finding of the minute that is still open; it needs no confirmation. */
  async #live(index: number, severity: 'critical' | 'medium'): Promise<void> {
    const pair = PAIRS[index];
    if (pair === undefined) return;
    const minute = this.#judged;
    const evaluation = breach({ ...pair, minute, severity, isLive: true });
    await this.harness.desk.observe([evaluation]);
    this.model.observe([{ ...pair, end: minute + 1, verdict: severity, observed: evaluation.observed, times: 3 }], this.#judged, this.now);
    await this.harness.clock.settle();
  }

  async #tick(): Promise<void> {
    await this.harness.desk.tick();
    this.model.tick(this.now);
    await this.harness.clock.settle();
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

  /** The desk's open episodes are the model's, after every step. */
  #compare(): void {
    const mine = new Map(this.harness.desk.alerts().map((alert) => [`${alert.rule} ${alert.entity}`, `${alert.state} ${alert.severity}`]));
    expect(mine).toEqual(this.model.phases());
    expect(this.harness.desk.judgedThrough).toBe(this.model.through === 0 ? 0 : M0 + this.model.through);
  }
}

function evaluationOf(what: Exclude<Say, 'nothing'>, at: { readonly rule: string; readonly entity: EntityId; readonly minute: number }): Evaluation {
  if (what === 'clear' || what === 'hold') return quiet({ ...at, verdict: what });
  return what === 'triple' ? breach({ ...at, observed: finding({ minute: 0 }).expected * 3 }) : breach({ ...at, severity: what });
}

function verdictOf(what: Exclude<Say, 'nothing'>): ModelVerdict {
  return what === 'triple' ? 'medium' : what;
}

function nameOf(alert: { readonly rule: string; readonly entity: EntityId; readonly startedAt: number }): string {
  return `${alert.rule} ${alert.entity} ${(alert.startedAt - T0) / MINUTE_MS}`;
}

/** Alerts and messages as the journal tells them at the end. */
function journalOf(run: Run) {
  const entries = run.harness.entries;
  const alerts = new Map(entries.flatMap((entry) => entry.alerts).map((alert) => [alert.id, alert]));
  const rows = entries.flatMap((entry) => entry.outbox);
  const deliveries = entries.flatMap((entry) => entry.deliveries);
  return { entries, alerts, rows, deliveries };
}

/** What each channel heard of each alert, in order, repeats of one id left out; a message told inside another counts when that one arrived. */
function heardBy(run: Run, channel: 'slack' | 'email', journal: ReturnType<typeof journalOf>): ReadonlyMap<string, readonly string[]> {
  const { rows, deliveries } = journal;
  const byId = new Map(rows.map((row) => [row.id, row]));
  const inside = new Map<string, string[]>();
  for (const { row, result, into } of deliveries) if (result === 'merged' && into !== undefined) inside.set(into, [...(inside.get(into) ?? []), row]);
  const ids = new Set<string>();
  for (const { notification, outcome } of run.harness[channel].attempts)
    if (outcome === OK) for (const id of inside.get(notification.id) ?? [notification.id]) ids.add(id);
  const heard = new Map<string, string[]>();
  for (const id of ids) {
    const row = byId.get(id);
    if (row?.alert !== undefined) heard.set(row.alert.id, [...(heard.get(row.alert.id) ?? []), row.kind]);
  }
  return heard;
}

async function runOf(history: readonly Command[]): Promise<Run> {
  const run = new Run();
  await run.start();
  for (const command of history) await run.obey(command);
  await run.finish();
  return run;
}

describe('any history', () => {
  test('the desk raises, tells and ends exactly what the model says, whatever restarts and failing channels lie between', async () => {
    await fc.assert(
      fc.asyncProperty(commands(['ok', 'error', 'busy', 'hangs']), async (history) => {
        const run = await runOf(history);
        const { model } = run;
        const journal = journalOf(run);
        const { alerts, rows, entries } = journal;

        // No breach that qualifies is lost, none is made up, and every number of it is right.
        const fired = [...alerts.values()].filter((alert) => alert.firedAt !== undefined);
        expect(
          fired
            .map((alert) => ({
              name: nameOf(alert),
              phase: alert.state,
              severity: alert.severity,
              peak: alert.peak,
              findings: alert.findings,
              reopens: alert.reopens,
              endedAt: alert.resolvedAt === undefined ? undefined : (alert.resolvedAt - T0) / MINUTE_MS,
            }))
            .sort(byName),
        ).toEqual([...model.fired.values()].sort(byName));
        expect(entries.flatMap((entry) => entry.transitions).filter((move) => move.cause === 'not_confirmed')).toHaveLength(model.nearMisses);

        // Every message that is wanted is queued once, and no other.
        const told = rows.filter((row) => row.alert !== undefined);
        expect(told.map((row) => `${row.channel} ${row.kind} ${row.alert === undefined ? '' : nameOf(row.alert)}`).sort()).toEqual(model.rows.toSorted());
        expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
        for (const { name, min } of CHANNELS) {
          const summaries = rows.filter((row) => row.id.startsWith('catch-up-') && row.channel === name).map((row) => Number(row.text?.split(' ', 1)[0]));
          expect(summaries).toEqual(model.summaries.filter(({ worst }) => worst >= severityRank(min)).map(({ alerts: amount }) => amount));
        }

        // And every queued message arrived, in an order that makes sense.
        for (const { name } of CHANNELS) {
          const heard = heardBy(run, name, journal);
          const wanted = rows.filter((row) => row.channel === name && row.alert !== undefined);
          expect([...heard.values()].flat()).toHaveLength(wanted.length);
          for (const kinds of heard.values()) expect(kinds).toEqual(inOrder(kinds));
        }
        expect(run.harness.desk.health().map((channel) => channel.queued)).toEqual([0, 0]);
        expectSeverityNeverDrops(entries);
        await expectRefoldIsTheSame(run);
      }),
      { numRuns: Math.ceil(HISTORIES * 0.7), seed: SEED, endOnFailure: false },
    );
  }, 600_000);

  test('with channels that refuse messages: who heard that it fired hears that it ended, and never of two beginnings', async () => {
    await fc.assert(
      fc.asyncProperty(commands(['ok', 'error', 'busy', 'hangs', 'refuses', 'refuses']), async (history) => {
        const run = await runOf(history);
        const journal = journalOf(run);
        const { alerts, entries, deliveries } = journal;
        for (const { name } of CHANNELS) {
          for (const [id, kinds] of heardBy(run, name, journal)) {
            const refused = deliveries.some(
              (delivery) => delivery.result === 'dead' && delivery.row.startsWith(`${id}/${name}/resolved`) && delivery.attempt > 0,
            );
            const isOver = alerts.get(id)?.state === 'resolved';
            if (isOver && !refused) expect(kinds.at(-1)).toBe('resolved');
            expect(kinds.filter((kind) => kind === 'fired').length).toBeLessThanOrEqual(1);
          }
        }
        expect(run.harness.desk.health().map((channel) => channel.queued)).toEqual([0, 0]);
        expectSeverityNeverDrops(entries);
        await expectRefoldIsTheSame(run);
      }),
      { numRuns: Math.ceil(HISTORIES * 0.3), seed: SEED, endOnFailure: false },
    );
  }, 600_000);
});

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** Fired first, resolved last, resolved never twice in a row. */
function inOrder(kinds: readonly string[]): readonly string[] {
  const isFine =
    kinds[0] === 'fired' &&
    kinds.at(-1) === 'resolved' &&
    kinds.every((kind, index) => kind !== 'resolved' || kinds[index - 1] !== 'resolved') &&
    kinds.filter((kind) => kind === 'fired').length === 1;
  return isFine ? kinds : ['fired', '…', 'resolved'];
}

function expectSeverityNeverDrops(entries: ReturnType<typeof journalOf>['entries']): void {
  const seen = new Map<string, Severity>();
  for (const alert of entries.flatMap((entry) => entry.alerts)) {
    expect(severityRank(alert.severity)).toBeGreaterThanOrEqual(severityRank(seen.get(alert.id) ?? 'info'));
    seen.set(alert.id, alert.severity);
  }
}

/** The snapshot saved at the end equals the fold of the whole journal. */
async function expectRefoldIsTheSame(run: Run): Promise<void> {
  const saved = await run.harness.journal.snapshot();
  run.harness.forgetSnapshot();
  await run.harness.open();
  await run.harness.desk[Symbol.asyncDispose]();
  const folded = await run.harness.journal.snapshot();
  expect(JSON.parse(folded?.state ?? '')).toEqual(JSON.parse(saved?.state ?? ''));
}
