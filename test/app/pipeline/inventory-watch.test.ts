import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { usageError } from '../../../app/cli/errors.ts';
import { parseInventory } from '../../../app/config/inventory.ts';
import { InventoryWatch } from '../../../app/pipeline/inventory-watch.ts';
import { stillClock } from '../cli/capture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch-inventory-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a changed inventory is taken; of a bad one people hear once, and the last good one holds until it is right again', async () => {
  const path = join(directory, 'keys.csv');
  const held: number[] = [];
  const problems: string[] = [];
  const watch = new InventoryWatch({
    path: () => path,
    clock: stillClock,
    read: () => {
      const { keys, faults } = parseInventory('keys.csv', readFileSync(path, 'utf8'), []);
      if (faults.length > 0) throw usageError(faults.map(({ message }) => message).join('; '));
      return { keys, plans: {} };
    },
    apply: async ({ keys }) => void held.push(keys.length),
    onProblem: (message) => problems.push(message),
    onChange: () => undefined,
  });
  const put = (text: string): void => {
    // As editors do it: another file in the place of the old one.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  put('id\na\n');
  await watch.look();
  await watch.look();
  expect(held).toEqual([1]);
  put('id\na\na\n');
  await watch.look();
  await watch.look();
  expect([held, problems.length]).toEqual([[1], 1]);
  expect(problems[0]).toContain('the last good one holds: this key is listed twice');
  put('id\na\nb\n');
  await watch.look();
  expect([held, problems.length]).toEqual([[1, 2], 1]);
});
