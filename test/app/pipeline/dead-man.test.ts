import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { DeadMan } from '../../../app/pipeline/dead-man.ts';
import { Secret } from '../../../core/secret.ts';

let answer = 200;
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  if (answer === 0) return;
  response.writeHead(answer, answer === 302 ? { location: '/elsewhere' } : {}).end('ok');
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const TOKEN = '4b1c0d2e-ping-token';

function deadMan(url = `http://127.0.0.1:${port}/${TOKEN}`, isAlive = () => true) {
  const said: string[] = [];
  const made = new DeadMan({
    url: new Secret(url),
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined },
    isAlive,
    onProblem: (message) => said.push(message),
    onOver: (message) => said.push(message),
    timeoutMs: 200,
  });
  return { made, said };
}

test('the far side hears a GET; that it takes none is said once, and once that it does again, without the address', async () => {
  const { made, said } = deadMan();
  const { signal } = new AbortController();
  for (const status of [200, 500, 302, 0, 500, 200, 200]) {
    answer = status;
    await made.ping(signal);
  }
  expect(asked).toEqual(Array.from({ length: 7 }, () => `GET /${TOKEN}`));
  expect(said).toEqual([
    'alerts.watch.deadManUrl does not take the sign of life: it answered 500; it is tried every minute',
    'alerts.watch.deadManUrl takes the sign of life again',
  ]);
});

test('one that cannot be reached or never answers is a reason, not the end', async () => {
  const gone = deadMan(`http://127.0.0.1:1/${TOKEN}`);
  await gone.made.ping(new AbortController().signal);
  expect(gone.said).toHaveLength(1);
  answer = 0;
  const hanging = deadMan();
  await hanging.made.ping(new AbortController().signal);
  expect(hanging.said[0]).toContain('no answer within 0.2 s');
  expect([...gone.said, ...hanging.said].join()).not.toContain(TOKEN);
});

test('a process that does not judge stays silent, so that somebody is called', async () => {
  const before = asked.length;
  const stop = new AbortController();
  let looks = 0;
  const { made } = deadMan(undefined, () => {
    if (++looks === 3) stop.abort();
    return false;
  });
  await made.run(stop.signal);
  expect([looks, asked.length]).toEqual([3, before]);
});
