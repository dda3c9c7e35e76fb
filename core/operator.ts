/**
 * What people may ask of the judge. A command is submitted to the inbox by any process, applied by the judge in one
 * journal entry that names it, and answered there: applied, or refused with one plain reason.
 */
import type { DurationMs, EntityId, EpochMs } from './types.ts';

/** Who acts, and by which way it was established who that is. */
export type Actor = { readonly way: 'cli' | 'api' | 'slack' | 'email' | 'keywatch'; readonly name: string };

/** Keywatch itself. */
export const KEYWATCH: Actor = { way: 'keywatch', name: 'keywatch' };

/** `cli:maria`, `api:ci-bot`, `slack:U012AB3CD`; only `keywatch` for the judge itself. */
export function actorText({ way, name }: Actor): string {
  return way === 'keywatch' ? name : `${way}:${name}`;
}

/** A condition on labels. A label that is not there has the value ''. Expressions match the whole value. */
export type Matcher = { readonly label: string; readonly op: '=' | '!=' | '=~' | '!~'; readonly value: string };

/** Why a person ends an alert. */
export const RESOLVE_REASONS = ['expected', 'fixed', 'false_positive'] as const;
export type ResolveReason = (typeof RESOLVE_REASONS)[number];

/** What a person says of an alert afterwards: it was meant, it was wrong, it was right. */
export const VERDICTS = ['expected', 'false', 'true'] as const;
export type FeedbackVerdict = (typeof VERDICTS)[number];

type Submitted = {
  /** Random. A command that was applied once is never applied again. */
  readonly id: string;
  readonly at: EpochMs;
  readonly actor: Actor;
};

/** `target` is the id of an incident, or of an alert, which stands for its incident (for `resolve` and `feedback`: for itself). */
export type OperatorCommand = Submitted &
  (
    | { readonly kind: 'acknowledge'; readonly target: string; readonly note?: string; readonly forMs?: DurationMs }
    | { readonly kind: 'unacknowledge'; readonly target: string; readonly note?: string }
    | { readonly kind: 'resolve'; readonly target: string; readonly reason: ResolveReason; readonly note?: string }
    | {
        readonly kind: 'add_silence';
        readonly matchers: readonly Matcher[];
        /** Default now. */
        readonly startsAt?: EpochMs;
        /** Default two hours after the start, at most 30 days. */
        readonly endsAt?: EpochMs;
        readonly reason: string;
        /** Also over tripwires and failed containment. */
        readonly includeCritical?: boolean;
      }
    | { readonly kind: 'end_silence'; readonly silence: string; readonly note?: string }
    | {
        readonly kind: 'add_maintenance';
        /** None: everything. */
        readonly matchers: readonly Matcher[];
        readonly startsAt: EpochMs;
        readonly endsAt: EpochMs;
        readonly reason: string;
        readonly includeCritical?: boolean;
      }
    | { readonly kind: 'end_maintenance'; readonly maintenance: string; readonly note?: string }
    | {
        readonly kind: 'add_exception';
        /** Any name of the key; it holds for its lineage. */
        readonly entity: EntityId;
        readonly rule: string;
        /** What is observed up to this value is expected; more is told as ever. In the unit of the rule. */
        readonly upTo: number;
        readonly until: EpochMs;
        readonly reason: string;
      }
    | { readonly kind: 'end_exception'; readonly exception: string; readonly note?: string }
    | { readonly kind: 'feedback'; readonly target: string; readonly verdict: FeedbackVerdict; readonly note?: string }
    /** The configuration was read again: told in the audit, and on the channels when `text` is there. */
    | { readonly kind: 'reload_notice'; readonly text?: string; readonly changes: readonly string[] }
  );

export type CommandKind = OperatorCommand['kind'];

/** The judge's answer, in the journal under the command's id. `made` is the id of what it made. */
export type CommandResult = {
  readonly id: string;
  readonly kind: CommandKind;
  readonly actor: Actor;
  /** Wall clock of the judge. */
  readonly at: EpochMs;
  readonly status: 'applied' | 'refused';
  /** Of a refusal: what is wrong and what to do. */
  readonly reason?: string;
  readonly made?: string;
};
