import { describe, expect, test } from 'vitest';
import { type EntityId, type Minute, REFUSED } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { createJudge } from '../../detectors/judge.ts';
import { CLEARS_MAX } from '../../detectors/watch-list.ts';
import { LATER, NET, NOBODY, T0, batch, client, closeAll, directoryOf, findings, key, network, row, segment, tried } from './support.ts';

describe('time', () => {
  test('a window more than two minutes ahead of the clock is not judged, one two minutes ahead is', () => {
    const judge = createJudge({ directory: directoryOf() });
    const now = startOf(T0);
    judge.observe(batch([row(T0 + 2, key('a'), { requests: 600 }), row(T0 + 3, key('a'), { requests: 700 })]), now);
    expect(closeAll(judge).map(({ observed }) => observed)).toEqual([600]);
    expect(judge.stats().ahead).toBe(1);
  });

  test('a row delivered again when its time has come is judged', () => {
    const judge = createJudge({ directory: directoryOf() });
    const rows = [row(T0 + 3, key('a'), { requests: 700 })];
    judge.observe(batch(rows), startOf(T0));
    judge.observe(batch(rows), startOf(T0 + 1));
    expect(closeAll(judge).map(({ observed }) => observed)).toEqual([700]);
  });

  test('a minute closes when the watermark reaches its end, and never opens again', () => {
    const judge = createJudge({ directory: directoryOf() });
    judge.observe(batch([row(T0, key('a'), { requests: 600 })]), LATER);
    expect(judge.advance(startOf(T0 + 1) - 1, NOBODY)).toEqual({ evaluations: [], closedThrough: T0 });
    const { evaluations, closedThrough } = judge.advance(startOf(T0 + 1), NOBODY);
    expect(evaluations).toHaveLength(1);
    expect(closedThrough).toBe(T0 + 1);
    expect(judge.advance(startOf(T0 - 5), NOBODY)).toEqual({ evaluations: [], closedThrough: T0 + 1 });
    expect(judge.advance(startOf(T0 + 2), NOBODY)).toEqual({ evaluations: [], closedThrough: T0 + 2 });
  });

  test('no watermark closes nothing', () => {
    const judge = createJudge({ directory: directoryOf() });
    judge.observe(batch([row(T0, key('a'), { requests: 600 })]), LATER);
    for (const none of [-Infinity, Infinity, NaN]) expect(judge.advance(none, NOBODY)).toEqual({ evaluations: [], closedThrough: 0 });
    expect(closeAll(judge)).toHaveLength(1);
  });

  test('sixty years of silence are passed over, not walked through', () => {
    const judge = createJudge({ directory: directoryOf() });
    const years = 60 * 365 * 1440;
    const first = { ...batch([row(T0, key('a'), { requests: 600 })]), segment: segment(1) };
    judge.observe(first, LATER);
    judge.observe({ ...batch([row(T0 + years, key('a'), { requests: 700 })]), segment: segment(2) }, startOf(T0 + years));
    const { evaluations, closedThrough } = judge.advance(startOf(T0 + years + 1), new Map([[key('a'), new Set(['request_rate'])]]));
    expect(closedThrough).toBe(T0 + years + 1);
    expect(findings(evaluations).map(({ observed }) => observed)).toEqual([600, 700]);
    expect(evaluations.filter(({ verdict }) => verdict === 'clear')).toHaveLength(CLEARS_MAX);
  });

  test('within one backlog an alert that nobody watches yet is followed until it is clear', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['request_rate'] });
    judge.observe(batch([600, 600, 450, 300, 1].map((requests, index) => row(T0 + index, key('a'), { requests }))), LATER);
    const { evaluations } = judge.advance(startOf(T0 + 5), NOBODY);
    expect(evaluations.map(({ verdict, window }) => [window.start / 60_000 - T0, verdict])).toEqual([
      [0, 'breach'],
      [1, 'breach'],
      [2, 'hold'],
      [3, 'clear'],
      [4, 'clear'],
    ]);
  });

  test('a live breach is followed when its minute closes', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['failed_auth'] });
    const live = judge.observe(batch([row(T0, key('a'), { requests: 51, failedAuth: 51 })]), LATER);
    expect(findings(live)).toMatchObject([{ isLive: true, severity: 'critical', window: { start: startOf(T0 - 59), end: startOf(T0 + 1) } }]);
    judge.advance(startOf(T0), NOBODY);
    const { evaluations } = judge.advance(startOf(T0 + 61), new Map());
    expect(evaluations.map(({ verdict }) => verdict)).toEqual([...new Array<string>(60).fill('breach'), 'clear']);
    expect(evaluations[0]?.finding?.id).toBe(live[0]?.finding?.id);
    expect(evaluations[0]?.finding?.isLive).toBe(false);
  });

  test('a watched entity under its old name is judged under the name it has now', () => {
    const judge = createJudge({ directory: directoryOf({ canonical: { 'key:old': key('new') } }), rules: ['request_rate'] });
    judge.observe(batch([row(T0, key('new'), { requests: 450 })]), LATER);
    const { evaluations } = judge.advance(startOf(T0 + 1), new Map([[key('old'), new Set(['request_rate'])]]));
    expect(evaluations).toMatchObject([{ entity: key('new'), verdict: 'hold', observed: 450 }]);
  });

  test('a watched key is judged as 0 also when nothing at all was held for hours', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['request_rate'] });
    judge.observe(batch([row(T0, key('a'), { requests: 600 })]), LATER);
    judge.advance(startOf(T0 + 200), NOBODY);
    expect(judge.stats().entities).toBe(0);
    const { evaluations } = judge.advance(startOf(T0 + 203), new Map([[key('a'), new Set(['request_rate'])]]));
    expect(evaluations.map(({ verdict, observed, window }) => [window.start / 60_000 - T0, verdict, observed])).toEqual([
      [200, 'clear', 0],
      [201, 'clear', 0],
      [202, 'clear', 0],
    ]);
  });

  test('rules that the judge does not run, and entities it does not know, do no harm in the watched list', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['request_rate'] });
    judge.observe(batch([row(T0, key('a'), { requests: 1 })]), LATER);
    const watched = new Map<EntityId, Set<string>>([[key('gone'), new Set(['request_rate', 'error_rate', 'impossible_travel'])]]);
    expect(judge.advance(startOf(T0 + 1), watched).evaluations).toMatchObject([{ entity: key('gone'), rule: 'request_rate', verdict: 'clear', observed: 0 }]);
  });
});

