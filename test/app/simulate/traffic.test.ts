import { describe, expect, test } from 'vitest';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';
import { Population } from '../../../app/simulate/population.ts';
import { activity, Traffic } from '../../../app/simulate/traffic.ts';

const START = Date.UTC(2026, 5, 2, 9, 0, 0);
const MINUTE = 60_000;

function take(seed: number, count: number, keys = 40): SimulatedEvent[] {
  const traffic = new Traffic(new Population({ seed, keys }), { seed, start: START, eventsPerMinute: 1_500, zipfExponent: 0.9 });
  const events: SimulatedEvent[] = [];
  for (const event of traffic) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

describe('traffic', () => {
  test('the same seed makes the same events, another seed others', () => {
    expect(take(1, 500)).toEqual(take(1, 500));
    expect(take(1, 500)).not.toEqual(take(2, 500));
  });

  test('a key depends on the seed and its index only, not on who was asked for before', () => {
    const forwards = new Population({ seed: 4, keys: 30 });
    const backwards = new Population({ seed: 4, keys: 30 });
    const last = backwards.key(29);
    expect(forwards.all()[29]).toEqual(last);
  });

  test('events come in time order, at the rate asked for, and end where told', () => {
    const traffic = new Traffic(new Population({ seed: 1, keys: 40 }), { seed: 1, start: START, end: START + 20 * MINUTE, eventsPerMinute: 1_000 });
    const times = [...traffic].map((event) => event.at);
    expect(times.every((time, index) => time >= (times[index - 1] ?? START) && time < START + 20 * MINUTE)).toBe(true);
    expect(Math.abs(times.length - 20_000)).toBeLessThan(600);
  });

  test('the first key makes ten times the requests of the tenth', () => {
    const population = new Population({ seed: 1, keys: 100 });
    const traffic = new Traffic(population, { seed: 1, start: START, eventsPerMinute: 100_000 });
    const counts = new Map<string, number>();
    for (let i = 0; i < 100_000; i++) {
      const key = traffic.next()?.key ?? '';
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const ratio = (counts.get(population.key(0).secret) ?? 0) / (counts.get(population.key(9).secret) ?? 1);
    expect(ratio).toBeGreaterThan(9);
    expect(ratio).toBeLessThan(11);
  });

  test('every address is of a range that belongs to nobody, and keys do not share them', () => {
    for (const keys of [40, 5_000, 20_000]) {
      const owners = new Map<string, number>();
      const population = new Population({ seed: 2, keys });
      for (let index = 0; index < keys; index += keys > 5_000 ? 97 : 1) {
        for (const client of population.key(index).clients) {
          expect(client.address).toMatch(/^(?:198\.18\.\d+\.\d+|10\.\d+\.\d+\.\d+|2001:db8:[0-9a-f]+::[0-9a-f]+)$/);
          expect(owners.get(client.address) ?? index).toBe(index);
          owners.set(client.address, index);
        }
      }
    }
  });

  test('some keys are used by several clients, from two networks and with two agents', () => {
    const keys = new Population({ seed: 1, keys: 200 }).all();
    expect(keys.some((key) => key.clients.length >= 3)).toBe(true);
    expect(keys.some((key) => key.clients.some((client) => client.address.includes(':')) && key.clients.some((client) => client.address.includes('.')))).toBe(
      true,
    );
    expect(keys.some((key) => new Set(key.clients.map((client) => client.agent)).size > 1)).toBe(true);
  });

  test('one client for each key: address and agent name the key', () => {
    const keys = new Population({ seed: 1, keys: 5_000, clientsPerKeyMax: 1 }).all();
    expect(new Set(keys.map((key) => `${key.clients[0]?.address} ${key.clients[0]?.agent}`)).size).toBe(5_000);
  });

  test('paths follow their route, and ids stand where the placeholders are', () => {
    for (const event of take(3, 3_000)) {
      const pattern = new RegExp(`^${event.route.replaceAll('{id}', '[0-9a-f-]+')}$`);
      expect(event.path).toMatch(pattern);
    }
  });

  test('ordinary traffic stays under every shipped limit: what fires on it is a false alert', () => {
    for (const seed of [1, 2]) {
      const perKey = new Map<string, SimulatedEvent[]>();
      const traffic = new Traffic(new Population({ seed, keys: 48 }), {
        seed,
        start: START,
        end: START + 60 * MINUTE,
        eventsPerMinute: 1_500,
        zipfExponent: 0.9,
      });
      for (const event of traffic) {
        const events = perKey.get(event.key);
        if (events === undefined) perKey.set(event.key, [event]);
        else events.push(event);
      }
      for (const events of perKey.values()) {
        for (let minute = 0; minute < 60; minute++) {
          const inMinute = events.filter((event) => Math.floor((event.at - START) / MINUTE) === minute);
          expect(inMinute.length).toBeLessThan(500);
          const inFive = events.filter((event) => event.at >= START + (minute - 4) * MINUTE && event.at < START + (minute + 1) * MINUTE);
          const errors = inFive.filter((event) => event.status >= 400 && ![401, 403, 429, 499].includes(event.status)).length;
          if (inFive.length >= 50) expect(errors / inFive.length).toBeLessThan(0.05);
        }
        expect(events.filter((event) => event.status === 401 || event.status === 403).length).toBeLessThanOrEqual(10);
        expect(events.reduce((sum, event) => sum + event.bytesIn + event.bytesOut, 0)).toBeLessThan(500 * 1024 * 1024);
      }
    }
  });

  test('ordinary traffic is not clean: every kind of outcome is in it', () => {
    const statuses = new Set(take(1, 40_000).map((event) => event.status));
    for (const status of [200, 201, 202, 204, 304, 400, 401, 403, 404, 429, 499, 500, 503]) expect(statuses).toContain(status);
  });

  test('office hours: people work on a Tuesday morning, and not on a Sunday or at night', () => {
    const at = (day: number, hour: number): number => activity('office', Date.UTC(2026, 5, day, hour));
    expect(at(2, 13)).toBeGreaterThan(0.9);
    expect(at(2, 3)).toBeLessThan(0.1);
    expect(at(7, 13)).toBeLessThan(0.2);
    expect(activity('nightly', Date.UTC(2026, 5, 2, 3))).toBe(1);
    expect(activity('nightly', Date.UTC(2026, 5, 2, 13))).toBeLessThan(0.1);
    for (let hour = 0; hour < 168; hour++) {
      for (const rhythm of ['steady', 'office', 'nightly'] as const) {
        const value = activity(rhythm, START + hour * 60 * MINUTE);
        expect(value).toBeGreaterThan(0);
        expect(value).toBeLessThanOrEqual(1);
      }
    }
  });

  test('with the office shape a night has fewer events than a day', () => {
    const count = (hour: number): number => {
      const start = Date.UTC(2026, 5, 2, hour);
      return [...new Traffic(new Population({ seed: 1, keys: 50 }), { seed: 1, start, end: start + 30 * MINUTE, eventsPerMinute: 500, shape: 'office' })]
        .length;
    };
    expect(count(23)).toBeLessThan(count(13) * 0.8);
  });
});
