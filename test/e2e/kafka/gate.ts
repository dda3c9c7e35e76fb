import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { bytesOf, portOf } from '../../storage/elasticsearch/judge-cluster.ts';

/** A way to a real Elasticsearch on which requests can be stopped. */
export type Gate = AsyncDisposable & {
  readonly url: string;
  /** Asked for every request before it is passed on; passed when it resolves. */
  hold(work: (method: string, path: string) => Promise<void>): void;
  /** Nothing is held any more. */
  open(): void;
};

export async function startGate(elasticsearch: string): Promise<Gate> {
  const target = new URL(elasticsearch);
  let work: (method: string, path: string) => Promise<void> = () => Promise.resolve();
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bytesOf(incoming);
    await work(incoming.method ?? '', incoming.url ?? '');
    const { method, url: path, headers } = incoming;
    await new Promise<void>((resolve, reject) => {
      const outgoing = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response).on('finish', resolve).on('error', reject);
      });
      outgoing.on('error', reject).end(body);
    });
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    hold: (next) => {
      work = next;
    },
    open: () => {
      work = () => Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
