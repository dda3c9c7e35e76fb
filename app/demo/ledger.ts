import type { Alert } from '../../core/alert.ts';
import { type EpochMs, entityKind, entityName } from '../../core/types.ts';
import { HOUR_MS } from '../../core/window.ts';
import type { Attack } from '../simulate/attacks.ts';
import type { Catch } from './types.ts';

/** pending: not begun · running · over: ended, nothing caught it · caught · unseen: over, and no rule of today can see it */
export type AttackStatus = 'pending' | 'running' | 'over' | 'caught' | 'unseen';

export type AttackLine = { readonly attack: Attack; readonly status: AttackStatus; readonly caught: Catch | undefined };

/**
 * Compares what was raised with what was done. An alert belongs to an attack when it names one of its keys or networks and
 * began while the attack, or its trace in a sliding hour, lasted. What belongs to none is a false alert.
 */
export class AttackLedger {
  readonly #attacks: readonly Attack[];
  readonly #speed: number;
  readonly #caught = new Map<Attack, Catch>();
  readonly #alerts = new Map<string, { alert: Alert; readonly attack: Attack | undefined }>();

  constructor(attacks: readonly Attack[], options: { readonly speed: number }) {
    this.#attacks = [...attacks].sort((a, b) => a.start - b.start);
    this.#speed = options.speed;
  }

  /** Takes an alert that people are told of. `now` is the clock of the demo. Answers the attack it belongs to. */
  record(alert: Alert, now: EpochMs): Attack | undefined {
    const known = this.#alerts.get(alert.id);
    if (known !== undefined) {
      known.alert = alert;
      return known.attack;
    }
    const attack = this.#attacks.find((one) => belongsTo(alert, one));
    this.#alerts.set(alert.id, { alert, attack });
    if (attack !== undefined && !this.#caught.has(attack) && (attack.expectedRules.length === 0 || attack.expectedRules.includes(alert.rule))) {
      const afterMs = Math.max(0, now - attack.start);
      this.#caught.set(attack, { rule: alert.rule, alert, afterMs, afterWallMs: afterMs / this.#speed });
    }
    return attack;
  }

  lines(now: EpochMs): readonly AttackLine[] {
    return this.#attacks.map((attack) => {
      const caught = this.#caught.get(attack);
      return { attack, caught, status: statusOf(attack, caught, now) };
    });
  }

  /** In order of their first notice, each in its newest state. */
  alerts(): readonly { readonly alert: Alert; readonly attack: Attack | undefined }[] {
    return [...this.#alerts.values()];
  }

  falseAlerts(): readonly Alert[] {
    return this.alerts().flatMap(({ alert, attack }) => (attack === undefined ? [alert] : []));
  }

  /** Attacks that a rule was expected to see and none did. */
  missed(): readonly Attack[] {
    return this.#attacks.filter((attack) => attack.expectedRules.length > 0 && !this.#caught.has(attack));
  }
}

function statusOf(attack: Attack, caught: Catch | undefined, now: EpochMs): AttackStatus {
  if (caught !== undefined) return 'caught';
  if (now < attack.start) return 'pending';
  if (now < attack.end) return 'running';
  return attack.expectedRules.length === 0 ? 'unseen' : 'over';
}

function belongsTo(alert: Alert, attack: Attack): boolean {
  const name = entityName(alert.entity);
  const isSubject =
    entityKind(alert.entity) === 'network' ? attack.networks.includes(name) : attack.credentialIds.includes(name) || attack.labels.includes(alert.label);
  // A sliding hour still holds the attack an hour after it; its window begins up to an hour before.
  return isSubject && alert.lastBreachAt >= attack.start && alert.startedAt < attack.end + HOUR_MS;
}
