import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { lacks } from '../../services/needs.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { readTopic } from '../../services/topic.ts';
import { NOW, type Ran, runCli } from '../cli/capture.ts';
import { Site } from './services-fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'keywatch simulate '));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** On a clock that goes as fast as the command asks, so that minutes are made in no time. */
async function simulate(...argv: readonly string[]): Promise<Ran> {
  const clock = new VirtualClock(NOW);
  const state = { isDone: false };
  const running = runCli(['simulate', ...argv], { env: { HOME: root }, clock }).finally(() => (state.isDone = true));
  while (!state.isDone) await clock.advance(100);
  return running;
}

type Event = { readonly time: string };
const eventsIn = (text: string): readonly Event[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);

describe('keywatch simulate', () => {
  test('sends about as much as it was asked, in the time of the clock, with keys that say they are made up', async () => {
    const { code, stdout, stderr } = await simulate('--rate', '50', '--for', '2m', '--seed', '7');
    expect([code, stderr]).toEqual([0, '']);
    const events = eventsIn(stdout);
    expect(events.length).toBeGreaterThan(50 * 120 * 0.5);
    expect(events.length).toBeLessThan(50 * 120 * 2);
    expect(stdout).toContain('"key":"kw_live_');
    expect(stdout.endsWith('\n')).toBe(true);
  });

  test('the same seed makes the same traffic, another one other', async () => {
    const of = async (seed: string): Promise<string> => (await simulate('--rate', '20', '--for', '10s', '--seed', seed)).stdout;
    expect(await of('7')).toBe(await of('7'));
    expect(await of('7')).not.toBe(await of('8'));
  });

  test('appends to a file, in any format, and says how much', async () => {
    const file = join(root, 'access.log');
    for (let round = 1; round <= 2; round++) {
      const { code, stdout, stderr } = await simulate('--to', file, '--format', 'combined', '--rate', '10', '--for', '10s', '--seed', String(round));
      expect([code, stdout]).toEqual([0, '']);
      expect(stderr).toMatch(new RegExp(`^sending 10 events a second of 200 keys to ${file}; seed ${round}\nsent \\d+ events\n$`));
    }
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    expect(lines.every((line) => /^\S+ \S+ \S+ \[.+\] "[A-Z]+ /.test(line))).toBe(true);
    expect(lines.length).toBeGreaterThan(100);
  });

  test('a place that cannot be written is one line', async () => {
    mkdirSync(join(root, 'folder'));
    const { code, stderr } = await simulate('--to', join(root, 'folder'), '--for', '1s');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^keywatch simulate: cannot write .*folder: it is a directory\n$/);
  });

  test.skipIf(!existsSync('/dev/full'))('a disk that is full ends it with one line, not with a crash', async () => {
    const { code, stderr } = await simulate('--to', '/dev/full', '--for', '1s');
    expect(code).toBe(1);
    expect(stderr).toMatch(/keywatch simulate: cannot write \/dev\/full: the disk is full\n$/);
  });

  test('a topic needs a Kafka source, and --topic needs --to kafka', async () => {
    expect((await simulate('--to', 'kafka')).stderr).toContain('--to kafka needs a source kafka in the configuration');
    expect((await simulate('--topic', 'x')).stderr).toContain('--topic goes with --to kafka');
    expect((await simulate('--for', 'soon')).stderr).toContain('expected a duration such as 30s or 10m');
  });
});

describe.skipIf(lacks('kafka', 'elasticsearch'))('keywatch simulate --to kafka', () => {
  test('fills the topic of the configuration, packed when asked: every event is there once', { timeout: 300_000 }, async () => {
    await using site = await Site.open();
    await site.run('setup', '--create-topics', '--partitions', '3');
    const { code, stdout, stderr } = await site.run('simulate', '--to', 'kafka', '--rate', '200', '--for', '2s', '--seed', '3', '--pack', '5');
    expect([code, stdout]).toEqual([0, '']);
    const sent = Number(/sent ([\d,]+) events/.exec(stderr)?.[1]?.replaceAll(',', ''));
    expect(sent).toBeGreaterThan(100);
    const values = (await readTopic(site.brokers, site.topic)).map(({ value }) => value);
    const events = values.flatMap((value) => eventsIn(value));
    expect(events).toHaveLength(sent);
    expect(values.length).toBeLessThan(sent);
    expect(Math.max(...values.map((value) => eventsIn(value).length))).toBe(5);
    expect(new Set(events.map((event) => JSON.stringify(event))).size).toBeGreaterThan(sent * 0.9);
  });
});
