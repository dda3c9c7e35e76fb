/** A real Elasticsearch for the tests of what the judge stores, and a proxy in front of it that loses answers. */
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { systemClock } from '../../../core/clock.ts';
import { type Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';

export const isMissing: boolean = lacks('elasticsearch');

export async function connect(node?: string): Promise<Elasticsearch> {
  return openElasticsearch({ nodes: [node ?? (await elasticsearch())], requestTimeoutMs: 20_000 }, { clock: systemClock, random: () => 0.05 });
}

/** Prefixes of one test file, each for one test; everything under them goes at the end. */
export class Prefixes {
  readonly #stem = fresh('kwt');
  #count = 0;

  next(): string {
    return `${this.#stem}-${this.#count++}`;
  }

  async remove({ client }: Elasticsearch): Promise<void> {
    await client.indices.delete({ index: `${this.#stem}-*`, allow_no_indices: true, ignore_unavailable: true });
    await client.indices.deleteIndexTemplate({ name: `${this.#stem}-*` }, { ignore: [404] });
  }
}

/**
 * What becomes of a request: passed on · `lose`: done, but its answer never arrives · `refuse`: answered with 503 and
 * not done · `late`: answered with a lost connection at once and done when `release` is called
 */
export type Fate = 'pass' | 'lose' | 'refuse' | 'late';

export type Proxy = AsyncDisposable & {
  readonly node: string;
  /** Of all requests that are to come. */
  decide(fate: (method: string, path: string) => Fate): void;
  release(): Promise<void>;
};

export async function startProxy(): Promise<Proxy> {
  const target = new URL(await elasticsearch());
  let fateOf: (method: string, path: string) => Fate = () => 'pass';
  const held: (() => Promise<void>)[] = [];

  const forward = async (incoming: IncomingMessage, body: Buffer): Promise<{ readonly answer: IncomingMessage; readonly bytes: Buffer }> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: target.hostname, port: target.port, method: incoming.method, path: incoming.url, headers: incoming.headers },
        (answer) => {
          bytesOf(answer).then((bytes) => resolve({ answer, bytes }), reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bytesOf(incoming);
    const fate = fateOf(incoming.method ?? '', incoming.url ?? '');
    if (fate === 'refuse') {
      response
        .writeHead(503, { 'x-elastic-product': 'Elasticsearch', 'content-type': 'application/json' })
        .end('{"error":{"type":"unavailable","reason":"a test"},"status":503}');
      return;
    }
    if (fate === 'late') {
      held.push(async () => void (await forward(incoming, body)));
      incoming.socket.destroy();
      return;
    }
    const { answer, bytes } = await forward(incoming, body);
    if (fate === 'lose') incoming.socket.destroy();
    else response.writeHead(answer.statusCode ?? 500, answer.headers).end(bytes);
  };

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    node: `http://127.0.0.1:${portOf(server)}`,
    decide: (fate) => {
      fateOf = fate;
    },
    release: async () => {
      for (const work of held.splice(0)) await work();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  return address.port;
}

export async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of message) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}
