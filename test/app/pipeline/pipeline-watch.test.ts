import { describe, expect, test } from 'vitest';
import { PipelineWatch } from '../../../app/pipeline/pipeline-watch.ts';
import { WatchConditions, type WatchSample } from '../../../app/pipeline/watch-conditions.ts';
import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import { OK, failed } from '../../../core/types.ts';

const MINUTE = 60_000;
const fine: WatchSample = { storeTrouble: undefined, sources: [], halted: [], unjudged: 0 };

/** Minute by minute: what is said, as `name` or `name over`. */
function told(samples: readonly Partial<WatchSample>[], silentAfterMs: number | null = 60 * MINUTE): readonly (readonly string[])[] {
  const conditions = new WatchConditions({ silentAfterMs });
  return samples.map((sample, minute) => conditions.look({ ...fine, ...sample }, minute * MINUTE).map(({ name, isOver }) => `${name}${isOver ? ' over' : ''}`));
}

describe('conditions', () => {
  test('a store that is away is told after two minutes, once, and its end', () => {
    const away = { storeTrouble: 'refused' };
    expect(told([away, away, away, away, {}, {}])).toEqual([[], [], ['store'], [], ['store over'], []]);
  });

  test('one that is back within two minutes is told to nobody', () => {
    expect(told([{ storeTrouble: 'x' }, { storeTrouble: 'x' }, {}, { storeTrouble: 'x' }, { storeTrouble: 'x' }, {}]).flat()).toEqual([]);
  });

  test('a source that brought records and brings none is silent; one that never did is not', () => {
    const source = (received: number): Partial<WatchSample> => ({ sources: [{ name: 'gw', received, rejected: 0 }] });
    expect(told([source(5), source(5), source(5), source(5), source(6)], 3 * MINUTE)).toEqual([[], [], [], ['silent/gw'], ['silent/gw over']]);
    expect(told([source(0), source(0), source(0), source(0)], 3 * MINUTE).flat()).toEqual([]);
    expect(told([source(5), source(5), source(5), source(5)], null).flat()).toEqual([]);
  });

  test('records that cannot be read are told from 5 % of the last five minutes on, until they are below 1 %', () => {
    const source = (received: number, rejected: number): Partial<WatchSample> => ({ sources: [{ name: 'gw', received, rejected }] });
    // 40 of 1000 is 4 %; then 140 of 2000 is 7 %; five minutes later only good ones are in the span.
    const good = [3000, 4000, 5000, 6000, 7000, 8000, 9000].map((received) => source(received, 140));
    expect(told([source(0, 0), source(1000, 40), source(2000, 140), ...good])).toEqual([[], [], ['unread/gw'], [], [], [], [], ['unread/gw over'], [], []]);
    expect(told([source(0, 0), source(99, 99)]).flat()).toEqual([]);
  });

  test('rows that are not judged are told, and the end once none came for five minutes', () => {
    const counts = [0, 0, 7, 7, 7, 7, 7, 7, 7].map((unjudged) => ({ unjudged }));
    expect(told(counts)).toEqual([[], [], ['coverage'], [], [], [], [], ['coverage over'], []]);
  });

  test('a halted partition is told with its reason, whatever hostile text that is', () => {
    const conditions = new WatchConditions({ silentAfterMs: null });
    const [change] = conditions.look({ ...fine, halted: [{ name: 'logs/3', why: '<!channel>\u202E `x`' }] }, 0);
    expect(change?.text).toContain('is not read any more');
    expect(change?.text).not.toMatch(/\u202E/);
  });
});

describe('the watch', () => {
  function world(desk: { announce: (input: { readonly name: string; readonly text: string }) => Promise<void> } | undefined) {
    const sent: Notification[] = [];
    const problems: string[] = [];
    let now = 0;
    const state = { desk, sample: fine };
    const good: Notifier = {
      name: 'good',
      notify: async (notification) => {
        sent.push(notification);
        return OK;
      },
    };
    const bad: Notifier = { name: 'bad', notify: async () => failed('it is down', true) };
    const watch = new PipelineWatch({
      clock: { now: () => now, monotonic: () => now, sleep: async () => undefined },
      sample: () => state.sample,
      desk: () => state.desk,
      notifiers: () => [bad, good],
      silentAfterMs: null,
      onProblem: (message) => problems.push(message),
    });
    const pass = async (minutes: number): Promise<void> => {
      for (let minute = 0; minute < minutes; minute++) {
        now += MINUTE;
        await watch.look(new AbortController().signal);
      }
    };
    return { sent, problems, state, pass };
  }

  test('with the store away, one message goes straight to every channel from memory, and its end is told although another judges then', async () => {
    const announced: string[] = [];
    const { sent, problems, state, pass } = world({ announce: async ({ name }) => void announced.push(name) });
    await pass(1);
    state.sample = { ...fine, storeTrouble: 'connection refused' };
    state.desk = undefined;
    await pass(10);
    expect(sent.map(({ kind }) => kind)).toEqual(['pipeline']);
    expect(sent[0]?.text).toContain('connection refused');
    // A channel that fails keeps the message from no other one.
    expect(problems.filter((problem) => problem.startsWith('bad was not told'))).toHaveLength(1);
    state.sample = fine;
    await pass(3);
    expect(sent).toHaveLength(2);
    expect(sent[1]?.text).toContain('takes what is read again');
    expect(announced).toEqual([]);
  });

  test('with the store there, it goes through the journal and not past it', async () => {
    const announced: string[] = [];
    const { sent, state, pass } = world({ announce: async ({ name }) => void announced.push(name) });
    state.sample = { ...fine, halted: [{ name: 'logs/3', why: 'corrupt' }] };
    await pass(3);
    state.sample = fine;
    await pass(2);
    expect(announced).toEqual(['watch/halted/logs/3/60000', 'watch/halted/logs/3/60000/over']);
    expect(sent).toEqual([]);
  });

  test('a process that never judged tells nobody: the one that did says it', async () => {
    const { sent, problems, state, pass } = world(undefined);
    state.sample = { ...fine, storeTrouble: 'connection refused' };
    await pass(5);
    expect([sent.length, problems.length]).toEqual([0, 1]);
  });
});
