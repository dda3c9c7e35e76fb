import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartitionHead } from '../../../core/ports.ts';
import { type Place, type PlaceQuestion, planPlace } from '../../../ingest/kafka/place.ts';

function headOf(part: { readonly start: number; readonly next: number; readonly isSealed?: boolean; readonly generation?: number }): PartitionHead {
  return {
    segment: { source: 1, partition: 0, generation: part.generation ?? 1, start: part.start },
    next: part.next,
    isSealed: part.isSealed ?? false,
    rejects: {},
    dropped: 0,
    records: part.next - part.start,
    newest: 0,
  };
}

const open = headOf({ start: 100, next: 150 });
const sealed = headOf({ start: 100, next: 150, isSealed: true });
const base: PlaceQuestion = { head: undefined, generation: 1, logStart: 0, logEnd: 200, boundary: 'same', startAt: undefined };

/** Short form of what is wanted: `segment 100`, `halt removed`. */
function told(place: Place): string {
  return place.kind === 'halt' ? `halt ${place.why}` : `${place.kind} ${place.from}`;
}

const TABLE: readonly (readonly [string, Partial<PlaceQuestion>, string])[] = [
  ['a partition that nobody counted starts at the oldest record', { logStart: 7 }, 'fresh 7'],
  ['the very first start begins where it was claimed', { startAt: 120 }, 'fresh 120'],
  ['a claimed start at the end of an empty log waits there', { startAt: 0, logEnd: 0 }, 'fresh 0'],
  ['a claim of an older log than this one leaves nothing of this one out', { startAt: 500 }, 'fresh 0'],
  ['records removed between the claim and the first read are not passed over silently', { startAt: 120, logStart: 130 }, 'halt removed'],
  ['unless a new generation accepted it', { startAt: 120, logStart: 130, generation: 2 }, 'fresh 130'],
  ['a crash before the commit reads the open segment again', { head: open }, 'segment 100'],
  ['a first segment without a known checksum is read again', { head: open, boundary: 'unknown' }, 'segment 100'],
  ['a segment whose start is just readable is read again', { head: open, logStart: 100 }, 'segment 100'],
  ['retention past the start of the open segment goes on from its rows', { head: open, logStart: 101, boundary: 'unreadable' }, 'rows 150'],
  ['the same where no checksum is known', { head: open, logStart: 101, boundary: 'unknown' }, 'rows 150'],
  ['a damaged batch at the start goes on from the rows', { head: open, boundary: 'unreadable' }, 'rows 150'],
  ['an idle partition that lost all its records goes on from its rows', { head: open, logStart: 150, logEnd: 150, boundary: 'unreadable' }, 'rows 150'],
  ['records removed before they were counted halt', { head: open, logStart: 151, boundary: 'unreadable' }, 'halt removed'],
  ['the same after a sealed segment', { head: sealed, logStart: 151, boundary: 'unreadable' }, 'halt removed'],
  ['after a sealed segment a new one begins', { head: sealed }, 'fresh 150'],
  ['also when all of the sealed one is gone', { head: sealed, logStart: 150, boundary: 'unreadable' }, 'fresh 150'],
  ['also when nothing came since', { head: sealed, logEnd: 150 }, 'fresh 150'],
  ['a topic made anew that is longer than what was counted halts', { head: open, boundary: 'other' }, 'halt recreated'],
  ['the same after a sealed segment', { head: sealed, boundary: 'other' }, 'halt recreated'],
  ['a topic made anew that is shorter halts', { head: open, logEnd: 149, boundary: 'unreadable' }, 'halt truncated'],
  ['an empty topic made anew halts', { head: sealed, logEnd: 0, boundary: 'unreadable' }, 'halt truncated'],
  ['a new generation begins at the end of the chain', { head: open, generation: 2 }, 'fresh 150'],
  ['also after a sealed segment', { head: sealed, generation: 2 }, 'fresh 150'],
  ['also when the checksum is unknown', { head: sealed, generation: 2, boundary: 'unknown' }, 'fresh 150'],
  ['a new generation reads a log that is proven new from its start', { head: open, generation: 2, boundary: 'other' }, 'fresh 0'],
  ['a log that is shorter than the chain is proven new', { head: open, generation: 2, logEnd: 20, boundary: 'unreadable' }, 'fresh 0'],
  ['a new generation is the way on after removed records', { head: open, generation: 2, logStart: 170, boundary: 'unreadable' }, 'fresh 170'],
  ['a control document older than the store stops', { head: headOf({ start: 0, next: 9, generation: 3 }), generation: 2 }, 'halt newer_generation'],
];

