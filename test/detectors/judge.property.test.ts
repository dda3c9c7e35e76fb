import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { mergeCounters } from '../../core/counters.ts';
import type { KeyDirectory } from '../../core/directory.ts';
import type { Evaluation } from '../../core/finding.ts';
import type { OpenSegment, PartialBatch, PartialRow } from '../../core/partial.ts';
import type { StoredWindow } from '../../core/ports.ts';
import type { EntityId, Minute } from '../../core/types.ts';
import { startOf, windowOf } from '../../core/window.ts';
import { type Judge, createJudge } from '../../detectors/judge.ts';
import { seedFrom } from '../../detectors/seed.ts';
import { type Expected, type Item, batchesOf, findingsByDefinition, itemsArbitrary } from './judge-model.ts';
import { LATER, NOBODY, T0, directoryOf, key } from './support.ts';

/** Two names of one key. */
const CANONICAL = { 'key:b2': key('b') };
const canonical = (entity: EntityId): EntityId => (entity === key('b2') ? key('b') : entity);
/** A soak sets more. */
const RUNS = { numRuns: Number(process.env['KEYWATCH_TEST_HISTORIES'] ?? 25) };

const cuts = fc.array(fc.nat(80), { maxLength: 60, size: 'max' }).map((list) => new Set(list));
/** Decides the order of delivery, what is delivered twice, and where the watermark moves. */
const choices = fc.infiniteStream(fc.nat(999));

