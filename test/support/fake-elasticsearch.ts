/**
 * A FAKE. A real HTTP server on loopback that takes bulk requests as Elasticsearch does (external versions, create,
 * delete) and does what a real one cannot be asked for: overload, lost answers, half a bulk, items that fail. With
 * `behind` everything else, and what of a bulk is to be applied, goes to a real Elasticsearch.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type ServerOptions, createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

type ItemError = { readonly status: number; readonly type: string; readonly reason?: string };
export type FakeItem = { readonly op: string; readonly index: string; readonly id: string; readonly version: number; readonly source: string };

/** What happens to a request instead of the usual. */
export type Fault =
  /** An answer with this status; nothing is applied. */
  | { readonly kind: 'status'; readonly status: number; readonly type?: string; readonly retryAfter?: number }
  /** All of it is applied, then the connection ends. */
  | { readonly kind: 'lost' }
  /** The connection ends before anything is applied. */
  | { readonly kind: 'closed' }
  /** The first documents are applied, then the connection ends. */
  | { readonly kind: 'half'; readonly documents: number }
  /** Some items fail; the others are applied. */
  | { readonly kind: 'items'; readonly fails: (item: FakeItem) => ItemError | undefined }
  /** It is applied and answered when the promise resolves. */
  | { readonly kind: 'held'; readonly until: Promise<void> };

type Stored = { readonly version: number; readonly source: string };
type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> };

const PRODUCT = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' };

export class FakeElasticsearch implements AsyncDisposable {
  /** Faults of the next bulk requests, in order; undefined is none. */
  readonly faults: (Fault | undefined)[] = [];
  /** A fault of every bulk request while it is set. */
  always: Fault | undefined;
  /** Which requests `faults` and `always` are for. Default all bulks; the items are parsed. */
  applies: (items: readonly FakeItem[]) => boolean = () => true;
  /** Documents of each bulk request that arrived. */
  readonly bulks: (readonly FakeItem[])[] = [];
  /** By index and id. */
  readonly documents = new Map<string, Stored>();
  readonly authorizations: (string | undefined)[] = [];
  version = '8.19.0';
  /** Status of everything else, for instance 401. */
  status = 200;
  isElasticsearch = true;
  /** So many requests to refresh are answered with a shard that failed; nothing is refreshed by them. */
  failedRefreshes = 0;
  /** Requests to refresh that arrived. */
  refreshes = 0;
  /** Most bulk requests that were there at once. */
  mostAtOnce = 0;
  bytesMax = Number.POSITIVE_INFINITY;
  #atOnce = 0;
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  readonly #behind: string | undefined;

