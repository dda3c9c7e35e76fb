import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { C, at } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { Steps } from '../../ingest/ingest-options.ts';
import { formatFor, testIngest } from '../support/ingest.ts';

const TS = 1_780_390_800_000;

function lineOf(bytes: number, status = 200): string {
  return `{"ts":${TS},"key":"key-one","ip":"198.18.0.1","path":"/v1/orders","status":${status},"bytes":${bytes}}\n`;
}

/** After each event, what is handed on at once. */
function* urgentAfterEach(lines: readonly string[], steps: Steps): Generator<PartialBatch | undefined> {
  const encoder = new TextEncoder();
  const ingest = testIngest(formatFor(encoder.encode(lineOf(1))), { steps });
  let offset = 0;
  for (const line of lines) {
    const bytes = encoder.encode(line);
    ingest.block(bytes, offset);
    offset += bytes.length;
    yield ingest.takeUrgent();
  }
}

function requestsOf(batch: PartialBatch | undefined): number | undefined {
  const row = batch?.rows.find(({ entity }) => entity.startsWith('key:'));
  return row === undefined ? undefined : at(readCells(row.cells).counters, C.requests);
}

test('the very request that passes a limit is told at once, whatever the limit and the step', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60 }), (limit, share) => {
      const every = Math.max(1, Math.floor(limit / share));
      const told = [...urgentAfterEach(Array<string>(limit + 1).fill(lineOf(1)), { requests: { limit, every } })].map(requestsOf);
      expect(told[limit]).toBe(limit + 1);
      expect(told[0]).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});

test('one partition never keeps more than a step to itself', () => {
  const every = 25;
  let kept = 0;
  let first: number | undefined;
  for (const batch of urgentAfterEach(Array<string>(1000).fill(lineOf(1)), { requests: { limit: 210, every } })) {
    kept++;
    if (batch === undefined) continue;
    const isFirst = first === undefined;
    first ??= kept;
    expect(kept).toBeLessThanOrEqual(isFirst ? 2 * every : every);
    kept = 0;
  }
  expect(first).toBeDefined();
});

test('the very event whose bytes pass a limit is told at once', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 80 }), (sizes) => {
      const limit = 1000;
      let sum = 0;
      let index = 0;
      for (const batch of urgentAfterEach(
        sizes.map((size) => lineOf(size)),
        { bytes: { limit, every: 125 } },
      )) {
        const before = sum;
        sum += sizes[index++] ?? 0;
        if (before <= limit && sum > limit) expect(requestsOf(batch)).toBe(index);
      }
    }),
    { numRuns: 60 },
  );
});

test('the very refusal that passes a limit is told at once', () => {
  const lines = [lineOf(1), ...Array<string>(51).fill(lineOf(1, 401))];
  const told = [...urgentAfterEach(lines, { failedAuth: { limit: 50, every: 6 } })];
  const row = told[51]?.rows.find(({ entity }) => entity.startsWith('key:'));
  expect(row === undefined ? undefined : at(readCells(row.cells).counters, C.failedAuth)).toBe(51);
});