describe('the findings of closed windows', () => {
  test('equal the definitions counted out window by window', () => {
    fc.assert(
      fc.property(itemsArbitrary({ lateMinutes: 0, length: 80 }), cuts, choices, (items, flushes, stream) => {
        const judge = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        expect(inOrder(judge, items, batchesOf(items, flushes), stream)).toEqual(findingsByDefinition(items, canonical));
      }),
      RUNS,
    );
  });

  test('do not depend on how the input was cut, repeated or ordered', () => {
    fc.assert(
      fc.property(itemsArbitrary({ lateMinutes: 20, length: 60 }), cuts, cuts, choices, (items, some, others, stream) => {
        const whole = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        const pieces = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        for (const each of batchesOf(items, some)) whole.observe(each, LATER);
        for (const each of shuffledAndRepeated(batchesOf(items, others), stream)) pieces.observe(each, LATER);
        const expected = closed(whole.advance(LATER, NOBODY).evaluations);
        expect(closed(pieces.advance(LATER, NOBODY).evaluations)).toEqual(expected);
        expect(expected).toEqual(findingsByDefinition(items, canonical));
      }),
      RUNS,
    );
  });

  test('are made up by late partials: what the whole says was said, with its number, at last', () => {
    fc.assert(
      fc.property(itemsArbitrary({ lateMinutes: 12, length: 70 }), cuts, (items, flushes) => {
        const judge = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        const said = new Map<string, Expected>();
        let newest = T0;
        for (const each of batchesOf(items, new Set([...flushes, ...items.keys()]))) {
          judge.observe(each, LATER);
          for (const row of each.rows) newest = Math.max(newest, row.window);
          for (const [id, finding] of closed(judge.advance(startOf(newest + 1), NOBODY).evaluations)) said.set(id, finding);
        }
        for (const [id, finding] of closed(judge.advance(LATER, NOBODY).evaluations)) said.set(id, finding);
        const expected = findingsByDefinition(items, canonical);
        for (const [id, finding] of expected) expect([id, said.get(id)]).toEqual([id, finding]);
        // Nothing is taken back: a share may have been higher before, a count may have been a warning first.
        for (const id of said.keys()) {
          if (!expected.has(id) && !id.startsWith('error_rate|')) expect(expected.has(id.replace(/\|(medium|high)$/, '|critical'))).toBe(true);
        }
        expect(judge.stats().tooLate).toBe(0);
      }),
      RUNS,
    );
  });

  test('go on after a restart as if there had been none', async () => {
    await fc.assert(
      fc.asyncProperty(itemsArbitrary({ lateMinutes: 8, length: 70 }), cuts, fc.nat(60), fc.nat(30), async (items, flushes, at, behind) => {
        const batches = batchesOf(items, flushes);
        const before = batches.slice(0, at);
        const after = batches.slice(at);
        const steady = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        const newest = Math.max(T0, ...before.flatMap(({ rows }) => rows.map(({ window }) => window)));
        const judgedThrough = newest + 1 - behind;
        for (const each of before) steady.observe(each, LATER);
        steady.advance(startOf(judgedThrough), NOBODY);
        const restarted = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
        await restarted.seed({ windows: stored(before, judgedThrough), judgedThrough, open: openSegments(before) });
        const run = (judge: Judge): Map<string, Expected> => {
          for (const each of after) judge.observe(each, LATER);
          return closed(judge.advance(LATER, NOBODY).evaluations);
        };
        // What the store has may be delivered again, too.
        for (const each of before) restarted.observe(each, LATER);
        expect(run(restarted)).toEqual(run(steady));
      }),
      RUNS,
    );
  });

  test('unite what the directory learns to be one key, whenever it learns it', () => {
    fc.assert(
      fc.property(
        itemsArbitrary({ lateMinutes: 5, length: 60 }),
        cuts,
        fc.nat(60),
        fc.constantFrom(key('b'), key('b2'), key('lineage')),
        (items, flushes, at, name) => {
          let isKnown = false;
          const united = (entity: EntityId): EntityId => (entity === key('b') || entity === key('b2') ? name : entity);
          const directory: KeyDirectory = { ...directoryOf(), canonical: (entity) => (isKnown ? united(entity) : entity) };
          const judge = createJudge({ directory });
          const batches = batchesOf(items, flushes);
          const when = Math.min(at, batches.length - 1);
          const alias = { credential: key('b'), fingerprint: key('b2') };
          let closedThrough = -Infinity;
          batches.forEach((each, index) => {
            if (index === when) {
              // Some windows are judged before anybody knows.
              const ahead = Math.min(...batches.slice(index).flatMap(({ rows }) => rows.map(({ window }) => window)));
              closedThrough = startOf(ahead);
              judge.advance(closedThrough, NOBODY);
              isKnown = true;
            }
            judge.observe(index === when ? { ...each, aliases: [alias] } : each, LATER);
          });
          const said = closed(judge.advance(LATER, NOBODY).evaluations);
          const expected = [...findingsByDefinition(items, united)].filter(([id]) => endOf(id) > closedThrough);
          expect(said).toEqual(new Map(expected));
          expect(judge.stats()).toMatchObject({ entities: 0, cells: 0, segments: 0, evidenceBytes: 0 });
        },
      ),
      RUNS,
    );
  });

  test('survive a reload of the directory at any moment', () => {
    fc.assert(
      fc.property(itemsArbitrary({ lateMinutes: 5, length: 60 }), cuts, fc.nat(60), (items, flushes, when) => {
        const judge = createJudge({ directory: directoryOf() });
        const said = new Map<string, Expected>();
        batchesOf(items, flushes).forEach((each, index) => {
          judge.observe(each, LATER);
          if (index === when) judge.reload(directoryOf({ canonical: CANONICAL }));
        });
        judge.reload(directoryOf({ canonical: CANONICAL }));
        const half = startOf(items[Math.floor(items.length / 2)]?.minute ?? T0);
        for (const [id, finding] of closed(judge.advance(half, NOBODY).evaluations)) said.set(id, finding);
        judge.reload(directoryOf({ canonical: CANONICAL }));
        for (const [id, finding] of closed(judge.advance(LATER, NOBODY).evaluations)) said.set(id, finding);
        expect(said).toEqual(findingsByDefinition(items, canonical));
      }),
      RUNS,
    );
  });
});

test('live findings are critical ones of windows that the whole breaches, each once', () => {
  fc.assert(
    fc.property(itemsArbitrary({ lateMinutes: 3, length: 80 }), cuts, (items, flushes) => {
      const judge = createJudge({ directory: directoryOf({ canonical: CANONICAL }) });
      const live = batchesOf(items, flushes).flatMap((each) => judge.observe(each, LATER));
      const ids = live.map(({ finding }) => finding?.id ?? '');
      expect(new Set(ids).size).toBe(ids.length);
      const expected = findingsByDefinition(items, canonical);
      for (const { finding } of live) {
        expect(finding?.isLive).toBe(true);
        expect(finding?.observed).toBeLessThanOrEqual(expected.get(finding?.id ?? '')?.observed ?? 0);
      }
      // Every minute with a critical count was seen while it was open.
      const critical = [...expected.keys()].filter((id) => id.startsWith('request_rate|') && id.endsWith('|critical'));
      expect(ids).toEqual(expect.arrayContaining(critical));
    }),
    RUNS,
  );
});

