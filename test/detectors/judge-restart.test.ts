import { describe, expect, test } from 'vitest';
import { encodeCells } from '../../core/cells.ts';
import type { OpenSegment } from '../../core/partial.ts';
import type { StoredWindow } from '../../core/ports.ts';
import { type EntityId, type Minute, REFUSED } from '../../core/types.ts';
import { startOf, windowOf } from '../../core/window.ts';
import { createJudge } from '../../detectors/judge.ts';
import { type Values, LATER, NET, NOBODY, T0, batch, closeAll, countersOf, directoryOf, findings, key, row, segment, sketchOf, tried } from './support.ts';

describe('a restart', () => {
  const directory = directoryOf({ known: { mine: key('mine') } });

  function window(minute: Minute, entity: EntityId, values: Values): StoredWindow {
    return { entity, resolution: 'minute', window: windowOf(minute), counters: countersOf(values), sketch: () => sketchOf(values) };
  }

  async function* windows(...list: StoredWindow[]): AsyncGenerator<StoredWindow> {
    yield* list;
  }

  function open(values: Values, entity: EntityId): OpenSegment {
    const rows = [{ window: T0, entity, cells: encodeCells(countersOf(values), sketchOf(values)) }];
    return { segment: segment(50), next: 60, isSealed: false, rows, held: [], rejects: {}, dropped: 0, records: 1, newest: 0 };
  }

  test('judges what was stored and not judged, and only that', async () => {
    const judge = createJudge({ directory });
    const input = windows(window(T0 - 1, key('a'), { requests: 600 }), window(T0, key('a'), { requests: 700 }), window(T0 + 1, REFUSED, { requests: 9_000 }));
    await judge.seed({ windows: input, judgedThrough: T0, open: [] });
    expect(closeAll(judge)).toMatchObject([{ observed: 700, window: windowOf(T0) }]);
  });

  test('a store that nobody judged for years is judged without holding it all', async () => {
    const judge = createJudge({ directory });
    const days = 900;
    async function* daily(): AsyncGenerator<StoredWindow> {
      for (let day = 0; day < days; day++) {
        yield window(T0 + day * 1440, key('a'), { requests: 501 });
        expect(judge.stats().cells).toBeLessThanOrEqual(3);
      }
    }
    await judge.seed({ windows: daily(), judgedThrough: 0, open: [] });
    const last = T0 + (days - 1) * 1440;
    const found = findings(judge.advance(startOf(last + 1), NOBODY).evaluations);
    expect(found.map(({ window }) => window.start)).toEqual(Array.from({ length: days }, (_, day) => startOf(T0 + day * 1440)));
    expect(judge.advance(startOf(last + 2), NOBODY).evaluations).toEqual([]);
  });

  test('the hour reaches back over the restart', async () => {
    const judge = createJudge({ directory });
    await judge.seed({ windows: windows(window(T0 - 59, key('a'), { requests: 1, failedAuth: 10 })), judgedThrough: T0, open: [] });
    judge.observe(batch([row(T0, key('a'), { requests: 1, failedAuth: 1 })]), LATER);
    expect(closeAll(judge)).toMatchObject([{ observed: 11, window: { end: startOf(T0 + 1) } }]);
  });

  test('the open segment goes on without counting its rows twice, also on the keys that a network feeds', async () => {
    const judge = createJudge({ directory, rules: ['failed_auth'] });
    // 7 of the stored 10 are the open segment's, which then grows to 8.
    await judge.seed({ windows: windows(window(T0, NET, tried({ mine: 10 }))), judgedThrough: T0, open: [open(tried({ mine: 7 }), NET)] });
    judge.observe(batch([row(T0, NET, tried({ mine: 8 }))], { segment: segment(50), next: 61 }), LATER);
    const { evaluations } = judge.advance(startOf(T0 + 1), NOBODY);
    expect(findings(evaluations).map(({ entity, observed }) => [entity, observed])).toEqual([
      [key('mine'), 11],
      [NET, 11],
    ]);
  });

  test('what the store had is not counted again when it is delivered again', async () => {
    const judge = createJudge({ directory });
    await judge.seed({ windows: windows(window(T0, key('a'), { requests: 400 })), judgedThrough: T0, open: [open({ requests: 300 }, key('a'))] });
    judge.observe(batch([row(T0, key('a'), { requests: 100 })], { segment: segment(0), next: 50, isSealed: true }), LATER);
    judge.observe(batch([row(T0, key('a'), { requests: 300 })], { segment: segment(50), next: 60 }), LATER);
    expect(closeAll(judge)).toEqual([]);
    expect(judge.stats().cells).toBe(0);
  });

  test('what overflowed in the open segment is judged after it', async () => {
    const judge = createJudge({ directory });
    const cells = encodeCells(countersOf({ requests: 3 }), sketchOf({}));
    await judge.seed({ windows: windows(), judgedThrough: T0, open: [{ ...open({}, key('a')), rows: [], held: [{ window: T0, entity: REFUSED, cells }] }] });
    expect(closeAll(judge)).toMatchObject([{ rule: 'entity_limit', observed: 3 }]);
  });
});

test('seeding after the first batch is a bug, not a silent double count', async () => {
  const judge = createJudge({ directory: directoryOf() });
  judge.observe(batch([row(T0, key('a'), { requests: 1 })]), LATER);
  async function* none(): AsyncGenerator<StoredWindow> {}
  await expect(judge.seed({ windows: none(), judgedThrough: T0, open: [] })).rejects.toThrow('BUG: the judge was seeded after its first batch');
});