describe('absolute rows', () => {
  test('a row that is gone counts no more, and an older delivery does not bring it back', () => {
    const judge = createJudge({ directory: directoryOf() });
    const old = batch([row(T0, key('a'), { requests: 600 })], { next: 5 });
    judge.observe(old, LATER);
    judge.observe(batch([], { next: 9, gone: [{ window: T0, entity: key('a'), isHeld: false }] }), LATER);
    judge.observe(old, LATER);
    expect(closeAll(judge)).toEqual([]);
  });

  test('a re-created topic is another segment', () => {
    const judge = createJudge({ directory: directoryOf() });
    const rows = [row(T0, key('a'), { requests: 300 })];
    judge.observe(batch(rows), LATER);
    judge.observe(batch(rows, { segment: { ...segment(), generation: 1 } }), LATER);
    expect(closeAll(judge).map(({ observed }) => observed)).toEqual([600]);
  });

  test('an entity that is silent for more than an hour takes no memory', () => {
    const judge = createJudge({ directory: directoryOf() });
    for (let minute = 0; minute < 200; minute++) {
      const rows = [
        row(T0 + minute, client(`203.0.113.9 agent ${minute}`), { requests: 1, bytesOut: 10 }),
        row(T0 + minute, NET, tried({ [`c${minute}`]: 1 })),
      ];
      judge.observe(batch(rows, { segment: segment(minute) }), LATER);
      judge.advance(startOf(T0 + minute + 1), NOBODY);
      expect(judge.stats().entities).toBeLessThanOrEqual(76);
    }
    judge.advance(startOf(T0 + 275), NOBODY);
    expect(judge.stats()).toMatchObject({ entities: 0, cells: 0, segments: 0, evidenceBytes: 0 });
  });
});

test('a name that becomes the name of the whole lineage takes all sums over', () => {
  const judge = createJudge({ directory: directoryOf({ canonical: { 'key:c': key('a') } }), rules: ['failed_auth'] });
  const failing = (minute: Minute, name: string): ReturnType<typeof row> => row(minute, key(name), { requests: 4, failedAuth: 4 });
  judge.observe(batch([failing(T0, 'a'), failing(T0, 'b'), failing(T0, 'c')], { segment: segment(0) }), LATER);
  judge.advance(startOf(T0 + 1), NOBODY);
  // c was a name of a, and b a key by itself; now all three are one, by the name of c.
  judge.learn(directoryOf({ canonical: { 'key:a': key('c'), 'key:b': key('c') } }));
  judge.observe(batch([failing(T0 + 1, 'b')], { segment: segment(9), aliases: [{ credential: key('b'), fingerprint: key('c') }] }), LATER);
  const { evaluations } = judge.advance(startOf(T0 + 2), NOBODY);
  expect(findings(evaluations).map(({ entity, observed }) => [entity, observed])).toEqual([[key('c'), 16]]);
  judge.advance(startOf(T0 + 200), NOBODY);
  expect(judge.stats().entities).toBe(0);
});

