import { describe, expect, test } from 'vitest';
import { AttackLedger } from '../../../app/demo/ledger.ts';
import { planDemo } from '../../../app/demo/plan.ts';
import type { Attack, AttackName } from '../../../app/simulate/attacks.ts';
import { entityId } from '../../../core/types.ts';
import { alertOf } from './alert.ts';

const MINUTE = 60_000;
const plan = planDemo({ seed: 1, end: Date.UTC(2026, 5, 2, 12), spanMs: 60 * MINUTE });

function named(name: AttackName): Attack {
  const found = plan.attacks.find((attack) => attack.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

const keyOf = (attack: Attack): ReturnType<typeof entityId> => entityId('key', attack.credentialIds[0] ?? '');

describe('ledger of attacks', () => {
  test('an alert on the key of an attack catches it, and says after how long', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const storm = named('retry-storm');
    const at = storm.start + 90_000;
    expect(ledger.record(alertOf({ at, entity: keyOf(storm), rule: 'request_rate' }), at)).toBe(storm);
    const line = ledger.lines(at).find((one) => one.attack === storm);
    expect(line?.status).toBe('caught');
    expect(line?.caught).toMatchObject({ rule: 'request_rate', afterMs: 90_000, afterWallMs: 1_500 });
    expect(ledger.falseAlerts()).toEqual([]);
  });

  test('the same key under another name, with its label, counts as well', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const storm = named('retry-storm');
    const at = storm.start + 60_000;
    expect(ledger.record(alertOf({ at, entity: entityId('key', 'kf1_0123456789abcdef0123456789abcdef'), label: storm.labels[0] ?? '' }), at)).toBe(storm);
  });

  test('a network belongs to the attack that came from it', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const brute = named('brute-force');
    const at = brute.start + 60_000;
    expect(ledger.record(alertOf({ at, entity: entityId('network', brute.networks[0] ?? ''), label: 'network', rule: 'guessing' }), at)).toBe(brute);
    expect(ledger.missed().map((attack) => attack.name)).toEqual(['retry-storm', 'error-burst', 'bulk-download']);
  });

  test('another rule on the key belongs to the attack but does not catch it', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const storm = named('retry-storm');
    const at = storm.start + 60_000;
    expect(ledger.record(alertOf({ at, entity: keyOf(storm), rule: 'data_transfer' }), at)).toBe(storm);
    expect(ledger.missed()).toContain(storm);
    expect(ledger.falseAlerts()).toEqual([]);
  });

  test('an alert on anybody else, or before the attack, is a false one, once', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const storm = named('retry-storm');
    const other = alertOf({ at: storm.start, entity: entityId('key', 'somebody'), label: 'somebody' });
    const early = alertOf({ at: storm.start - 5 * MINUTE, entity: keyOf(storm) });
    for (const alert of [other, early, other, { ...other, state: 'resolved' as const }]) expect(ledger.record(alert, storm.start)).toBeUndefined();
    expect(ledger.falseAlerts().map((alert) => alert.id)).toEqual([other.id, early.id]);
    expect(ledger.falseAlerts()[0]?.state).toBe('resolved');
    expect(ledger.missed()).toContain(storm);
  });

  test('the first alert counts, later ones change nothing', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const brute = named('brute-force');
    ledger.record(alertOf({ at: brute.start + 60_000, entity: keyOf(brute), rule: 'failed_auth' }), brute.start + 60_000);
    ledger.record(alertOf({ at: brute.start + 120_000, entity: entityId('network', brute.networks[0] ?? ''), rule: 'guessing' }), brute.start + 120_000);
    expect(ledger.lines(brute.end).find((line) => line.attack === brute)?.caught?.rule).toBe('failed_auth');
  });

  test('status follows the clock; quiet attacks are unseen, not missed', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const status = (name: AttackName, at: number): string | undefined => ledger.lines(at).find((line) => line.attack.name === name)?.status;
    const storm = named('retry-storm');
    expect(status('retry-storm', storm.start - 1)).toBe('pending');
    expect(status('retry-storm', storm.start)).toBe('running');
    expect(status('retry-storm', storm.end)).toBe('over');
    expect(status('leaked-key', plan.end)).toBe('unseen');
    expect(ledger.missed().map((attack) => attack.name)).toEqual(['brute-force', 'retry-storm', 'error-burst', 'bulk-download']);
  });

  test('a later detector that sees a quiet attack gets the credit', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const leaked = named('leaked-key');
    ledger.record(alertOf({ at: leaked.start + 60_000, entity: keyOf(leaked), rule: 'new_network' }), leaked.start + 60_000);
    expect(ledger.lines(plan.end).find((line) => line.attack === leaked)?.status).toBe('caught');
  });
});
