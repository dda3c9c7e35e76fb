import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { DemoFeed } from '../../../app/demo/feed.ts';
import { planDemo, secretsOf, WARM_UP_MS } from '../../../app/demo/plan.ts';

const MINUTE = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'keywatch-feed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = planDemo({ seed: 3, end: Date.UTC(2026, 5, 2, 12), spanMs: 30 * MINUTE });

function written(feed: DemoFeed): readonly [readonly string[], readonly string[]] {
  const [gateway, replayed] = feed.files.map((path) => readFileSync(path, 'latin1').split('\n').slice(0, -1));
  return [gateway ?? [], replayed ?? []];
}

const whole = new DemoFeed(plan, join(folder, 'whole'));
whole.advance(plan.end);
whole.advance(plan.end + MINUTE);
afterAll(() => whole[Symbol.dispose]());

describe('feed of the demo', () => {
  test('however it is paced, the files are the same, byte for byte', () => {
    const ends = [plan.start, plan.start + 1_234, plan.start + 5 * MINUTE, plan.start + 5 * MINUTE, plan.end];
    using paced = new DemoFeed(plan, join(folder, 'paced'));
    for (const end of ends) paced.advance(end);
    paced.files.forEach((path, index) => expect(readFileSync(path).equals(readFileSync(whole.files[index] ?? ''))).toBe(true));
  });

  test('nothing is written before its time, and only whole lines', () => {
    using feed = new DemoFeed(plan, join(folder, 'time'));
    const until = plan.start + 3 * MINUTE;
    const count = feed.advance(until);
    const [gateway, replayed] = written(feed);
    const times = gateway.map((line) => JSON.parse(line).started_at as number);
    expect(times.every((time) => time >= plan.warmUp && time < until)).toBe(true);
    expect(times[0]).toBeLessThan(plan.warmUp + MINUTE);
    const requests = replayed.filter((line) => /^\d/.test(line));
    expect(count).toBe(gateway.length + requests.length);
    expect(feed.written).toBe(count);
    for (const line of requests) {
      const found = /\[(\d+)\/(\w+)\/(\d+):([\d:]+) /.exec(line);
      expect(Date.parse(`${found?.[2]} ${found?.[1]}, ${found?.[3]} ${found?.[4]} UTC`)).toBeLessThan(until);
    }
  });

  test('both logs begin ten minutes before the demo and the attacks are in the gateway log', () => {
    expect(plan.start - plan.warmUp).toBe(WARM_UP_MS);
    const gateway = new Set(written(whole)[0].map((line) => `${JSON.parse(line).started_at} ${JSON.parse(line).request.headers.apikey}`));
    expect(plan.attacks.flatMap((attack) => attack.events).filter((event) => !gateway.has(`${event.at} ${event.key}`))).toEqual([]);
  });

  test('the list of secrets is complete: every key in the log is in it', () => {
    const secrets = secretsOf(plan);
    const keys = new Set(written(whole)[0].map((line) => String(JSON.parse(line).request.headers.apikey)));
    expect([...keys].filter((key) => !secrets.has(key))).toEqual([]);
    expect(keys.size).toBeGreaterThan(200);
  });

  test('a plan depends on the seed and its place in time only, and starts with a minute', () => {
    const again = planDemo({ seed: 3, end: plan.end + 59_999, spanMs: 30 * MINUTE });
    expect(again.attacks).toEqual(plan.attacks);
    expect(plan.start % MINUTE).toBe(0);
    expect(plan.end % MINUTE).toBe(0);
  });
});
