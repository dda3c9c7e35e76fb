import { describe, expect, test } from 'vitest';
import { T0 } from './support/build.ts';
import { play } from './support/script.ts';
import { HOUR_MS } from '../../core/window.ts';

describe('operators', () => {
  test('a silence that would match everything, one without a reason, one of a year and an unknown id are refused, each with one reason', async () => {
    const refusals: string[] = [];
    const by = { at: T0, actor: { way: 'cli', name: 'maria' } } as const;
    const harness = await play({ name: '', lanes: ['C'], until: 3, expect: [] });
    const ask = async (command: Parameters<typeof harness.desk.obey>[0]): Promise<void> =>
      void refusals.push((await harness.desk.obey(command))?.reason ?? 'applied');
    const all = [
      [],
      [{ label: 'severity', op: '=~', value: '.*' }],
      [{ label: 'rule', op: '!=', value: '' }],
      [{ label: 'team', op: '!=', value: 'nobody' }],
    ] as const;
    for (const [index, matchers] of all.entries()) await ask({ ...by, id: `a${index}`, kind: 'add_silence', matchers, reason: 'x' });
    await ask({ ...by, id: 'b', kind: 'add_silence', matchers: [{ label: 'key', op: '=', value: 'x' }], reason: ' ' });
    await ask({ ...by, id: 'c', kind: 'add_silence', matchers: [{ label: 'key', op: '=', value: 'x' }], endsAt: T0 + 365 * 24 * HOUR_MS, reason: 'x' });
    await ask({ ...by, id: 'd', kind: 'acknowledge', target: 'INC-99' });
    await ask({ ...by, id: 'e', kind: 'add_silence', matchers: [{ label: 'key', op: '=~', value: '(a+)+' }], reason: 'x' });
    expect(refusals.map((text) => text.slice(0, 36))).toEqual([
      ...Array.from({ length: 4 }, () => 'this silence would match every alert'),
      'a reason is required',
      'it lasts at most 30 days',
      'there is no incident or alert INC-99',
      'the expression of key repeats a repe',
    ]);
    expect((await harness.journal.audit({})).every((row) => row.actor.name === 'maria' && row.action.endsWith('_refused'))).toBe(true);
    await harness.stop();
  });

  test('a command that is submitted again, also after a restart, is applied once', async () => {
    const harness = await play({ name: '', lanes: ['C'], until: 3, expect: [] });
    const command = { id: 'once', at: T0, actor: { way: 'api', name: 'bot' }, kind: 'acknowledge', target: 'INC-1' } as const;
    expect((await harness.desk.obey(command))?.status).toBe('applied');
    expect(await harness.desk.obey(command)).toBeUndefined();
    await harness.kill();
    await harness.start();
    expect(await harness.desk.obey(command)).toBeUndefined();
    expect(await harness.journal.commandResult('once')).toMatchObject({ status: 'applied', actor: { name: 'bot' } });
    expect(harness.entries.flatMap((entry) => entry.audit ?? []).filter((note) => note.action === 'acknowledge')).toHaveLength(1);
    await harness.stop();
  });
});
