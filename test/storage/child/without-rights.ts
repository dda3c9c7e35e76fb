/** Gives up all rights, then does what a start on a read-only data directory does: `node without-rights.ts <empty directory> <filled directory>`. */
import { openJournal } from '../../../storage/sqlite/journal.ts';
import { lockDirectory } from '../../../storage/sqlite/lock.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';

const [, , empty = '', filled = ''] = process.argv;
const NOBODY = 65_534;
if (process.getuid?.() === 0) {
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

async function faultOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return 'worked';
  } catch (error) {
    return error instanceof Error ? { name: error.name, message: error.message } : String(error);
  }
}

process.stdout.write(
  JSON.stringify({
    lock: await faultOf(() => lockDirectory(empty)),
    metrics: await faultOf(async () => openMetricStore({ directory: empty })),
    journal: await faultOf(async () => openJournal({ directory: empty })),
    below: await faultOf(async () => openMetricStore({ directory: `${empty}/data` })),
    filled: await faultOf(async () => openMetricStore({ directory: filled })),
  }),
);