describe('where reading goes on', () => {
  it.each(TABLE)('%s', (_name, part, want) => {
    expect(told(planPlace({ ...base, ...part }))).toBe(want);
  });

  it('every halt says what happened and what to do', () => {
    for (const [, part] of TABLE) {
      const place = planPlace({ ...base, ...part });
      if (place.kind === 'halt') expect(place.message).toMatch(/keywatch generation new|restore the control document/);
    }
  });
});

const log = fc.record({ logStart: fc.nat(300), length: fc.nat(300) });
const chain = fc.record({ start: fc.nat(300), length: fc.nat(300), isSealed: fc.boolean() });

describe('laws of the place', () => {
  it('no readable record that was not counted is passed over, and no lost one goes unnoticed', () => {
    fc.assert(
      fc.property(log, chain, fc.constantFrom('same', 'unreadable', 'unknown'), ({ logStart, length }, { start, length: counted, isSealed }, boundary) => {
        const head = headOf({ start, next: start + counted, isSealed });
        const place = planPlace({ ...base, head, logStart, logEnd: logStart + length, boundary });
        const acked = start + counted;
        if (place.kind === 'halt') return place.why === 'removed' ? logStart > acked : logStart + length < acked;
        // Everything from `acked` on is still to be counted: reading begins at or before it, and the log still has it.
        return place.from <= acked && logStart <= place.from && acked <= logStart + length;
      }),
    );
  });

  it('counting never begins below what is stored, unless the rows are made anew from the very start of their segment', () => {
    fc.assert(
      fc.property(
        log,
        chain,
        fc.constantFrom('same', 'unreadable', 'unknown'),
        fc.integer({ min: 1, max: 2 }),
        ({ logStart, length }, { start, length: counted, isSealed }, boundary, generation) => {
          const head = headOf({ start, next: start + counted, isSealed });
          const logEnd = logStart + length;
          const place = planPlace({ ...base, head, generation, logStart, logEnd, boundary });
          if (place.kind === 'segment') return place.from === start && !isSealed && generation === 1 && boundary !== 'unreadable';
          if (place.kind === 'rows') return place.from === start + counted && !isSealed && generation === 1;
          return place.kind === 'halt' || place.from >= start + counted || (generation === 2 && logEnd < start + counted);
        },
      ),
    );
  });

  it('a log that is proven another one is never read under the same generation', () => {
    fc.assert(
      fc.property(log, chain, ({ logStart, length }, { start, length: counted, isSealed }) => {
        const head = headOf({ start, next: start + counted, isSealed });
        return planPlace({ ...base, head, logStart, logEnd: logStart + length, boundary: 'other' }).kind === 'halt';
      }),
    );
  });

  it('a new generation always has a way on', () => {
    fc.assert(
      fc.property(
        log,
        chain,
        fc.constantFrom('same', 'other', 'unreadable', 'unknown'),
        ({ logStart, length }, { start, length: counted, isSealed }, boundary) => {
          const head = headOf({ start, next: start + counted, isSealed });
          const place = planPlace({ ...base, head, generation: 2, logStart, logEnd: logStart + length, boundary });
          return place.kind === 'fresh' && place.from >= logStart && place.from <= logStart + length;
        },
      ),
    );
  });
});
