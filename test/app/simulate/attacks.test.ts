import { describe, expect, test } from 'vitest';
import { type Attack, type AttackName, ATTACK_NAMES, planAttacks, withAttacks } from '../../../app/simulate/attacks.ts';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';

const START = Date.UTC(2026, 5, 2, 9, 0, 0);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SEEDS = [1, 2, 3, 4, 5];

function plan(seed: number, span = HOUR): readonly Attack[] {
  return planAttacks({ seed, population: new Population({ seed, keys: 48 }), start: START, end: START + span });
}

function named(attacks: readonly Attack[], name: AttackName): Attack {
  const found = attacks.find((attack) => attack.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function perMinute(events: readonly SimulatedEvent[]): number[] {
  const counts = new Map<number, number>();
  for (const event of events) counts.set(Math.floor(event.at / MINUTE), (counts.get(Math.floor(event.at / MINUTE)) ?? 0) + 1);
  return [...counts.values()];
}

const isDenied = (event: SimulatedEvent): boolean => event.status === 401 || event.status === 403;
const isError = (event: SimulatedEvent): boolean => event.status >= 400 && ![401, 403, 429, 499].includes(event.status);
const bytes = (events: readonly SimulatedEvent[]): number => events.reduce((sum, event) => sum + event.bytesIn + event.bytesOut, 0);

describe('attacks', () => {
  test('a seed makes the same six attacks, another seed others', () => {
    expect(plan(1)).toEqual(plan(1));
    expect(plan(1)).not.toEqual(plan(2));
    expect(
      plan(1)
        .map((attack) => attack.name)
        .sort(),
    ).toEqual([...ATTACK_NAMES].sort());
  });

  test('each has a key of its own, lies inside the stretch and holds no event outside its own time', () => {
    for (const seed of SEEDS) {
      const attacks = plan(seed);
      expect(new Set(attacks.flatMap((attack) => attack.credentialIds)).size).toBe(6);
      for (const attack of attacks) {
        expect(attack.start).toBeGreaterThanOrEqual(START);
        expect(attack.end).toBeLessThanOrEqual(START + HOUR);
        expect(
          attack.events.every((event, index) => event.at >= attack.start && event.at < attack.end && event.at >= (attack.events[index - 1]?.at ?? 0)),
        ).toBe(true);
      }
    }
  });

  test('brute force: one network, many different guesses and more than 50 refusals of one key, within an hour', () => {
    for (const seed of SEEDS) {
      const attack = named(plan(seed), 'brute-force');
      expect(attack.events.every(isDenied)).toBe(true);
      expect(attack.end - attack.start).toBeLessThan(HOUR);
      const network = attack.networks[0]?.replace(/0\/24$/, '') ?? '?';
      expect(attack.events.every((event) => event.address.startsWith(network))).toBe(true);
      const guesses = attack.events.filter((event) => event.credentialId === undefined);
      expect(new Set(guesses.map((event) => event.key)).size).toBe(guesses.length);
      expect(guesses.length).toBeGreaterThan(50);
      expect(attack.events.filter((event) => event.credentialId === attack.credentialIds[0]).length).toBeGreaterThan(50);
      expect(attack.expectedRules).toEqual(['failed_auth', 'guessing']);
    }
  });

  test('retry storm: more than 1,000 requests of one key in a minute, none of them an error of the key', () => {
    for (const seed of SEEDS) {
      const attack = named(plan(seed), 'retry-storm');
      expect(Math.max(...perMinute(attack.events))).toBeGreaterThan(1_000);
      expect(attack.events.some(isError)).toBe(false);
      expect(new Set(attack.events.map((event) => event.key)).size).toBe(1);
      expect(attack.expectedRules).toEqual(['request_rate']);
    }
  });

  test('error burst: over 10 % errors of at least 50 requests in five minutes, also with what the key does besides', () => {
    for (const seed of SEEDS) {
      const attacks = plan(seed);
      const attack = named(attacks, 'error-burst');
      const all = stream(seed, attacks).filter((event) => event.credentialId === attack.credentialIds[0]);
      const middle = attack.start + 6 * MINUTE;
      const five = all.filter((event) => event.at >= middle - 5 * MINUTE && event.at < middle);
      expect(five.length).toBeGreaterThanOrEqual(50);
      expect(five.filter(isError).length / five.length).toBeGreaterThan(0.1);
      expect(Math.max(...perMinute(all))).toBeLessThan(500);
    }
  });

  test('bulk download: over 1 GB within an hour, with few requests', () => {
    for (const seed of SEEDS) {
      const attack = named(plan(seed), 'bulk-download');
      expect(bytes(attack.events)).toBeGreaterThan(1024 ** 3);
      expect(Math.max(...perMinute(attack.events))).toBeLessThan(100);
      expect(attack.expectedRules).toEqual(['data_transfer']);
    }
  });

  test('the two quiet attacks stay under every shipped limit together with the ordinary traffic of their key', () => {
    for (const seed of SEEDS) {
      for (const span of [HOUR, 4 * HOUR]) {
        const attacks = plan(seed, span);
        const events = stream(seed, attacks, span);
        for (const name of ['leaked-key', 'slow-exfiltration'] as const) {
          const attack = named(attacks, name);
          expect(attack.expectedRules).toEqual([]);
          expect(attack.events.every((event) => event.status === 200)).toBe(true);
          const all = events.filter((event) => event.credentialId === attack.credentialIds[0]);
          expect(Math.max(...perMinute(all))).toBeLessThan(500);
          for (let from = START; from < START + span; from += 10 * MINUTE) {
            expect(bytes(all.filter((event) => event.at >= from && event.at < from + HOUR))).toBeLessThan(500 * 1024 * 1024);
          }
        }
      }
    }
  });

  test('leaked key: the thief comes from a network where the key never was, and where no other attack comes from', () => {
    for (const seed of SEEDS) {
      const attacks = plan(seed);
      const attack = named(attacks, 'leaked-key');
      const population = new Population({ seed, keys: 48 });
      const owner = population.all().find((key) => key.credentialId === attack.credentialIds[0]);
      const network = attack.networks[0]?.replace(/0\/24$/, '') ?? '?';
      expect(owner?.clients.some((client) => client.address.startsWith(network))).toBe(false);
      expect(attack.events.every((event) => event.address.startsWith(network))).toBe(true);
      expect(attacks.filter((other) => other.networks.some((one) => attack.networks.includes(one)))).toHaveLength(1);
    }
  });

  test('slow exfiltration: one object after the other, no object twice', () => {
    const attack = named(plan(1), 'slow-exfiltration');
    const ids = attack.events.map((event) => Number(event.path.split('/')[3]));
    expect(ids.every((id, index) => index === 0 || id === (ids[index - 1] ?? 0) + 1)).toBe(true);
    expect(bytes(attack.events)).toBeGreaterThan(150 * 1024 * 1024);
  });

  test('merging keeps time order and loses nothing', () => {
    const attacks = plan(2);
    const background = [...traffic(2, HOUR)];
    const merged = [...withAttacks(background, attacks)];
    expect(merged.every((event, index) => event.at >= (merged[index - 1]?.at ?? 0))).toBe(true);
    expect(merged.length).toBe(background.length + attacks.reduce((sum, attack) => sum + attack.events.length, 0));
  });

  test('a stretch of half an hour is enough, less is refused', () => {
    for (const attack of plan(1, 30 * MINUTE)) expect(attack.end).toBeLessThanOrEqual(START + 30 * MINUTE);
    expect(() => plan(1, 29 * MINUTE)).toThrow('BUG');
  });
});

function traffic(seed: number, span: number): Traffic {
  return new Traffic(new Population({ seed, keys: 48 }), { seed, start: START, end: START + span, eventsPerMinute: 1_500, zipfExponent: 0.9 });
}

function stream(seed: number, attacks: readonly Attack[], span = HOUR): SimulatedEvent[] {
  return [...withAttacks(traffic(seed, span), attacks)];
}