  constructor(options: { readonly behind?: string; readonly tls?: ServerOptions } = {}) {
    this.#behind = options.behind;
    this.#scheme = options.tls === undefined ? 'http' : 'https';
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#receive(request, response);
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get(index: string, id: string): Stored | undefined {
    return this.documents.get(`${index}/${id}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', 'http://fake');
    this.authorizations.push(request.headers.authorization);
    if (url.pathname !== '/_bulk') {
      const answer = await this.#other(request, url, body);
      response.writeHead(answer.status, { ...PRODUCT, ...answer.headers, ...(this.isElasticsearch ? {} : { 'x-elastic-product': 'something else' }) });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
      return;
    }
    this.#atOnce++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    try {
      await this.#bulk(request, response, { url, body });
    } finally {
      this.#atOnce--;
    }
  }

  async #bulk(request: IncomingMessage, response: ServerResponse, { url, body }: { readonly url: URL; readonly body: Buffer }): Promise<void> {
    const items = parseItems(body.toString());
    const close = (): void => void request.socket.destroy();
    const say = ({ status, body: answer, headers }: Answer): void => {
      response.writeHead(status, { ...PRODUCT, ...headers });
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    };
    this.bulks.push(items);
    if (body.length > this.bytesMax) return say({ status: 413, body: '<h1>413 Request Entity Too Large</h1>', headers: { 'content-type': 'text/html' } });
    const fault = this.applies(items) ? (this.faults.length > 0 ? this.faults.shift() : this.always) : undefined;
    const filter = url.searchParams.get('filter_path') ?? '';
    switch (fault?.kind) {
      case undefined:
        return say(await this.#apply(items, filter));
      case 'status': {
        const error = { type: fault.type ?? 'a_fault', reason: 'of the fake' };
        const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
        return say({ status: fault.status, body: { error, status: fault.status }, headers });
      }
      case 'lost':
        await this.#apply(items, filter);
        return close();
      case 'closed':
        return close();
      case 'half':
        if (fault.documents > 0) await this.#apply(items.slice(0, fault.documents), filter);
        return close();
      case 'items':
        return say(await this.#apply(items, filter, fault.fails));
      case 'held':
        await fault.until;
        return say(await this.#apply(items, filter));
    }
  }

  async #apply(items: readonly FakeItem[], filter: string, fails?: (item: FakeItem) => ItemError | undefined): Promise<Answer> {
    if (this.#behind !== undefined && fails !== undefined) return this.#applyBehind(this.#behind, items, filter, fails);
    if (this.#behind !== undefined) {
      return forward(`${this.#behind}/_bulk?filter_path=${encodeURIComponent(filter)}`, { method: 'POST', body: items.map((item) => item.source).join('') });
    }
    const results = items.map((item) => {
      const error = fails?.(item) ?? this.#write(item);
      const place = { _index: item.index, _id: item.id };
      return {
        [item.op]: error === undefined ? { ...place, status: 200 } : { ...place, status: error.status, error: { type: error.type, reason: error.reason } },
      };
    });
    const failed = results.filter((result) => Object.values(result).some((item) => 'error' in item));
    // The filter of a success leaves no items; that of a failure without `status` leaves only those that failed.
    if (failed.length === 0) return { status: 200, body: { errors: false } };
    return { status: 200, body: { errors: true, items: filter.includes('status') ? results : failed } };
  }

  /** The items that do not fail go to the real one. */
  async #applyBehind(behind: string, items: readonly FakeItem[], filter: string, fails: (item: FakeItem) => ItemError | undefined): Promise<Answer> {
    const passed = items.filter((item) => fails(item) === undefined);
    const body = passed.map((item) => item.source).join('');
    const answer = passed.length === 0 ? undefined : await forward(`${behind}/_bulk`, { method: 'POST', body });
    if (answer !== undefined && answer.status !== 200) return answer;
    const real = answer === undefined ? [] : (JSON.parse(String(answer.body)) as { items: Record<string, Record<string, unknown>>[] }).items;
    const results = items.map((item) => {
      const error = fails(item);
      return error === undefined ? (real.shift() ?? {}) : { [item.op]: { _index: item.index, _id: item.id, status: error.status, error } };
    });
    const failed = results.filter((result) => Object.values(result).some((item) => 'error' in item));
    if (failed.length === 0) return { status: 200, body: { errors: false } };
    return { status: 200, body: { errors: true, items: filter.includes('status') ? results : failed } };
  }

  /** As Elasticsearch with `external_gte`. */
  #write(item: FakeItem): ItemError | undefined {
    const key = `${item.index}/${item.id}`;
    const before = this.documents.get(key);
    const conflict = { status: 409, type: 'version_conflict_engine_exception', reason: 'there already' };
    if (before !== undefined && (item.op === 'create' || before.version > item.version)) return conflict;
    if (item.op === 'delete') this.documents.delete(key);
    else this.documents.set(key, { version: item.version, source: item.source.split('\n')[1] ?? '' });
    return undefined;
  }

  async #other(request: IncomingMessage, url: URL, body: Buffer): Promise<Answer> {
    if (this.status !== 200) return { status: this.status, body: { error: { type: 'security_exception', reason: 'a test' }, status: this.status } };
    if (url.pathname.endsWith('/_refresh')) {
      this.refreshes++;
      const failure = { shard: 0, index: 'one', status: 'INTERNAL_SERVER_ERROR', reason: { type: 'engine_exception', reason: 'of the fake' } };
      if (this.failedRefreshes-- > 0) return { status: 200, body: { _shards: { total: 2, successful: 1, failed: 1, failures: [failure] } } };
      if (this.#behind === undefined) return { status: 200, body: { _shards: { total: 2, successful: 2, failed: 0 } } };
    }
    if (this.#behind === undefined) return { status: 200, body: { nodes: { one: { version: this.version } } } };
    const { method = 'GET', headers } = request;
    return forward(`${this.#behind}${url.pathname}${url.search}`, {
      method,
      headers: {
        ...(headers.accept === undefined ? {} : { accept: headers.accept }),
        ...(body.length === 0 ? {} : { 'content-type': headers['content-type'] ?? 'application/json' }),
      },
      ...(body.length === 0 ? {} : { body: body.toString() }),
    });
  }
}

async function forward(
  url: string,
  init: { readonly method: string; readonly body?: string; readonly headers?: Readonly<Record<string, string>> },
): Promise<Answer> {
  const headers = init.headers ?? { 'content-type': 'application/x-ndjson' };
  const response = await fetch(url, { method: init.method, ...(init.body === undefined ? {} : { body: init.body, headers }) });
  return { status: response.status, body: await response.text() };
}

/** `source` is both lines of it. */
function parseItems(body: string): readonly FakeItem[] {
  const lines = body.split('\n');
  const items: FakeItem[] = [];
  for (let i = 0; i < lines.length - 1; i++) {
    const line = lines[i] ?? '';
    const [[op, meta] = ['', {}]] = Object.entries(JSON.parse(line) as Record<string, { _index?: string; _id?: string; version?: number }>);
    const hasDocument = op !== 'delete';
    items.push({
      op,
      index: meta._index ?? '',
      id: meta._id ?? '',
      version: meta.version ?? 0,
      source: hasDocument ? `${line}\n${lines[i + 1] ?? ''}\n` : `${line}\n`,
    });
    if (hasDocument) i++;
  }
  return items;
}
