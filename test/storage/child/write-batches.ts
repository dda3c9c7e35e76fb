/**
 * Writes segment after segment into a data directory, telling each `next` that was acknowledged, until a put fails or the process is killed.
 * `node write-batches.ts <directory> <batches>`
 */
import { lockDirectory } from '../../../storage/sqlite/lock.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { numberedBatch } from '../batches.ts';

const [, , directory = '', batches = '0'] = process.argv;
lockDirectory(directory);
const store = await openMetricStore({ directory });
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
for (let index = 0; index < Number(batches); index++) {
  const outcome = await store.put(numberedBatch(index));
  if (!outcome.ok) {
    tell(JSON.stringify({ refused: index, ...outcome }));
    process.exit(0);
  }
  tell(`acknowledged ${index}`);
}
tell('done');
// Holds the lock until it is killed or told to end.
process.stdin.on('end', () => process.exit(0)).resume();
