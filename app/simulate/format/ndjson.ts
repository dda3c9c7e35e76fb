import { jsonString, type LineFormat } from './format.ts';

/**
 * The flat JSON line of the benches, 154 bytes on average with the bench's population (`bench-file.ts`):
 * - `ts` start of the request, epoch milliseconds, number
 * - `key` the raw API key
 * - `ip` client address
 * - `method`, `path` (without the query)
 * - `status` number
 * - `bytes` response body bytes, number
 * - `ms` duration in milliseconds with one decimal, number
 * - `ua` user agent
 */
export const ndjson: LineFormat = {
  name: 'ndjson',
  write: (event, out) => {
    out.text(
      `{"ts":${event.at},"key":${jsonString(event.key)},"ip":"${event.address}","method":"${event.method}","path":${jsonString(event.path)},"status":${event.status},"bytes":${event.bytesOut},"ms":${Math.round(event.durationUs / 100) / 10},"ua":${jsonString(event.agent)}}\n`,
    );
  },
};
