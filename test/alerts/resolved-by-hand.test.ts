import { expect, test } from 'vitest';
import { T0 } from './support/build.ts';
import { play } from './support/script.ts';

test('an incident that a person ended says when, by whom and why, and its end is after its start', async () => {
  const harness = await play({ name: '', lanes: ['C C'], until: 3, expect: [] });
  const [open] = await harness.journal.incidents({});
  if (open === undefined) throw new Error('nothing fired');
  const actor = { way: 'cli', name: 'maria' } as const;
  expect(await harness.desk.obey({ id: 'x', at: T0, actor, kind: 'resolve', target: open.id, reason: 'fixed', note: 'rolled back' })).toMatchObject({
    status: 'applied',
  });
  const [over] = await harness.journal.incidents({ ids: [open.id] });
  expect(over).toMatchObject({ state: 'archived', resolution: { cause: 'manual', reason: 'fixed', actor, note: 'rolled back' } });
  expect(over?.resolvedAt).toBe(over?.archivedAt);
  expect(over?.resolvedAt).toBeGreaterThan(open.startedAt);
});
