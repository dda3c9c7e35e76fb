import fc from 'fast-check';
import { test } from 'vitest';
import { checkRecordHistory, recordHistoryArb } from './record-law.ts';

const runs = Number(process.env['KEYWATCH_LAW_RUNS'] ?? 200);

test('crash law, message logs: what is stored and what the judge was told equal the truth whoever dies, is replaced, or goes on as a zombie', async () => {
  await fc.assert(
    fc.asyncProperty(recordHistoryArb, (history) => checkRecordHistory(history)),
    { numRuns: runs },
  );
}, 3_600_000);
