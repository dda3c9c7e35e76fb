import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readDay, Replay } from '../../../app/simulate/replay.ts';

const START = Date.UTC(2026, 5, 2, 9, 0, 0);
const DAY_MS = 86_400_000;

const SMALL =
  '1.2.3.4 - - [19/May/2024:00:10:00 +0000] "GET /a HTTP/1.1" 200 1 "-" "x"\n1.2.3.4 - - [19/May/2024:12:00:00 +0000] "GET /b HTTP/1.1" 200 1 "-"\n "spilled"\n';

describe('replay', () => {
  test('only the time in the brackets changes, and a spilled line stays with its own', () => {
    const replay = new Replay({ start: START, compression: 20, log: SMALL });
    expect(replay.next()).toEqual({ at: START + 30_000, text: '1.2.3.4 - - [02/Jun/2026:09:00:30 +0000] "GET /a HTTP/1.1" 200 1 "-" "x"\n' });
    expect(replay.next()).toEqual({ at: START + DAY_MS / 40, text: '1.2.3.4 - - [02/Jun/2026:09:36:00 +0000] "GET /b HTTP/1.1" 200 1 "-"\n "spilled"\n' });
  });

  test('after the day it begins again, and time never goes back', () => {
    const replay = new Replay({ start: START });
    let last = START;
    for (let i = 0; i < replay.length * 3; i++) {
      const line = replay.next();
      expect(line.at).toBeGreaterThanOrEqual(last);
      last = line.at;
    }
    expect(last - START).toBeGreaterThan((2.9 * DAY_MS) / 20);
    expect(last - START).toBeLessThanOrEqual((3 * DAY_MS) / 20);
  });

  test('the shipped day is the real one: 1,068 requests, and every address is of the benchmark range', () => {
    const requests = readDay()
      .split('\n')
      .filter((line) => /^\d/.test(line));
    // grep -c '^[0-9]' ../shared/data/logs/erddap/access.log.2
    expect(requests).toHaveLength(1_068);
    expect(new Replay({ start: START }).length).toBe(1_068);
    for (const line of requests) expect(line).toMatch(/^198\.19\.\d+\.\d+ /);
    // awk '/^[0-9]+\./{print $1}' access.log.2 | sort -u | wc -l, each in a network of its own.
    expect(new Set(requests.map((line) => line.split(' ')[0]?.replace(/\.\d+$/, ''))).size).toBe(131);
  });

  test('nothing that names a person is left in it', () => {
    const day = readDay();
    for (const found of day.matchAll(/email=([^&\s"]*)/g)) expect(found[1]).toBe('nobody%40example.com');
    for (const found of day.matchAll(/flagKey(?:%3D|=)([0-9A-Za-z]*)/g)) expect(found[1]).toBe('0');
  });

  test('it is shipped with its licence', () => {
    expect(readFileSync(new URL('../../../app/simulate/data/LICENSE', import.meta.url), 'utf8')).toContain('MIT License');
  });
});