/** Delivers in order, moving the watermark now and then as far as nothing that is still to come is late. */
function inOrder(judge: Judge, items: readonly Item[], batches: readonly PartialBatch[], stream: fc.Stream<number>): Map<string, Expected> {
  const said = new Map<string, Expected>();
  const note = (evaluations: readonly Evaluation[]): void => {
    for (const [id, finding] of closed(evaluations)) {
      expect(said.has(id), `${id} was judged twice`).toBe(false);
      said.set(id, finding);
    }
  };
  batches.forEach((each, index) => {
    judge.observe(each, LATER);
    const ahead = batches.slice(index + 1).flatMap(({ rows }) => rows.map(({ window }) => window));
    const [choice = 0] = [...stream.take(1)];
    if (ahead.length > 0 && choice % 3 === 0) note(judge.advance(startOf(Math.min(...ahead)), NOBODY).evaluations);
  });
  note(judge.advance(startOf(Math.max(...items.map(({ minute }) => minute)) + 75), NOBODY).evaluations);
  return said;
}

function closed(evaluations: readonly Evaluation[]): Map<string, Expected> {
  return new Map(
    evaluations.flatMap(({ finding }) =>
      finding === undefined || finding.isLive ? [] : [[finding.id, { severity: finding.severity, observed: finding.observed }]],
    ),
  );
}

/** End of the window that a finding id names. */
function endOf(id: string): number {
  const [rule = '', , start = ''] = id.split('|');
  return Number(start) + (rule === 'request_rate' ? 1 : rule === 'error_rate' ? 5 : 60) * 60_000;
}

function shuffledAndRepeated(batches: readonly PartialBatch[], stream: fc.Stream<number>): PartialBatch[] {
  const twice = [...batches, ...batches.filter((_, index) => index % 2 === 0)];
  const order = [...stream.take(twice.length)];
  return twice
    .map((each, index) => ({ each, at: order[index] ?? 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each);
}

type Latest = { readonly row: PartialRow; readonly batch: PartialBatch };

/** The rows of all segments, newest only. */
function latest(batches: readonly PartialBatch[]): Map<string, Latest> {
  const rows = new Map<string, Latest>();
  for (const each of batches) {
    for (const row of each.rows) rows.set(`${each.segment.partition} ${each.segment.start} ${row.window} ${row.entity}`, { row, batch: each });
  }
  return rows;
}

async function* stored(batches: readonly PartialBatch[], judgedThrough: Minute): AsyncGenerator<StoredWindow> {
  const byWindow = Map.groupBy(latest(batches).values(), ({ row }) => `${row.window} ${row.entity}`);
  const rows = [...byWindow.values()].map((parts) => parts.map(({ row }) => row)).sort((a, b) => (a[0]?.window ?? 0) - (b[0]?.window ?? 0));
  for (const parts of rows) {
    const [first, ...rest] = parts.map(({ cells }) => readCells(cells));
    const row = parts[0];
    if (first === undefined || row === undefined || row.window < seedFrom(judgedThrough)) continue;
    for (const part of rest) {
      mergeCounters(first.counters, part.counters);
      first.sketch.merge(part.sketch);
    }
    yield { entity: row.entity, resolution: 'minute', window: windowOf(row.window), counters: first.counters, sketch: () => first.sketch };
  }
}

function openSegments(batches: readonly PartialBatch[]): OpenSegment[] {
  const newest = new Map<number, PartialBatch>();
  for (const each of batches) newest.set(each.segment.partition, each);
  return [...newest.values()].map((each) => {
    const mine = [...latest(batches).values()].filter(
      ({ batch }) => batch.segment.partition === each.segment.partition && batch.segment.start === each.segment.start,
    );
    const { segment, next, isSealed, rejects, dropped, records } = each;
    return { segment, next, isSealed, rows: isSealed ? [] : mine.map(({ row }) => row), held: [], rejects, dropped, records, newest: each.newest };
  });
}
