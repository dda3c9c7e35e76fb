import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApi } from '../../../../app/http/api/openapi.ts';
import { ROUTES } from '../../../../app/http/api/routes.ts';
import { type ApiConfig, serveApi } from '../../../../app/http/api/serve.ts';
import { ROLES } from '../../../../app/http/roles.ts';
import { systemClock } from '../../../../core/clock.ts';
import { type OperatorCommand, actorText } from '../../../../core/operator.ts';
import { entityId } from '../../../../core/types.ts';
import { Directory } from '../../../../keys/directory.ts';
import { memoryCommandInbox } from '../../../../storage/memory/command-inbox.ts';
import { memoryJournal } from '../../../../storage/memory/journal.ts';
import { alertOf } from '../../commands/stored-fixture.ts';
import { type Answer, send } from '../support.ts';

const key = entityId('key', 'kf1_9f3c12ab00000000000000000000000a');
const tokenOf = (role: string): string => `kwt_of-the-${role}-of-this-test`;
const TOKENS = ROLES.map((role) => ({ name: `the-${role}`, role, sha256: hash('sha256', tokenOf(role), 'hex') }));

type World = AsyncDisposable & {
  readonly asked: OperatorCommand[];
  readonly reloads: string[];
  readonly problems: string[];
  call(
    method: string,
    path: string,
    options?: { readonly role?: string; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Answer>;
};

/** The real server on memory adapters, and something that answers as the judge does by the contract. */
async function world(config: Partial<ApiConfig> = {}, options: { readonly isJudgeAway?: boolean; readonly stored?: object } = {}): Promise<World> {
  const journal = memoryJournal();
  const inbox = memoryCommandInbox();
  const asked: OperatorCommand[] = [];
  const reloads: string[] = [];
  const problems: string[] = [];
  let seq = 0;
  const append = async (body: object): Promise<void> => {
    await journal.append(++seq, { at: Date.now(), actor: 'keywatch', transitions: [], alerts: [], outbox: [], deliveries: [], ...body });
  };
  if (options.stored !== undefined) await append(options.stored);
  await append({
    alerts: Array.from({ length: 25 }, (_, at) => alertOf({ id: `a${at}`, entity: key, startedAt: 1_790_000_000_000 + Math.floor(at / 3) * 60_000 })),
  });
  const stop = new AbortController();
  const judge = (async () => {
    while (!stop.signal.aborted) {
      for (const command of options.isJudgeAway === true ? [] : await inbox.pending()) {
        asked.push(command);
        const isRefused = 'target' in command && command.target === 'nowhere';
        const result = {
          id: command.id,
          kind: command.kind,
          actor: command.actor,
          at: Date.now(),
          status: isRefused ? 'refused' : 'applied',
          ...(isRefused ? { reason: 'there is no alert nowhere' } : {}),
        };
        await append({ commands: [result], audit: [{ action: command.kind, subject: 'x', actor: command.actor, command: command.id }] });
        await inbox.remove([command.id]);
      }
      await systemClock.sleep(5, stop.signal);
    }
  })();
  const directory = new Directory({ keys: [], plans: {} });
  const server = await serveApi(
    { listen: { host: '127.0.0.1', port: 0 }, tokens: TOKENS, maxRequests: 1000, graceMs: 1000, ...config },
    {
      clock: systemClock,
      onProblem: (message) => void problems.push(message),
      version: '1.2.3',
      context: {
        operator: { views: journal, inbox, clock: systemClock },
        clock: systemClock,
        directory: () => directory,
        channels: () => ['ops'],
        waitMs: options.isJudgeAway === true ? 50 : 5000,
        onReload: async (actor) => {
          reloads.push(actorText(actor));
          return reloads.length === 1 ? { ok: true, messages: ['rules changed'] } : { ok: false, messages: ['keywatch.yml:3:1: unknown key'] };
        },
      },
    },
  );
  return {
    asked,
    reloads,
    problems,
    call: async (method, path, { role = 'operator', body, headers = {} } = {}) =>
      send(`http://127.0.0.1:${server.address.port}${path}`, {
        method,
        headers: {
          ...(role === '' ? {} : { authorization: `Bearer ${tokenOf(role)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await judge;
      await server[Symbol.asyncDispose]();
    },
  };
}

let shared: World;
beforeAll(async () => {
  shared = await world();
});
afterAll(async () => shared[Symbol.asyncDispose]());

const pathOf = (path: string): string => path.replace('{id}', 'a1');

describe('the document', () => {
  test('is served, names every route with its answers, and every example in it is a body that the server takes', async () => {
    const { json, status } = await shared.call('GET', '/v1/openapi.json', { role: 'viewer' });
    expect(status).toBe(200);
    expect(json).toEqual(JSON.parse(JSON.stringify(openApi(ROUTES, { version: '1.2.3' }))));
    const document = json as {
      readonly openapi: string;
      readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>>;
    };
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ name: `${method.toUpperCase()} ${path}`, operationId })),
    );
    expect(operations.map(({ name }) => name).toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
    for (const { body, example } of ROUTES.filter(({ body }) => body !== undefined)) expect(body?.safeParse(example).success).toBe(true);
    for (const [path, methods] of Object.entries(document.paths))
      expect(path.match(/\{\w+\}/g)?.length ?? 0).toBe(Object.values(methods).map((each) => JSON.stringify(each).match(/"in":"path"/g)?.length ?? 0)[0]);
  });
});

describe('who may do what', () => {
  test.each(ROUTES.map((route) => [route.method, route.path, route] as const))('%s %s needs its role, and no less will do', async (method, path, route) => {
    const options = route.body === undefined ? {} : { body: route.example };
    expect(await shared.call(method, pathOf(path), { ...options, role: '' })).toMatchObject({
      status: 401,
      json: { error: expect.any(String), fix: expect.any(String) },
    });
    expect(await shared.call(method, pathOf(path), { ...options, role: 'stranger' })).toMatchObject({ status: 401 });
    for (const role of ROLES) {
      const { status, json } = await shared.call(method, pathOf(path), { ...options, role });
      if (ROLES.indexOf(role) < ROLES.indexOf(route.role))
        expect({ role, status, json }).toEqual({ role, status: 403, json: { error: expect.any(String), fix: expect.stringContaining(route.role) } });
      else expect([200, 404, 409]).toContain(status);
      if (status === 200 && !path.includes('dossier')) expect(route.answer.safeParse(json).error).toBeUndefined();
    }
  });

  test('without a token programs on this machine may read, and nobody writes; a web page may do neither', async () => {
    await using open = await world({ tokens: [] });
    expect(await open.call('GET', '/v1/alerts', { role: '' })).toMatchObject({ status: 200 });
    expect(await open.call('POST', '/v1/alerts/a1/acknowledge', { role: '', body: {} })).toMatchObject({
      status: 403,
      json: { error: 'a write has an actor, so it needs a token' },
    });
    expect(await open.call('GET', '/v1/alerts', { role: '', headers: { origin: 'https://evil.example' } })).toMatchObject({ status: 403 });
    expect(await open.call('GET', '/v1/alerts', { role: '', headers: { host: 'evil.example' } })).toMatchObject({ status: 403 });
    expect(open.asked).toEqual([]);
  });

  test('it does not listen where others reach it without a token', async () => {
    await expect(world({ tokens: [], listen: { host: '0.0.0.0', port: 0 } })).rejects.toThrow(/0\.0\.0\.0:0 can be reached by others and no token is set/);
  });
});

describe('writes', () => {
  test('are done in the name of the token, and the audit says so', async () => {
    await using fresh = await world();
    expect(await fresh.call('POST', '/v1/alerts/a1/acknowledge', { body: { note: 'mine', seconds: 7200 } })).toMatchObject({
      status: 200,
      json: { status: 'applied', by: 'api:the-operator' },
    });
    expect(fresh.asked).toEqual([
      {
        kind: 'acknowledge',
        id: expect.any(String),
        at: expect.any(Number),
        actor: { way: 'api', name: 'the-operator' },
        target: 'a1',
        note: 'mine',
        forMs: 7_200_000,
      },
    ]);
    expect(await fresh.call('GET', '/v1/audit', { role: 'viewer' })).toMatchObject({
      json: { audit: [{ by: 'api:the-operator', action: 'acknowledge' }], next: null },
    });
  });

  test('a repeat with the same Idempotency-Key is done once and answered alike; of another caller it is another act', async () => {
    await using fresh = await world();
    const headers = { 'idempotency-key': 'k-1' };
    const first = await fresh.call('POST', '/v1/alerts/a1/resolve', { body: { reason: 'fixed' }, headers });
    expect(await fresh.call('POST', '/v1/alerts/a1/resolve', { body: { reason: 'fixed' }, headers })).toMatchObject({ status: 200, json: first.json });
    expect(fresh.asked).toHaveLength(1);
    await fresh.call('POST', '/v1/alerts/a1/resolve', { role: 'admin', body: { reason: 'fixed' }, headers });
    expect(fresh.asked).toHaveLength(2);
  });

  test('a refusal of the judge is 409 with its reason; a judge that does not answer is said, and asked for later', async () => {
    expect(await shared.call('POST', '/v1/alerts/nowhere/acknowledge', { body: {} })).toMatchObject({
      status: 409,
      json: { error: 'refused: there is no alert nowhere' },
    });
    await using away = await world({}, { isJudgeAway: true });
    const answer = await away.call('POST', '/v1/alerts/a1/acknowledge', { body: {} });
    expect(answer).toMatchObject({ status: 202, json: { status: 'waiting', reason: expect.stringContaining('the judge has not answered yet') } });
    expect(await away.call('GET', `/v1/commands/${(answer.json as { id: string }).id}`)).toMatchObject({ status: 404 });
  });

  test('the configuration is read again for an admin; an invalid one is 409 with its place', async () => {
    await using fresh = await world();
    expect(await fresh.call('POST', '/v1/reload', { role: 'admin' })).toMatchObject({ status: 200, json: { ok: true, messages: ['rules changed'] } });
    expect(await fresh.call('POST', '/v1/reload', { role: 'admin' })).toMatchObject({
      status: 409,
      json: { error: expect.stringContaining('keywatch.yml:3:1') },
    });
    expect(fresh.reloads).toEqual(['api:the-admin', 'api:the-admin']);
  });
});

describe('lists', () => {
  test('page by page every alert comes once, newest first, whatever the size of a page', async () => {
    for (const limit of [1, 4, 24, 25, 26]) {
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { json } = await shared.call('GET', `/v1/alerts?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`, { role: 'viewer' });
        const { alerts, next } = json as { alerts: { id: string }[]; next: string | null };
        expect(alerts.length).toBeLessThanOrEqual(limit);
        seen.push(...alerts.map(({ id }) => id));
        cursor = next;
      }
      expect(seen.toSorted()).toEqual(Array.from({ length: 25 }, (_, at) => `a${at}`).toSorted());
    }
  });

  test('silences, maintenance, exceptions, messages and the audit come page by page too, every one once', async () => {
    const seven = Array.from({ length: 7 }, (_, at) => at);
    const actor = { way: 'cli', name: 'ada' };
    const made = (at: number): object => ({ createdAt: 1000 + Math.floor(at / 2), actor, reason: 'x' });
    const overlay = (at: number): object => ({ ...made(at), matchers: [], startsAt: 0, endsAt: 2_000_000_000_000, includeCritical: false });
    await using fresh = await world(
      {},
      {
        stored: {
          silences: seven.map((at) => ({ ...overlay(at), id: `SIL-${at}`, covers: {} })),
          maintenances: seven.map((at) => ({ ...overlay(at), id: `MNT-${at}` })),
          exceptions: seven.map((at) => ({ ...made(at), id: `EXC-${at}`, lineage: key, label: 'k', rule: 'r', upTo: 1, until: 2_000_000_000_000 })),
          outbox: seven.map((at) => ({ id: `MSG-${at}`, channel: 'ops', kind: 'fired', createdAt: 1000 + at, incident: { id: 'INC-1' } })),
          audit: seven.map((at) => ({ action: 'note', subject: `AUD-${at}`, actor })),
        },
      },
    );
    for (const [path, name, kind] of [
      ['/v1/silences', 'silences', 'SIL'],
      ['/v1/maintenance', 'maintenances', 'MNT'],
      ['/v1/exceptions', 'exceptions', 'EXC'],
      ['/v1/incidents/INC-1/messages', 'messages', 'MSG'],
      ['/v1/audit', 'audit', 'AUD'],
    ] as const)
      for (const limit of [1, 2, 3, 7]) {
        const seen: unknown[] = [];
        let pages = 0;
        for (let cursor: string | null = ''; cursor !== null; pages++) {
          const { json } = await fresh.call('GET', `${path}?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`, { role: 'viewer' });
          expect(json).toMatchObject({ next: expect.toSatisfy((next) => next === null || typeof next === 'string') });
          const answer = json as Record<string, { id?: string; subject?: string }[]> & { next: string | null };
          seen.push(...(answer[name] ?? []).map(({ id, subject }) => id ?? subject));
          cursor = answer.next;
        }
        expect(new Set(seen).size).toBe(seen.length);
        expect(new Set(seen)).toEqual(new Set(seven.map((at) => `${kind}-${at}`)));
        expect(pages).toBe(Math.ceil(7 / limit));
      }
  });
});

describe('bad input', () => {
  test.each([
    ['GET', '/v1/alerts?limit=0', undefined, 400, /limit/],
    ['GET', '/v1/alerts?limit=501', undefined, 400, /limit/],
    ['GET', '/v1/alerts?staet=firing', undefined, 400, /staet/],
    ['GET', '/v1/alerts?state=fireing', undefined, 400, /state/],
    ['GET', '/v1/alerts?cursor=xyz', undefined, 400, /cursor/],
    // [1000,"a1"]: of the list of alerts.
    ['GET', '/v1/audit?cursor=WzEwMDAsImExIl0', undefined, 400, /cursor/],
    ['GET', '/v1/alerts/unknown', undefined, 404, /there is no "unknown"/],
    ['GET', '/v1/nothing', undefined, 404, /nothing at this address/],
    ['POST', '/v1/alerts/a1/resolve', {}, 400, /reason/],
    ['POST', '/v1/alerts/a1/resolve', '{"reason":', 400, /not JSON/],
    ['POST', '/v1/alerts/a1/acknowledge', { note: 'x', secret: 'hunter2' }, 400, /secret/],
    ['POST', '/v1/alerts/a1/acknowledge', { note: 'x'.repeat(70_000) }, 413, /too large/],
    ['POST', '/v1/silences', { matchers: [{ label: 'key', op: '=~', value: '(a+)+' }], reason: 'x' }, 400, /repeats a repetition/],
    ['POST', '/v1/silences', { matchers: [], reason: 'x' }, 400, /matchers/],
    ['POST', '/v1/exceptions', { entity: 'key:a', rule: 'error_rate', upTo: 1, until: 'tomorrow', reason: 'x' }, 400, /until/],
  ] as const)('%s %s is refused in the one shape', async (method, path, body, status, error) => {
    const answer = await shared.call(method, path, body === undefined ? {} : { body });
    expect(answer).toMatchObject({ status, json: { error: expect.stringMatching(error), fix: expect.any(String) } });
    expect(Object.keys(answer.json as object)).toEqual(['error', 'fix']);
    expect(answer.text).not.toContain('hunter2');
    expect(answer.text).not.toContain('kwt_');
  });

  test('more than a token may ask for is 429 with the time to wait', async () => {
    await using slow = await world({ maxRequests: 1 });
    const answers = [];
    for (let at = 0; at < 15; at++) answers.push(await slow.call('GET', '/v1/alerts'));
    expect(answers.at(-1)).toMatchObject({
      status: 429,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
      json: { error: expect.any(String), fix: expect.any(String) },
    });
    expect(slow.problems).toEqual([]);
  });
});
