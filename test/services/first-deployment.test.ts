import { describe, expect, test } from 'vitest';
import { fresh, kafka, lacks } from './needs.ts';
import { startNginx } from './nginx.ts';
import { startRsyslog } from './rsyslog.ts';
import { readTopic, recordCount, withTopic } from './topic.ts';

const KEYS = ['kw_test_alpha_00000001', 'kw_test_bravo_00000002', 'kw_test_charlie_00000003'];
const STATUSES = [200, 200, 200, 404, 500];
const REQUESTS = 300;

type Asked = { readonly key: string; readonly uri: string; readonly status: number };

/** Asks the gateway, and writes down what it answered: nothing that comes later is believed before it agrees with this. */
async function ask(origin: string): Promise<readonly Asked[]> {
  const ledger: Asked[] = [];
  for (let n = 0; n < REQUESTS; n++) {
    const key = KEYS[n % KEYS.length] ?? '';
    const uri = `/v1/orders/${1000 + n}/${STATUSES[n % STATUSES.length]}`;
    const response = await fetch(`${origin}${uri}`, { headers: { 'x-api-key': key } });
    await response.arrayBuffer();
    ledger.push({ key, uri, status: response.status });
  }
  return ledger;
}

const sorted = (asked: readonly Asked[]): readonly string[] => asked.map(({ key, uri, status }) => `${uri} ${status} ${key}`).toSorted();

describe.skipIf(lacks('kafka', 'nginx', 'rsyslog'))('NGINX, rsyslog with omkafka, a topic', () => {
  test.each(['line', 'default'] as const)(
    'every request is in the topic once, with its key and status (template: %s)',
    { timeout: 180_000 },
    async (template) => {
      const [brokers, topic] = [await kafka(), fresh('access')];
      await withTopic({ brokers, topic, partitions: 3 }, async () => {
        await using gateway = await startNginx({ format: 'json' });
        const shipper = await startRsyslog({ file: gateway.accessLog, brokers, topic, template });
        try {
          const ledger = await ask(gateway.origin);
          await expect.poll(() => recordCount(brokers, topic), { timeout: 30_000 }).toBe(REQUESTS);
          await shipper.end('orderly');
          const values = (await readTopic(brokers, topic)).map(({ value }) => value);
          const seen = values.map((value) => JSON.parse(value.slice(value.indexOf('{'))) as { api_key: string; uri: string; status: number });
          expect(sorted(seen.map(({ api_key, uri, status }) => ({ key: api_key, uri, status })))).toEqual(sorted(ledger));
          expect(values.every((value) => value.startsWith('{'))).toBe(template === 'line');
        } finally {
          await shipper.remove();
        }
      });
    },
  );
});
