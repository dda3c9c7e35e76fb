import { type RequestListener, STATUS_CODES, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';
import { CliError, errorCode, systemReason } from '../cli/errors.ts';
import { type Refusal, refusal, refusalText } from './answer.ts';
import { type Listen, printListen } from './listen.ts';
import { HSTS, type ServerTls, certificateTrouble, secureOptions } from './tls.ts';

/** One line for the log of requests. Neither a body nor a token nor a query is in it. */
export type RequestLine = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly ms: DurationMs;
  readonly from: string;
  /** Whose token it was. */
  readonly sender?: string | undefined;
  readonly events?: number | undefined;
};

export type ServerDeps = {
  readonly clock: Clock;
  /** A bug, or a fault of the socket: one line. */
  readonly onProblem: (message: string) => void;
  readonly onRequest?: ((line: RequestLine) => void) | undefined;
};

export type ServerTimes = {
  /** From the first byte to the last one of a request. Default 60 s. */
  readonly requestMs?: DurationMs | undefined;
  /** How often that is looked at. Default 5 s. */
  readonly checkMs?: DurationMs | undefined;
  /** How long the end waits for requests under way. Default 10 s. */
  readonly graceMs?: DurationMs | undefined;
};

/** Filled in while a request is answered, for its line in the log. */
export type RequestNotes = { sender?: string; events?: number };

const REQUEST_MS = 60_000;
const HEADERS_MS = 15_000;
const CHECK_MS = 5000;
const GRACE_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;

export type Running = AsyncDisposable & {
  /** With the port that was taken, when 0 was asked for. */
  readonly address: Listen;
};

export type ServerConfig = ServerTimes & {
  /** Absent: plain HTTP. */
  readonly tls?: ServerTls | undefined;
  /** Where it is configured, for messages: `http`, `api`. */
  readonly setting: string;
  /** What there is here, for who asked for something else. */
  readonly addresses: string;
  /** What a handler that threw is answered with; undefined for a bug. */
  readonly onFault?: (error: unknown) => Refusal | undefined;
};

/** A server that answers everything, also what it cannot read, with one line of JSON. */
export function createServer(deps: ServerDeps, config: ServerConfig): FastifyInstance {
  const requestMs = config.requestMs ?? REQUEST_MS;
  const limits = { headersTimeout: Math.min(HEADERS_MS, requestMs), connectionsCheckingInterval: config.checkMs ?? CHECK_MS };
  const secure = secureBy(config, deps);
  const options = {
    logger: false,
    requestTimeout: requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: true,
    clientErrorHandler: (error: Error & { readonly code: string }, socket: Socket): void => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      else socket.end(rawAnswer(connectionRefusal(error.code, secure !== undefined)));
    },
  };
  const app: FastifyInstance = secure === undefined ? fastify({ ...options, http: limits }) : fastify<Server>({ ...options, serverFactory: secureServer });
  function secureServer(handler: RequestListener): Server {
    return createSecureServer({ ...limits, ...secure, requestTimeout: requestMs, keepAliveTimeout: KEEP_ALIVE_MS, handshakeTimeout: HEADERS_MS }, handler);
  }
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  // Or a connection whose last request is answered would be kept until it is idle for long.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing) void reply.header('connection', 'close');
    if (secure !== undefined) void reply.header('strict-transport-security', HSTS);
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { sender, events } = notesOf(request);
    const path = request.url.replace(/[?#].*$/s, '');
    deps.onRequest?.({ method: request.method, path, status: reply.statusCode, ms: reply.elapsedTime, from: request.ip, sender, events });
    done();
  });
  app.setNotFoundHandler((_request, reply) => send(reply, refusal(404, 'there is nothing at this address', `here is ${config.addresses}`)));
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error);
    if (status === 413) return send(reply, refusal(413, 'the body is too large', 'send a smaller one'));
    if (status === 415) return send(reply, refusal(415, 'the body is not JSON', 'send Content-Type: application/json'));
    if (status < 500) return send(reply, refusal(status, 'the request cannot be read', 'send a valid HTTP request'));
    const known = config.onFault?.(error);
    if (known !== undefined) return send(reply, known);
    deps.onProblem(`BUG: a request could not be answered: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return send(reply, refusal(500, 'something went wrong inside keywatch', 'look at the log of keywatch'));
  });
  return app;
}

function secureBy({ tls, setting }: ServerConfig, { clock, onProblem }: ServerDeps): ReturnType<typeof secureOptions> | undefined {
  if (tls === undefined) return undefined;
  const options = secureOptions(tls, `${setting}.tls`);
  const trouble = certificateTrouble(tls.cert, clock.now(), `${setting}.tls`);
  if (trouble !== undefined) onProblem(trouble);
  return options;
}

const notes = new WeakMap<object, RequestNotes>();

/** What is known of a request so far. */
export function notesOf(request: object): RequestNotes {
  const known = notes.get(request);
  if (known !== undefined) return known;
  const fresh: RequestNotes = {};
  notes.set(request, fresh);
  return fresh;
}

export function send(reply: FastifyReply, refused: Refusal): FastifyReply {
  return reply
    .code(refused.status)
    .headers(refused.headers ?? {})
    .type('application/json')
    .send(refusalText(refused));
}

/** Listens, or says in one line why that cannot be. `setting` is where the address is configured. */
export async function listenAt(app: FastifyInstance, listen: Listen, setting: string): Promise<Listen> {
  try {
    await app.listen({ host: listen.host, port: listen.port });
  } catch (error) {
    await app.close();
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`cannot listen on ${printListen(listen)}: ${listenReason(error)} (${setting})`, undefined, { cause: error });
  }
  return { host: listen.host, port: (app.server.address() as AddressInfo).port };
}

/** Takes no more, finishes what is under way, and after the grace cuts off what is still not at its end. */
export async function closeServer(app: FastifyInstance, clock: Clock, graceMs: DurationMs = GRACE_MS): Promise<void> {
  const done = new AbortController();
  const closing = app.close().finally(() => done.abort());
  await clock.sleep(graceMs, done.signal);
  if (!done.signal.aborted) app.server.closeAllConnections();
  await closing;
}

function listenReason(error: unknown): string {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return 'another process listens there already; stop it or choose another port';
    case 'EACCES':
      return 'permission denied; choose a port from 1024 up';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return systemReason(error);
  }
}

function connectionRefusal(code: string, isSecure: boolean): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refusal(408, 'the request did not arrive in time', 'send it faster, or in smaller parts');
  if (code === 'HPE_HEADER_OVERFLOW') return refusal(431, 'the headers are too large', 'send fewer or shorter headers');
  return refusal(400, 'this is not a valid HTTP request', isSecure ? 'speak HTTP/1.1 over TLS 1.3' : 'speak HTTP/1.1; this address is served without TLS');
}

/** For a connection on which no request could be read. */
function rawAnswer(refused: Refusal): string {
  const text = refusalText(refused);
  const head = [
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? ''}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}
