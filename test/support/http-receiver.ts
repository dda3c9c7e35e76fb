import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ReceivedPost = { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string };
type Answer = (response: ServerResponse, post: ReceivedPost) => void;

/** An HTTP server on loopback that remembers what it got and answers as it is told. */
export class HttpReceiver implements AsyncDisposable {
  readonly posts: ReceivedPost[] = [];
  answer: Answer = (response) => void response.end('ok');
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const post = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() };
      this.posts.push(post);
      this.answer(response, post);
    });
  });

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  get origin(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
