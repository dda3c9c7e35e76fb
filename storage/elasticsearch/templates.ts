import { REJECT_REASONS } from '../../core/types.ts';
import { IndexNames } from './names.ts';
import type { Elasticsearch } from './client.ts';
import type { estypes } from '@elastic/elasticsearch';

export type TemplateOptions = {
  readonly prefix: string;
  /** Primary shards of each index of rows, hours and days. */
  readonly shards: number;
  readonly replicas: number;
};

export type IndexTemplate = {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly mappings: estypes.MappingTypeMapping;
  readonly settings: estypes.IndicesIndexSettings;
};

/** Grows with each change of a mapping or a setting below. */
export const TEMPLATE_VERSION = 2;

const PRIORITY = 300;
const REFRESH_INTERVAL = '5s';

type Property = estypes.MappingProperty;
const minute: Property = { type: 'date', format: 'epoch_millis' };
const keyword: Property = { type: 'keyword' };
/** Found by, never sorted or counted by. */
const searchedText: Property = { type: 'keyword', doc_values: false };
/** Only read back. */
const keptText: Property = { type: 'keyword', index: false, doc_values: false };
const keptNumber: Property = { type: 'long', index: false, doc_values: false };
const number: Property = { type: 'long' };
const cells: Property = { type: 'binary' };
const bucket: Property = { type: 'short', doc_values: false };

/** Rows: nothing but what reading them back needs. Dashboards never look here. */
const PARTIAL: Readonly<Record<string, Property>> = { ts: minute, e: keyword, name: keptText, b: bucket, s: searchedText, next: keptNumber, cells };
const HELD: Readonly<Record<string, Property>> = { ts: minute, e: keptText, name: keptText, s: searchedText, o: keptNumber, next: keptNumber, cells };
const FOLDED: Readonly<Record<string, Property>> = {
  ts: minute,
  e: keyword,
  name: keptText,
  b: bucket,
  era: { type: 'integer' },
  requests: number,
  errors: number,
  failed_auth: number,
  bytes_in: number,
  bytes_out: number,
  cells,
};
const SEGMENT: Readonly<Record<string, Property>> = {
  kind: keyword,
  source: { type: 'integer' },
  p: { type: 'integer' },
  generation: number,
  start: number,
  next: number,
  sealed: { type: 'boolean' },
  cleaning: { type: 'boolean' },
  records: number,
  dropped: number,
  over_limit: number,
  skewed: number,
  rejects: { properties: Object.fromEntries(REJECT_REASONS.map((reason) => [reason, { properties: { count: number, first: number } }])) },
  span: { type: 'object', enabled: false },
  newest: number,
  cursor: keptText,
};
const CONTROL: Readonly<Record<string, Property>> = {
  kind: keyword,
  ts: number,
  segment: keyword,
  level: keyword,
  era: keptNumber,
  closing: { type: 'boolean' },
  value: keptText,
  names: keptText,
};
const ALIAS: Readonly<Record<string, Property>> = { fingerprint: keptText, credential: keptText, seen: keptNumber };

/** The index templates of the metric store. */
export function metricTemplates(options: TemplateOptions): readonly IndexTemplate[] {
  const { prefix, shards, replicas } = options;
  const shared = { number_of_replicas: replicas, refresh_interval: REFRESH_INTERVAL, codec: 'best_compression' };
  const sorted: estypes.IndicesIndexSettings = { ...shared, number_of_shards: shards, sort: { field: ['ts', 'e'], order: ['asc', 'asc'] } };
  const calendar = (level: string, properties: Readonly<Record<string, Property>>, settings: estypes.IndicesIndexSettings): IndexTemplate => ({
    name: `${prefix}-${level}`,
    patterns: [`${prefix}-${level}-*`],
    mappings: { dynamic: 'strict', properties },
    settings,
  });
  const single = (level: string, dynamic: 'strict' | false, properties: Readonly<Record<string, Property>>): IndexTemplate => ({
    name: `${prefix}-${level}`,
    patterns: [`${prefix}-${level}`],
    mappings: { dynamic, properties },
    settings: { ...shared, number_of_shards: 1 },
  });
  return [
    calendar('partial', PARTIAL, sorted),
    calendar('held', HELD, { ...shared, number_of_shards: shards }),
    calendar('1h', FOLDED, sorted),
    calendar('1d', FOLDED, sorted),
    single('segment', 'strict', SEGMENT),
    // Others keep small values there too.
    single('control', false, CONTROL),
    single('alias', 'strict', ALIAS),
  ];
}

/** How a template is sent. An index that matches is never made by a write: a late write must not bring a dropped index back. */
export function templateRequest({ name, patterns, mappings, settings }: IndexTemplate): estypes.IndicesPutIndexTemplateRequest {
  return {
    name,
    index_patterns: [...patterns],
    priority: PRIORITY,
    allow_auto_create: false,
    _meta: { keywatch: TEMPLATE_VERSION },
    template: { mappings, settings: { index: settings } },
  };
}

/** Puts the templates and makes the indices that have no calendar. Doing it again changes nothing, or updates an older version. */
export async function installTemplates(elasticsearch: Elasticsearch, options: TemplateOptions): Promise<void> {
  const names = new IndexNames(options.prefix);
  const templates = metricTemplates(options);
  // At once: the master takes what waits together as one change of the cluster's state.
  await Promise.all(
    templates.map((template) =>
      elasticsearch.call(`putting index template ${template.name}`, (client, request) => client.indices.putIndexTemplate(templateRequest(template), request)),
    ),
  );
  const installed = [names.segment, names.control, names.alias].map(async (index) => {
    if ((await makeIndex(elasticsearch, index)) === 'made') return;
    const template = templates.find((candidate) => candidate.name === index);
    if (template === undefined) throw new Error(`BUG: index ${index} has no template`);
    // A template says nothing to an index that is there already.
    await elasticsearch.call(`updating the mapping of ${index}`, (client, request) => client.indices.putMapping({ index, ...template.mappings }, request));
  });
  await Promise.all(installed);
}

/** True when this version's templates are there, and the indices without a calendar. */
export async function areTemplatesInstalled(elasticsearch: Elasticsearch, options: TemplateOptions): Promise<boolean> {
  const names = new IndexNames(options.prefix);
  const areMade = await elasticsearch.call('looking for indices', (client, request) =>
    client.indices.exists({ index: [names.segment, names.control, names.alias] }, request),
  );
  if (!areMade) return false;
  const answer = await elasticsearch.call('reading index templates', (client, request) =>
    client.indices.getIndexTemplate({ name: `${options.prefix}-*` }, { ...request, ignore: [403, 404] }),
  );
  // Whoever may not read templates may not put them either: `keywatch setup` did.
  if ('error' in answer && 'status' in answer && answer.status === 403) return true;
  const versions = new Map((answer.index_templates ?? []).map((found) => [found.name, Number(found.index_template._meta?.['keywatch'] ?? 0)]));
  return metricTemplates(options).every(({ name }) => (versions.get(name) ?? 0) >= TEMPLATE_VERSION);
}

/** Makes an index from its template; fine when it is there. */
export async function createIndex(elasticsearch: Elasticsearch, index: string): Promise<void> {
  await makeIndex(elasticsearch, index);
}

async function makeIndex(elasticsearch: Elasticsearch, index: string): Promise<'made' | 'there'> {
  try {
    await elasticsearch.call(`creating index ${index}`, (client, request) => client.indices.create({ index }, request));
    return 'made';
  } catch (error) {
    if (!(error instanceof Error && 'type' in error && error.type === 'resource_already_exists_exception')) throw error;
    return 'there';
  }
}
