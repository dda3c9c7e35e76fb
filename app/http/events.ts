import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SpoolAnswer, SpoolWriter } from '../../ingest/spool/spool-writer.ts';
import { CliError } from '../cli/errors.ts';
import { type Refusal, comeAgain, refusal } from './answer.ts';
import { BodyBudget, readBody } from './body.ts';
import type { FormatGate } from './format-gate.ts';
import { readLines } from './lines.ts';
import { type Listen, isLoopback, printListen } from './listen.ts';
import { RateLimit } from './rate.ts';
import { type Running, type ServerDeps, type ServerTimes, closeServer, createServer, listenAt, notesOf, send } from './server.ts';
import type { ServerTls } from './tls.ts';
import { type TokenCheck, type TokenHash, tokenCheck } from './tokens.ts';

export type EventsConfig = ServerTimes & {
  readonly listen: Listen;
  /** None: everybody on this machine may send. */
  readonly tokens: readonly TokenHash[];
  readonly tls?: ServerTls | undefined;
  /** Bytes, before and after unpacking. */
  readonly maxBody: number;
  readonly maxEvents: number;
  /** Events per second and token; null is no limit. */
  readonly maxRate: number | null;
  /** All bodies that are held at one time. Default 16 of the largest, at least 64 MiB. */
  readonly bodiesBytesMax?: number | undefined;
};
export type EventsDeps = ServerDeps & {
  readonly spool: Pick<SpoolWriter, 'append'>;
  /** Asked before anything is accepted. */
  readonly gate?: FormatGate | undefined;
};

/** Since the start. */
export type EventsStats = {
  readonly requests: ReadonlyMap<number, number>;
  readonly accepted: number;
  readonly duplicates: number;
  readonly bodyBytes: number;
};
export type EventsServer = Running & { readonly stats: () => EventsStats };

const PATH = '/v1/events';
const BODIES = 16;
const BODIES_BYTES_MIN = 2 ** 26;
const KEY_LENGTH_MAX = 255;
/** Who sends without a token, where none is needed. */
const ANYBODY = 'local';

/**
 * `POST /v1/events`: what was answered with 202 is on the disk. Everything else that is answered was not kept, not even
 * in part.
 */
export async function serveEvents(config: EventsConfig, deps: EventsDeps): Promise<EventsServer> {
  const { listen, tokens } = config;
  if (tokens.length === 0 && !isLoopback(listen.host))
    throw new CliError(
      `${printListen(listen)} can be reached by others and no token is set: make one with keywatch token, or listen on 127.0.0.1 (http.tokens)`,
    );
  const door = new Door(config, deps);
  const app = createServer(deps, { ...config, setting: 'http', addresses: 'POST /v1/events' });
  app.removeAllContentTypeParsers();
  // The body is read by the handler, after the token was looked at.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.post(PATH, { onRequest: (request, reply, done) => door.enter(request, reply, done) }, async (request, reply) => {
    const answer = await door.take(request);
    if ('error' in answer) return send(reply, answer);
    return reply
      .code(202)
      .type('application/json')
      .send(`${JSON.stringify(answer)}\n`);
  });
  app.route({
    url: PATH,
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    handler: (_request, reply) => send(reply, refusal(405, 'events are sent with POST', `use POST ${PATH}`, { allow: 'POST' })),
  });
  app.addHook('onResponse', (_request, reply, done) => {
    door.count(reply.statusCode);
    done();
  });
  const address = await listenAt(app, listen, 'http.listen');
  return { address, stats: () => door.stats(), [Symbol.asyncDispose]: () => closeServer(app, deps.clock, config.graceMs) };
}

/** `accepted` counts the events of the first request, where this one repeats it. */
type Accepted = { readonly accepted: number; readonly id: string; readonly duplicate?: boolean };

/** Everything between a request and the spool. */
class Door {
  readonly #config: EventsConfig;
  readonly #deps: EventsDeps;
  readonly #owner: TokenCheck<TokenHash>;
  readonly #budget: BodyBudget;
  readonly #rate: RateLimit | undefined;
  readonly #requests = new Map<number, number>();
  #accepted = 0;
  #duplicates = 0;

  constructor(config: EventsConfig, deps: EventsDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#owner = tokenCheck(config.tokens);
    this.#budget = new BodyBudget(config.bodiesBytesMax ?? Math.max(BODIES_BYTES_MIN, BODIES * config.maxBody));
    this.#rate = config.maxRate === null ? undefined : new RateLimit({ perSecond: config.maxRate, requestMax: config.maxEvents }, deps.clock);
  }

  count(status: number): void {
    this.#requests.set(status, (this.#requests.get(status) ?? 0) + 1);
  }

