import { expect, test } from 'vitest';
import { entityId } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { T0, breach } from './support/build.ts';
import { DeskHarness } from './support/desk-harness.ts';

test('ten thousand keys at once are one fleet incident and at most thirty posts a channel in ten minutes; critical ones are told one by one', async () => {
  const harness = await new DeskHarness().start();
  const critical = new Set([17, 4711, 9999]);
  for (let minute = 0; minute < 2; minute++)
    await harness.closed(
      minute,
      Array.from({ length: 10_000 }, (_, index) =>
        breach({ minute, entity: entityId('key', `k${index}`), severity: critical.has(index) ? 'critical' : 'high' }),
      ),
    );
  await harness.clock.advance(8 * MINUTE_MS);
  const fleets = harness.desk.incidents().filter((incident) => incident.kind === 'fleet');
  expect(fleets).toHaveLength(1);
  expect(fleets[0]).toMatchObject({ lineages: 10_000, severity: 'critical' });
  for (const channel of [harness.slack, harness.email]) {
    const posts = channel.attempts.filter(({ at }) => at < T0 + 12 * MINUTE_MS);
    expect(posts.length).toBeLessThanOrEqual(30);
    const alone = posts.filter(({ notification }) => notification.kind === 'fired' && notification.incident?.kind === 'key');
    expect(alone.map(({ notification }) => notification.incident?.label)).toEqual(['key k17', 'key k4711', 'key k9999']);
  }
  // Muted, not lost: each has an incident that says who speaks for it.
  const members = harness.desk.incidents().filter((incident) => incident.kind === 'key');
  expect(members).toHaveLength(10_000);
  const muted = members.filter(
    ({ channels }) => channels['slack']?.status === 'held' && channels['slack'].held.reason === 'fleet' && channels['slack'].held.by === fleets[0]?.id,
  );
  expect(muted).toHaveLength(9997);
  await harness.stop();
}, 60_000);
