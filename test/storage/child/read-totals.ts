/** Reads the store of another process: `node read-totals.ts <directory>` prints the sum of all requests and the number of windows. */
import { C, at } from '../../../core/counters.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';

await using store = await openMetricStore({ directory: process.argv[2] ?? '', readOnly: true });
const totals = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY });
let windows = 0;
for await (const window of store.windows({ from: 0, to: 2 ** 31 })) windows += window.counters.length > 0 ? 1 : 0;
process.stdout.write(JSON.stringify({ requests: totals.reduce((sum, total) => sum + at(total.counters, C.requests), 0), windows }));
