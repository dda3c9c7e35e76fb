import { expect, test } from 'vitest';
import { readFullAnswer } from '../../../storage/elasticsearch/bulk-items.ts';
import { explain, isRetryable } from '../../../storage/elasticsearch/fault.ts';

const FULL = 'Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;';

test('a cluster that may have no more shards is a fault of the world that passes, and the line says what to do', () => {
  for (const type of ['illegal_argument_exception', 'validation_exception']) expect(isRetryable(400, type, FULL)).toBe(true);
  expect(explain(400, 'validation_exception', FULL)).toMatch(/as many shards as it may have: .*\[1000\]\/\[1000\].*raise cluster\.max_shards_per_node/);
  const verdict = readFullAnswer({ errors: true, items: [{ index: { status: 400, error: { type: 'illegal_argument_exception', reason: FULL } } }] });
  expect(verdict).toMatchObject({ kind: 'failed', retryable: [0], fatal: undefined });
});

test('an index that is read-only, for a full disk or because somebody said so, is tried again; a document that does not fit is not', () => {
  for (const reason of ['index [x] blocked by: [FORBIDDEN/5/index read-only (api)];', 'blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage];'])
    expect(isRetryable(403, 'cluster_block_exception', reason)).toBe(true);
  expect(isRetryable(400, 'document_parsing_exception', 'failed to parse field [cells]')).toBe(false);
});
