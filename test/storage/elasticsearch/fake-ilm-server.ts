/**
 * A FAKE. The Elasticsearch of the tests has neither index lifecycle management nor the field type `histogram`, so
 * what Keywatch asks of a server that has them is tried on these few addresses with a memory behind them. What the real
 * one does with a policy is not proven here.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { bytesOf, portOf } from './judge-cluster.ts';

type Json = Readonly<Record<string, unknown>>;

export type FakeIlmServer = AsyncDisposable & {
  readonly node: string;
  readonly policies: Map<string, Json>;
  readonly templates: Map<string, Json>;
  /** Settings and mappings by index name. */
  readonly indices: Map<string, { settings: Record<string, unknown>; mappings: Json }>;
  /** Every request that changed something. */
  readonly changes: string[];
  /** Addresses that answer 403. */
  readonly forbidden: Set<string>;
};

export async function startFakeIlmServer(options: { readonly date?: string } = {}): Promise<FakeIlmServer> {
  const state = {
    policies: new Map<string, Json>(),
    templates: new Map<string, Json>(),
    indices: new Map<string, { settings: Record<string, unknown>; mappings: Json }>(),
    changes: [] as string[],
    forbidden: new Set<string>(),
  };

  const answer = (method: string, path: string, body: Json): { readonly status: number; readonly body: unknown } => {
    const ok = (value: unknown = { acknowledged: true }): { readonly status: number; readonly body: unknown } => ({ status: 200, body: value });
    const missing = { status: 404, body: { error: { type: 'resource_not_found_exception', reason: path }, status: 404 } };
    const [first = '', second = '', name = ''] = path.slice(1).split('/').map(decodeURIComponent);
    if ([...state.forbidden].some((start) => path.startsWith(start)))
      return { status: 403, body: { error: { type: 'security_exception', reason: 'a test' }, status: 403 } };
    if (first === '_nodes') return ok({ nodes: { n1: { version: '8.19.0', modules: [{ name: 'x-pack-ilm' }, { name: 'x-pack-analytics' }], timestamp: 0 } } });
    if (path === '/_cluster/health')
      return ok({ cluster_name: 'fake', status: 'green', number_of_nodes: 1, number_of_data_nodes: 1, active_shards: 1, unassigned_shards: 0 });
    if (path === '/_ilm/status') return ok({ operation_mode: 'RUNNING' });
    if (path === '/_index_template/_simulate') return ok({ template: {} });
    if (first === '_ilm' && second === 'policy') {
      const policy = state.policies.get(name);
      if (method === 'GET') return policy === undefined ? missing : ok({ [name]: { version: 1, policy } });
      if (method === 'DELETE') return state.policies.delete(name) ? ok() : missing;
      state.policies.set(name, withDefaults(body['policy'] as Json));
      return ok();
    }
    if (first === '_index_template') {
      const template = state.templates.get(second);
      if (method === 'GET') return template === undefined ? missing : ok({ index_templates: [{ name: second, index_template: template }] });
      state.templates.set(second, asTexts(body));
      return ok();
    }
    if (second === '_ilm') {
      for (const setting of Object.keys(state.indices.get(first)?.settings ?? {}))
        if (setting.startsWith('index.lifecycle')) delete state.indices.get(first)?.settings[setting];
      return ok({ has_failures: false });
    }
    if (second === '_settings' && method === 'PUT') {
      Object.assign(state.indices.get(first)?.settings ?? {}, body);
      return ok();
    }
    const found = Object.fromEntries([...state.indices].filter(([index]) => first.split(',').some((pattern) => isMatch(pattern, index))));
    if (second === '_settings' || second === '_mapping') return ok(found);
    if (method === 'HEAD') return { status: first in found ? 200 : 404, body: undefined };
    if (method === 'PUT') {
      state.indices.set(first, { settings: {}, mappings: (body['mappings'] ?? templateMappings(state.templates.get(first))) as Json });
      return ok();
    }
    return missing;
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = (await bytesOf(incoming)).toString();
    const { pathname } = new URL(incoming.url ?? '', 'http://fake');
    const method = incoming.method ?? '';
    if (method !== 'GET' && method !== 'HEAD' && pathname !== '/_index_template/_simulate') state.changes.push(`${method} ${pathname}`);
    const { status, body } = answer(method, pathname, text === '' ? {} : (JSON.parse(text) as Json));
    const headers = { 'x-elastic-product': 'Elasticsearch', 'content-type': 'application/json', ...(options.date === undefined ? {} : { date: options.date }) };
    response.writeHead(status, headers).end(body === undefined ? undefined : JSON.stringify(body));
  };

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    ...state,
    node: `http://127.0.0.1:${portOf(server)}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function templateMappings(template: Json | undefined): unknown {
  return (template?.['template'] as Json | undefined)?.['mappings'] ?? {};
}

/** The real one says `delete_searchable_snapshot` of every delete. */
function withDefaults(policy: Json): Json {
  return JSON.parse(JSON.stringify(policy).replaceAll('"delete":{}', '"delete":{"delete_searchable_snapshot":true}')) as Json;
}

/** The real one gives settings back as texts, nested under `index`. */
function asTexts(body: Json): Json {
  const template = (body['template'] ?? {}) as Json;
  const settings = JSON.parse(
    JSON.stringify(template['settings'] ?? {}, (_, value: unknown) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value)),
  ) as Json;
  return { ...body, composed_of: [], template: { ...template, settings } };
}

function isMatch(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
