import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { C, at } from '../../core/counters.ts';
import type { EventSource, SourceEvent } from '../../core/ports.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { Pump } from '../../ingest/pump.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { quietBus } from '../support/bus.ts';
import { testNormaliser } from '../support/ingest.ts';

const line = (second: number): string => `{"ts":${1_780_390_800_000 + second * 1000},"key":"a-key","ip":"198.18.0.1","path":"/v1/a","status":200,"bytes":1}\n`;

function scripted(events: readonly SourceEvent[]): EventSource & { readonly cursors: string[] } {
  const cursors: string[] = [];
  return {
    name: 'scripted',
    cursors,
    async *events() {
      yield* events;
    },
    cursor: (partition, next) => {
      cursors.push(`${partition} ${next}`);
      return `${next}`;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

test('lines that come after a file was finished are counted, in the segment that it is in', async () => {
  const store = memoryMetricStore();
  const first = Buffer.from(line(1) + line(2));
  const second = Buffer.from(line(3));
  const source = scripted([
    { kind: 'assigned', partition: 'p', label: 'access.log.1', from: 0, head: first },
    { kind: 'block', partition: 'p', offset: 0, bytes: first },
    { kind: 'caught_up', partition: 'p', position: first.length },
    { kind: 'finished', partition: 'p', position: first.length },
    { kind: 'assigned', partition: 'p', label: 'access.log.1', from: first.length, head: first },
    { kind: 'block', partition: 'p', offset: first.length, bytes: second },
    { kind: 'finished', partition: 'p', position: first.length + second.length },
  ]);
  const pump = new Pump(
    { segmentBytes: 1 << 20, detect: {}, limits: DEFAULT_LIMITS, flushMs: 1e9, normaliser: () => testNormaliser() },
    { source, store, bus: quietBus(), clock: systemClock, onProblem: (message) => expect(message).toBe(''), origin: 'test' },
  );
  await pump.run(new AbortController().signal);
  const totals = await store.totals({ from: 0, to: 4_000_000_000_000, kinds: ['key'] });
  expect(totals.map(({ counters }) => at(counters, C.requests))).toEqual([3]);
  // Once when caught up and once when finished, although no record came between: the cursor may say more.
  expect(source.cursors).toEqual([`p ${first.length}`, `p ${first.length}`, `p ${first.length + second.length}`]);
});
