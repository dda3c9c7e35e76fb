import { errors } from '@elastic/elasticsearch';
import { faultOf } from './fault.ts';
import type { Elasticsearch } from './client.ts';

/** What this cluster can do beyond what Keywatch needs, asked from the cluster itself: builds and licences differ. */
export type Capabilities = {
  /** Of every node, ascending. */
  readonly versions: readonly string[];
  /** Index lifecycle management. */
  readonly ilm: Capability;
  /** The field type `histogram`: percentiles over many keys and minutes. */
  readonly histogram: Capability;
};
/** `unknown`: these credentials may not ask. */
export type Capability = 'yes' | 'no' | 'unknown';

const ILM_MODULE = 'x-pack-ilm';
const HISTOGRAM_MODULE = 'x-pack-analytics';
/** Nothing has such a name: the question must not touch a template of somebody else. */
const PROBE_PATTERN = 'keywatch-capability-probe-*';

export async function readCapabilities(elasticsearch: Elasticsearch): Promise<Capabilities> {
  const { versions, modules } = await readNodes(elasticsearch);
  const [ilm, histogram] = [await asksIlm(elasticsearch), await asksHistogram(elasticsearch)];
  // Where asking is not allowed, the names of the modules still tell.
  const fromModules = (capability: Capability, module: string): Capability =>
    capability === 'unknown' && modules.size > 0 ? (modules.has(module) ? 'yes' : 'no') : capability;
  return { versions, ilm: fromModules(ilm, ILM_MODULE), histogram: fromModules(histogram, HISTOGRAM_MODULE) };
}

async function readNodes(elasticsearch: Elasticsearch): Promise<{ readonly versions: readonly string[]; readonly modules: ReadonlySet<string> }> {
  const answer = await elasticsearch.call('asking for versions and modules', (client, options) =>
    client.nodes.info({ filter_path: 'nodes.*.version,nodes.*.modules.name' }, options),
  );
  const nodes = Object.values(answer.nodes ?? {});
  return {
    versions: nodes.map((node) => node.version).toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    modules: new Set(nodes.flatMap((node) => (node.modules ?? []).map((module) => module.name))),
  };
}

/** A server without the module has no such address (400, 404 or 405). */
async function asksIlm(elasticsearch: Elasticsearch): Promise<Capability> {
  return ask(elasticsearch, 'asking for index lifecycle management', async (options) => {
    await elasticsearch.client.transport.request({ method: 'GET', path: '/_ilm/status' }, options);
  });
}

/** Elasticsearch checks the mappings of a template that it is only asked to imagine. */
async function asksHistogram(elasticsearch: Elasticsearch): Promise<Capability> {
  return ask(elasticsearch, 'asking for the field type histogram', async (options) => {
    const template = { mappings: { properties: { latency: { type: 'histogram' } } } };
    await elasticsearch.client.transport.request(
      { method: 'POST', path: '/_index_template/_simulate', body: { index_patterns: [PROBE_PATTERN], priority: 0, template } },
      options,
    );
  });
}

async function ask(elasticsearch: Elasticsearch, what: string, question: (options: { readonly signal: AbortSignal }) => Promise<void>): Promise<Capability> {
  return elasticsearch.call(what, async (_client, options): Promise<Capability> => {
    try {
      await question(options);
      return 'yes';
    } catch (error) {
      const status = error instanceof errors.ResponseError ? error.statusCode : undefined;
      if (status === 401 || status === 403) return 'unknown';
      if (status === 400 || status === 404 || status === 405) return 'no';
      throw faultOf(error, what) ?? error;
    }
  });
}