describe('keys that are only refused', () => {
  const directory = directoryOf({ known: { mine: key('mine') } });

  test('when the key succeeds later in the segment, its own row takes over and nothing counts twice', () => {
    const judge = createJudge({ directory, rules: ['failed_auth'] });
    judge.observe(batch([row(T0, NET, tried({ mine: 11 })), row(T0, REFUSED, { requests: 11, failedAuth: 11 })], { next: 11 }), LATER);
    judge.observe(
      batch([row(T0, key('mine'), { requests: 12, failedAuth: 11 }), row(T0, NET, tried({ mine: 11 }))], {
        next: 12,
        gone: [
          { window: T0, entity: REFUSED, isHeld: false },
          { window: T0, entity: key('mine'), isHeld: true },
        ],
      }),
      LATER,
    );
    const { evaluations } = judge.advance(startOf(T0 + 1), NOBODY);
    expect(findings(evaluations).map(({ entity, observed }) => [entity, observed])).toEqual([
      [key('mine'), 11],
      [NET, 11],
    ]);
  });

  test('refusals by the gateway id and by the raw key are of one key and add up', () => {
    const named = directoryOf({ known: { raw: key('id') }, canonical: { 'key:raw': key('id') } });
    const judge = createJudge({ directory: named, rules: ['failed_auth'] });
    judge.observe(batch([row(T0, key('id'), { requests: 6, failedAuth: 6 }), row(T0, NET, tried({ raw: 5 }))]), LATER);
    const { evaluations } = judge.advance(startOf(T0 + 1), NOBODY);
    expect(findings(evaluations)).toMatchObject([{ entity: key('id'), observed: 11 }]);
  });

  test('fifty failures of a known key fire live', () => {
    const judge = createJudge({ directory, rules: ['failed_auth'] });
    const live = judge.observe(batch([row(T0, NET, tried({ mine: 51 }))]), LATER);
    expect(
      findings(live)
        .map(({ entity }) => entity)
        .sort(),
    ).toEqual([key('mine'), NET]);
  });

  test('two networks add up, and a network that says less in a later delivery takes its part back', () => {
    const judge = createJudge({ directory, rules: ['failed_auth'] });
    const other = network('198.51.100.0/24');
    judge.observe(batch([row(T0, NET, tried({ mine: 6 })), row(T0, other, tried({ mine: 5 }))], { next: 5 }), LATER);
    judge.observe(batch([row(T0, other, tried({ mine: 7 }))], { next: 6 }), LATER);
    judge.observe(batch([], { next: 7, gone: [{ window: T0, entity: NET, isHeld: false }] }), LATER);
    judge.observe(batch([row(T0, NET, tried({ mine: 4 }))], { next: 8 }), LATER);
    const { evaluations } = judge.advance(startOf(T0 + 1), NOBODY);
    expect(findings(evaluations)).toMatchObject([{ entity: key('mine'), observed: 11 }]);
  });

  test('ten million guessed credentials make no entity but one alert on the network', () => {
    const judge = createJudge({ directory });
    const counts = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`guess${index}`, 1]));
    const live = judge.observe(batch([row(T0, NET, tried(counts)), row(T0, REFUSED, { requests: 2_000, failedAuth: 2_000 })]), LATER);
    expect(judge.stats().entities).toBe(1);
    const guessing = findings([...live, ...judge.advance(startOf(T0 + 1), NOBODY).evaluations]).filter(({ rule }) => rule === 'guessing');
    expect(new Set(guessing.map(({ id }) => id)).size).toBe(1);
    // HyperLogLog: 2,000 within four standard errors.
    expect(guessing[0]?.observed).toBeGreaterThan(1_800);
    expect(guessing[0]?.observed).toBeLessThan(2_200);
    expect(guessing[0]?.why).toMatch(/^About \d,\d{3} different credentials/);
  });
});

test('the observer is told every value of a rule on what it is about, once per closed window', () => {
  const seen: string[] = [];
  const judge = createJudge({ directory: directoryOf(), observer: (rule, entity, minute, value) => seen.push(`${rule} ${entity} ${minute - T0} ${value}`) });
  judge.observe(
    batch([row(T0, key('a'), { requests: 60, s5xx: 6, bytesOut: 7 }), row(T0, NET, tried({ x: 2 })), row(T0 + 1, key('a'), { requests: 5 })]),
    LATER,
  );
  judge.advance(startOf(T0 + 2), NOBODY);
  expect(seen).toEqual([
    'request_rate key:a 0 60',
    'error_rate key:a 0 0.1',
    'data_transfer key:a 0 7',
    'failed_auth network:203.0.113.0/24 0 2',
    'request_rate key:a 1 5',
    `error_rate key:a 1 ${6 / 65}`,
    'data_transfer key:a 1 7',
    'failed_auth network:203.0.113.0/24 1 2',
  ]);
});

test('a rule that does not exist is refused by name', () => {
  expect(() => createJudge({ directory: directoryOf(), rules: ['request_rate', 'requst_rate'] })).toThrow(
    'no such rule: requst_rate; there are request_rate, error_rate',
  );
});
