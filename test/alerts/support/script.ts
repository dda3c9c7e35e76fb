import { expect } from 'vitest';
import type { OperatorCommand } from '../../../core/operator.ts';
import { type EntityId, OK } from '../../../core/types.ts';
import type { Evaluation } from '../../../core/finding.ts';
import { MINUTE_MS } from '../../../core/window.ts';
import { KEY, RULE, T0, breach, quiet } from './build.ts';
import { DeskHarness } from './desk-harness.ts';

/**
 * What one rule says of one key, a letter a minute: `C` critical, `H` high, `M` medium, `L` low, `X` critical six times
 * over its limit, `.` clear, `-` below the limit but not clear, ` ` nothing. A minute is judged a minute after it ends:
 * what stands at place 0 is known at minute 2.
 */
export type Lane = { readonly says: string; readonly entity?: EntityId; readonly rule?: string };
/** `Omit` over each member of the union. */
type Ask = OperatorCommand extends infer C ? (C extends OperatorCommand ? Omit<C, 'id' | 'at' | 'actor'> : never) : never;
export type Act = Ask | 'stop' | 'kill' | 'slack fails' | 'slack works' | 'stale' | 'fresh' | ((harness: DeskHarness) => void | Promise<void>);
export type Script = {
  readonly name: string;
  readonly lanes: readonly (Lane | string)[];
  /** At minutes after T0, in order. */
  readonly acts?: readonly (readonly [minute: number, act: Act])[];
  readonly until: number;
  readonly setup?: (harness: DeskHarness) => void;
  /** Everything that Slack is sent, in order: `kind`, and the minutes after T0 between which it must come. */
  readonly expect: readonly (readonly [kind: string, from: number, to: number])[];
  /** Transitions that must be among those of the journal, in this order. */
  readonly moves?: readonly string[];
};

const SEVERITY = { C: 'critical', H: 'high', M: 'medium', L: 'low' } as const;

export async function play(script: Script): Promise<DeskHarness> {
  const harness = new DeskHarness();
  script.setup?.(harness);
  await harness.start();
  const acts = [...(script.acts ?? [])];
  let number = 0;
  for (let minute = 0; minute <= script.until; minute++) {
    const now = T0 + minute * MINUTE_MS;
    if (now > harness.clock.now()) await harness.clock.advance(now - harness.clock.now());
    const judged = minute - 2;
    if (judged >= 0)
      await harness.closed(
        judged,
        script.lanes.flatMap((lane) => saidAt(typeof lane === 'string' ? { says: lane } : lane, judged)),
      );
    while (acts[0] !== undefined && acts[0][0] <= minute) {
      const act = acts.shift()?.[1];
      if (act !== undefined) await perform(harness, act, `c${++number}`);
    }
  }
  await harness.clock.settle();
  return harness;
}

export async function playAndExpect(script: Script): Promise<void> {
  const harness = await play(script);
  const sent = harness.slack.attempts
    .filter(({ outcome }) => outcome === OK)
    .map(({ at, notification }) => ({ kind: notification.kind, minute: (at - T0) / MINUTE_MS }));
  expect(sent.map(({ kind }) => kind)).toEqual(script.expect.map(([kind]) => kind));
  for (const [index, [kind, from, to]] of script.expect.entries()) {
    const minute = sent[index]?.minute ?? -1;
    expect(minute, `${kind} between minute ${from} and ${to}`).toBeGreaterThanOrEqual(from);
    expect(minute, `${kind} between minute ${from} and ${to}`).toBeLessThanOrEqual(to);
  }
  const moves = harness.entries.flatMap((entry) => entry.transitions).map(({ from, to, cause }) => `${from}>${to} ${cause}`);
  let place = 0;
  for (const move of script.moves ?? []) {
    const at = moves.indexOf(move, place);
    expect(at, `${move} after ${moves.slice(0, place).join(', ')} in ${moves.join(', ')}`).toBeGreaterThanOrEqual(0);
    place = at + 1;
  }
  await harness.stop();
}

export function saidAt({ says, entity = KEY, rule = RULE }: Lane, minute: number): readonly Evaluation[] {
  // After its last letter a lane stays as that one says.
  const letter = says[minute] ?? says.at(-1) ?? ' ';
  const at = { minute, entity, rule };
  if (letter === ' ') return [];
  if (letter === '.') return [quiet(at)];
  if (letter === '-') return [quiet({ ...at, verdict: 'hold' })];
  if (letter === 'X') return [breach({ ...at, severity: 'critical', observed: 6000 })];
  const severity = SEVERITY[letter as keyof typeof SEVERITY];
  return [breach({ ...at, severity })];
}

async function perform(harness: DeskHarness, act: Act, id: string): Promise<void> {
  if (typeof act === 'function') return act(harness);
  switch (act) {
    case 'stop':
      await harness.stop();
      await harness.start();
      return;
    case 'kill':
      await harness.kill();
      await harness.start();
      return;
    case 'slack fails':
      harness.slack.answer = { ok: false, retryable: true, reason: 'HTTP 500' };
      return;
    case 'slack works':
      harness.slack.answer = OK;
      return;
    case 'stale':
      harness.watermark = () => T0 - 10 * MINUTE_MS;
      return;
    case 'fresh':
      harness.watermark = () => harness.clock.now();
      return;
    default: {
      const command = { ...act, id, at: harness.clock.now(), actor: { way: 'cli', name: 'maria' } } as OperatorCommand;
      await harness.desk.obey(command);
      await harness.clock.settle();
    }
  }
}
