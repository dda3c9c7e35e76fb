import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Actor } from '../../../core/operator.ts';
import { CliError } from '../../cli/errors.ts';
import { stringify } from '../../json/stringify.ts';
import { isWorldFault } from '../../pipeline/judge-seat.ts';
import { newCommandId } from '../../operate/ask.ts';
import { type Refusal, comeAgain, refusal } from '../answer.ts';
import { type Listen, isLoopback, printListen } from '../listen.ts';
import { RateLimit } from '../rate.ts';
import { type Role, mayAct } from '../roles.ts';
import { type Running, type ServerDeps, type ServerTimes, closeServer, createServer, listenAt, notesOf, send } from '../server.ts';
import type { ServerTls } from '../tls.ts';
import { type TokenHash, tokenCheck } from '../tokens.ts';
import { openApi } from './openapi.ts';
import type { ApiContext, Route } from './route.ts';
import { ROUTES } from './routes.ts';
import { type SlackDoor, mountSlack } from './slack.ts';

export type ApiToken = TokenHash & { readonly role: Role };
export type ApiConfig = ServerTimes & {
  readonly listen: Listen;
  /** None: programs on this machine may read, and nobody may write. */
  readonly tokens: readonly ApiToken[];
  /** Requests per second of one token, on average. */
  readonly maxRequests: number;
  readonly tls?: ServerTls | undefined;
};
export type ApiDeps = ServerDeps & { readonly context: ApiContext; readonly version: string; readonly slack?: (() => readonly SlackDoor[]) | undefined };

const BODY_BYTES_MAX = 65_536;
/** Who reads without a token, where none is needed. */
const ANYBODY: ApiToken = { name: 'local', sha256: '', role: 'viewer' };

/** The API of people and their tools. */
export async function serveApi(config: ApiConfig, deps: ApiDeps): Promise<Running> {
  const { listen, tokens } = config;
  if (tokens.length === 0 && !isLoopback(listen.host))
    throw new CliError(
      `${printListen(listen)} can be reached by others and no token is set: make one with keywatch token --role, or listen on 127.0.0.1 (api.tokens)`,
    );
  // The caller is not told what the store says; the log is.
  const onFault = (error: unknown): Refusal | undefined => {
    if (!isWorldFault(error)) return undefined;
    deps.onProblem(`a request to the API waits for the store: ${error instanceof Error ? error.message : String(error)}`);
    return refusal(503, 'keywatch cannot reach its store', 'try again, and look at the log of keywatch');
  };
  const app = createServer(deps, { ...config, setting: 'api', addresses: 'the API: GET /v1/openapi.json describes it', onFault });
  const check = tokenCheck(tokens);
  const rate = new RateLimit({ perSecond: config.maxRequests, requestMax: 1 }, deps.clock);
  const document = `${stringify(openApi(ROUTES, { version: deps.version }))}\n`;

  const enter =
    (role: Role) =>
    (request: FastifyRequest, reply: FastifyReply, pass: () => void): void => {
      const refused = admit(request, role);
      if (refused === undefined) pass();
      else send(reply, refused);
    };
  const callers = new WeakMap<object, ApiToken>();
  const admit = (request: FastifyRequest, role: Role): Refusal | undefined => {
    const token = tokens.length === 0 ? ANYBODY : check(request.headers.authorization);
    if (token === undefined)
      return refusal(401, 'a valid token is needed', 'send Authorization: Bearer and a token whose hash is under api.tokens', {
        'www-authenticate': 'Bearer realm="keywatch"',
      });
    if (token === ANYBODY && isForeign(request))
      return refusal(
        403,
        'without a token the API is for programs on this machine only',
        'address it as 127.0.0.1 and not from a web page, or set a token: keywatch token --role makes one',
      );
    notesOf(request).sender = token.name;
    const waitMs = rate.take(token.name, 1);
    if (waitMs > 0) return comeAgain(429, waitMs, `more requests than this token may make (${config.maxRequests} a second on average)`);
    if (!mayAct(token.role, role))
      return refusal(
        403,
        token === ANYBODY ? 'a write has an actor, so it needs a token' : `the role ${token.role} may not do this`,
        `use a token with the role ${role}: keywatch token --role ${role} makes one`,
      );
    callers.set(request, token);
    return undefined;
  };

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
  app.addHook('onSend', (_request, reply, payload, done) => {
    // What is open now is not what is open later, and it is about keys.
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    done(null, payload);
  });
  if (deps.slack !== undefined) mountSlack(app, deps.context, deps.slack, deps.onProblem);
  app.get('/v1/openapi.json', { onRequest: enter('viewer') }, (_request, reply) => reply.type('application/json').send(document));
  for (const route of ROUTES) {
    app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      onRequest: enter(route.role),
      handler: async (request, reply) => {
        const caller = callers.get(request) ?? ANYBODY;
        const answer = await answerOf(route, request, { name: caller.name, context: deps.context });
        if ('error' in answer) return send(reply, answer);
        if ('text' in answer) return reply.code(answer.status).type(answer.type).send(answer.text);
        return reply
          .code(answer.status)
          .type('application/json')
          .send(`${stringify(answer.json)}\n`);
      },
    });
  }
  const address = await listenAt(app, listen, 'api.listen');
  return { address, [Symbol.asyncDispose]: () => closeServer(app, deps.clock, config.graceMs) };
}

async function answerOf(
  route: Route,
  request: FastifyRequest,
  { name, context }: { readonly name: string; readonly context: ApiContext },
): ReturnType<Route['handle']> {
  const params = parsed(route.params, request.params, 'the address');
  if (!params.ok) return params.refusal;
  const query = parsed(route.query?.strict(), request.query, 'the query');
  if (!query.ok) return query.refusal;
  let json: unknown;
  if (route.body !== undefined) {
    try {
      json = JSON.parse(typeof request.body === 'string' && request.body !== '' ? request.body : '{}');
    } catch {
      return refusal(400, 'the body is not JSON', 'send a JSON object; GET /v1/openapi.json shows which');
    }
  }
  const body = parsed(route.body, json, 'the body');
  if (!body.ok) return body.refusal;
  const key = request.headers['idempotency-key'];
  if (key !== undefined && (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)))
    return refusal(400, 'the Idempotency-Key is not valid', 'send one of 1 to 255 visible ASCII characters, for instance a UUID');
  const actor: Actor = { way: 'api', name };
  // The same key on another operation is another command.
  const commandId = key === undefined ? newCommandId() : hash('sha256', JSON.stringify([name, route.method, request.url, key]), 'hex').slice(0, 32);
  return route.handle({
    context,
    actor,
    params: params.value as Record<string, string>,
    query: query.value as Record<string, unknown>,
    body: body.value,
    commandId,
  });
}

function parsed(
  schema: z.ZodType | undefined,
  value: unknown,
  what: string,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly refusal: Refusal } {
  if (schema === undefined) return { ok: true, value: {} };
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  // Messages of the schema name fields and what is expected, never a value.
  const faults = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`);
  return { ok: false, refusal: refusal(400, `${what} is not right: ${faults.join('; ')}`, 'GET /v1/openapi.json shows what is expected') };
}

/** A web page in a browser on this machine is on this machine too. */
function isForeign(request: FastifyRequest): boolean {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return origin !== undefined || (site !== undefined && site !== 'none') || (name !== '' && !isLoopback(name));
}
