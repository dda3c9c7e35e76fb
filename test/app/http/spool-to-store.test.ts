import { describe, expect, test } from 'vitest';
import { C, at } from '../../../core/counters.ts';
import type { EventSource } from '../../../core/ports.ts';
import { systemClock } from '../../../core/clock.ts';
import { DEFAULT_LIMITS } from '../../../ingest/ingest-options.ts';
import { Pump } from '../../../ingest/pump.ts';
import { spoolSource } from '../../../ingest/spool/spool-source.ts';
import { memoryMetricStore } from '../../../storage/memory/metric-store.ts';
import { quietBus } from '../../support/bus.ts';
import { testNormaliser } from '../../support/ingest.ts';
import { intake } from './support.ts';

/** Older ones would be late: they are measured against the time of their receipt. */
const base = systemClock.now() - 3_600_000;
const line = (key: number, second: number): string =>
  `{"ts":${base + second * 1000},"key":"key-${key}","ip":"198.18.0.1","path":"/v1/a","status":200,"bytes":1}\n`;

async function pumpUntil(store: ReturnType<typeof memoryMetricStore>, source: EventSource, isDone: () => boolean): Promise<void> {
  const stop = new AbortController();
  const pump = new Pump(
    { segmentBytes: 4096, detect: {}, limits: DEFAULT_LIMITS, flushMs: 10, normaliser: () => testNormaliser() },
    { source, store, bus: quietBus(), clock: systemClock, onProblem: (message) => expect(message).toBe(''), origin: 'http' },
  );
  const running = pump.run(stop.signal);
  while (!isDone()) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await running;
}

describe('from a request to the store', () => {
  test('what was accepted is counted once over small segments and restarts, and then leaves the disk', async () => {
    await using events = await intake({}, { spool: { segmentBytes: 2000 } });
    const store = memoryMetricStore();
    const want = new Map<number, number>();
    let sent = 0;
    for (let start = 0; start < 4; start++) {
      for (let i = 0; i < 25; i++) {
        const size = 1 + ((i * 7) % 13);
        const keys = Array.from({ length: size }, (_, n) => (i + n) % 5);
        for (const key of keys) want.set(key, (want.get(key) ?? 0) + 1);
        sent += size;
        const body = keys.map((key) => line(key, sent % 600)).join('');
        expect(await events.post(i % 2 === 0 ? body : `[${body.trim().replaceAll('\n', ',')}]`)).toMatchObject({ status: 202, json: { accepted: size } });
      }
      const source = spoolSource(
        { directory: events.directory, segmentBytes: 4096 },
        { clock: systemClock, known: await store.sources(), writer: events.writer },
      );
      await pumpUntil(store, source, () => events.writer.stats().released === events.writer.end);
    }
    const totals = await store.totals({ from: 0, to: 4_000_000_000_000, kinds: ['key'] });
    expect(totals.map(({ counters }) => at(counters, C.requests)).sort((a, b) => a - b)).toEqual([...want.values()].sort((a, b) => a - b));
    expect(events.writer.bytes).toBeLessThan(2000 + 4096);
    expect(sent).toBe(totals.reduce((sum, { counters }) => sum + at(counters, C.requests), 0));
  });
});
