import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatStart, parseStart, startAt, startPosition } from '../../../ingest/kafka/start-position.ts';

const ranges = fc
  .uniqueArray(fc.tuple(fc.nat(500), fc.record({ start: fc.nat(), end: fc.nat() })), { selector: ([partition]) => partition })
  .map((entries) => new Map(entries));

it('what one process claimed another reads as it was meant', () => {
  fc.assert(
    fc.property(ranges, fc.constantFrom('earliest', 'latest'), (known, from) => {
      const start = startPosition(from, known);
      expect(parseStart(formatStart(start))).toEqual(start);
    }),
  );
});

it('the latest start of a partition is the end that its log had; a partition that was not there is read whole', () => {
  fc.assert(
    fc.property(ranges, fc.nat(500), (known, partition) => {
      expect(startAt(startPosition('latest', known), partition)).toBe(known.get(partition)?.end);
      expect(startAt(startPosition('earliest', known), partition)).toBeUndefined();
    }),
  );
});

it('a start that none of ours wrote is not guessed at', () => {
  for (const text of ['{}', '3', 'null', '{"from":"somewhere"}', '{"from":"latest"}']) expect(() => parseStart(text)).toThrow(/not one of ours/);
});
