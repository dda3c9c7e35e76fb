import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { bytesOf, portOf } from '../../storage/elasticsearch/judge-cluster.ts';

export type GateRequest = { readonly method: string; readonly path: string; readonly body: string };
/** `refused`: 503, and Elasticsearch never sees it. `lost`: it does what is asked, and the answer is lost. */
export type Instead = 'refused' | 'lost';

/** A way to a real Elasticsearch on which requests can be stopped. */
export type Gate = AsyncDisposable & {
  readonly url: string;
  /** Asked for every request before it is passed on; passed when it resolves, unless with what becomes of it instead. */
  hold(work: (request: GateRequest) => Promise<Instead | void>): void;
  /** Nothing is held any more. */
  open(): void;
};

export async function startGate(elasticsearch: string): Promise<Gate> {
  const target = new URL(elasticsearch);
  let work: (request: GateRequest) => Promise<Instead | void> = () => Promise.resolve();
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bytesOf(incoming);
    const { method = '', url: path = '', headers } = incoming;
    const instead = await work({ method, path, body: body.toString() });
    if (instead === 'refused') {
      response
        .writeHead(503, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
        .end('{"error":{"type":"of_the_gate"},"status":503}');
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const outgoing = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
        if (instead === 'lost') {
          answer.resume().on('end', () => {
            response.destroy();
            resolve();
          });
          return;
        }
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
