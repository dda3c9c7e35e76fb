import type { DurationMs, Severity } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';

/** What happens when nobody acknowledges for so long. It only tells people: waiting never acts on a key. */
export type EscalationStep = {
  readonly afterMs: DurationMs;
  /** Default: the channels that were told already. */
  readonly channels?: readonly string[] | undefined;
  /** Call the people on duty by name, where the channel knows them. */
  readonly mentions?: boolean | undefined;
};
export type EscalationSteps = Readonly<Partial<Record<Severity, readonly EscalationStep[]>>>;

/** Calls by name; whoever has a second channel configures it. */
export const DEFAULT_ESCALATION: EscalationSteps = {
  critical: [{ afterMs: 10 * MINUTE_MS, mentions: true }],
  high: [{ afterMs: 30 * MINUTE_MS, mentions: true }],
};

/** Step number `done` of a severity, with its name; undefined after the last. */
export function nextStep(
  steps: EscalationSteps,
  severity: Severity,
  done: number,
): { readonly afterMs: DurationMs; readonly channels: readonly string[] | undefined; readonly mentions: boolean; readonly what: string } | undefined {
  const step = (steps[severity] ?? []).toSorted((a, b) => a.afterMs - b.afterMs)[done];
  if (step === undefined) return undefined;
  const what =
    step.channels === undefined ? 'the people on duty are called' : `${step.channels.join(' and ')} ${step.channels.length === 1 ? 'is' : 'are'} told`;
  return { afterMs: step.afterMs, channels: step.channels, mentions: step.mentions ?? false, what };
}

/** The configured steps over the default ones. */
export function escalationOf(configured: EscalationSteps | undefined): EscalationSteps {
  return { ...DEFAULT_ESCALATION, ...configured };
}
