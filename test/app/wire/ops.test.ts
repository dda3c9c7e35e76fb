import type { PartitionPosition } from '../../../core/ports.ts';
import { expect, test } from 'vitest';
import { createMetrics } from '../../../app/http/metrics.ts';
import { haltedCheck, positionStats } from '../../../app/wire/ops.ts';

const reading: PartitionPosition = { source: 'kafka:c/access', topic: 'access', partition: 0, phase: 'reading', position: 40, end: 50, halt: undefined };
const halted: PartitionPosition = { ...reading, partition: 1, phase: 'halted', position: 100, end: 130, halt: 'the log ends at offset 130' };

test('a partition that is halted is a reason not to be ready, by name and with why; without one there is none', () => {
  expect(haltedCheck([reading, halted, { ...halted, partition: 2 }])).toEqual([
    { name: 'halted', ok: false, text: 'topic access/1: the log ends at offset 130 (and 1 more)' },
  ]);
  expect(haltedCheck([reading])).toMatchObject([{ ok: true }]);
  expect(haltedCheck([])).toEqual([]);
});

test('a halted partition has a gauge and its lag is told, also when nothing of it was read, and nobody is told of twice', async () => {
  const { halted: gauge, behind } = positionStats([reading, halted], new Set(['kafka:c/access/0']));
  const text = await createMetrics({ stats: () => ({ halted: gauge, partitions: behind }) }, { version: '1' }).text();
  expect(text).toContain('keywatch_partition_halted{topic="access",partition="0"} 0\n');
  expect(text).toContain('keywatch_partition_halted{topic="access",partition="1"} 1\n');
  expect(text).toContain('keywatch_partition_lag_records{source="kafka:c/access",partition="1"} 30\n');
  expect(positionStats([halted], new Set(['kafka:c/access/1'])).behind).toEqual([]);
});