  stats(): EventsStats {
    return { requests: new Map(this.#requests), accepted: this.#accepted, duplicates: this.#duplicates, bodyBytes: this.#budget.bytes };
  }

  /** Before a byte of the body is read. */
  enter(request: FastifyRequest, reply: FastifyReply, pass: () => void): void {
    const refused = this.#refuseSender(request);
    if (refused === undefined) pass();
    else send(reply, refused);
  }

  async take(request: FastifyRequest): Promise<Accepted | Refusal> {
    const key = keyOf(request.headers['idempotency-key']);
    if (key !== undefined && typeof key !== 'string') return key;
    const account = this.#budget.open();
    try {
      const body = await readBody(request.raw, { bytesMax: this.#config.maxBody, budget: this.#budget, account });
      // Nobody reads the answer; it still ends the request.
      if (body === 'gone') return refusal(400, 'the sender hung up', 'send it again');
      if ('refusal' in body) return body.refusal;
      return await this.#append(request, { bytes: body.bytes, key });
    } finally {
      account.close();
    }
  }

  async #append(request: FastifyRequest, body: { readonly bytes: Buffer; readonly key: string | undefined }): Promise<Accepted | Refusal> {
    const notes = notesOf(request);
    const sender = notes.sender ?? ANYBODY;
    const read = readLines(body.bytes, { contentType: request.headers['content-type'], eventsMax: this.#config.maxEvents });
    if ('refusal' in read) return read.refusal;
    const { lines, count } = read;
    notes.events = count;
    const why = this.#deps.gate?.(lines);
    if (why !== undefined) return refusal(400, `the events cannot be counted: ${why}`, 'send access logs in a format that keywatch reads');
    const waitMs = this.#rate?.take(sender, count) ?? 0;
    if (waitMs > 0) return comeAgain(429, waitMs, `more events than this token may send (${this.#config.maxRate} a second on average)`);
    const answer = await this.#deps.spool.append({ lines, count, key: body.key === undefined ? undefined : hashOfKey(sender, body.key) });
    if (!answer.ok || answer.isDuplicate) this.#rate?.giveBack(sender, count);
    if (!answer.ok) return refusalOf(answer);
    if (answer.isDuplicate) this.#duplicates++;
    else this.#accepted += count;
    return { accepted: answer.count, id: answer.id, ...(answer.isDuplicate ? { duplicate: true } : {}) };
  }

  #refuseSender(request: FastifyRequest): Refusal | undefined {
    if (this.#config.tokens.length === 0) return isBrowser(request) ? refuseBrowser() : undefined;
    const sender = this.#owner(request.headers.authorization)?.name;
    if (sender === undefined)
      return refusal(401, 'a valid token is needed', 'send Authorization: Bearer and a token whose hash is under http.tokens', {
        'www-authenticate': 'Bearer realm="keywatch"',
      });
    notesOf(request).sender = sender;
    return undefined;
  }
}

/**
 * Without tokens everything on this machine may send, and a web page in a browser here is on this machine too: it must
 * not be able to make up events, neither from another origin nor under a name that was made to lead here.
 */
function isBrowser(request: FastifyRequest): boolean {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return origin !== undefined || (site !== undefined && site !== 'none') || (name !== '' && !isLoopback(name));
}

function refuseBrowser(): Refusal {
  return refusal(
    403,
    'without a token events are taken from programs on this machine only',
    'address it as 127.0.0.1 or localhost and not from a web page, or set a token: keywatch token makes one',
  );
}

function keyOf(header: string | string[] | undefined): string | Refusal | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && header.length <= KEY_LENGTH_MAX && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(header)) return header;
  return refusal(400, 'the Idempotency-Key is not valid', `send one of 1 to ${KEY_LENGTH_MAX} visible ASCII characters, for instance a UUID`);
}

/** Senders do not see one another's keys. */
function hashOfKey(sender: string, key: string): string {
  return hash('sha256', JSON.stringify([sender, key]), 'hex').slice(0, 32);
}

function refusalOf(answer: Extract<SpoolAnswer, { ok: false }>): Refusal {
  switch (answer.refusal) {
    case 'full':
    case 'busy':
      return comeAgain(429, answer.retryAfterMs, answer.reason);
    case 'disk':
      return comeAgain(503, answer.retryAfterMs, 'keywatch cannot write to its disk');
    case 'closed':
      return comeAgain(503, answer.retryAfterMs, answer.reason);
    case 'other_lines':
      return refusal(422, answer.reason, 'use a new Idempotency-Key for every request that is not a repeat');
    default:
      return answer.refusal satisfies never;
  }
}
