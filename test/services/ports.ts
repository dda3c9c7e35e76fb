import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A free port of loopback. Not one that the system proposes: those it also hands to outgoing connections, so that it
 * may be taken between now and the start, or while a server that is to come back on it is down.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
