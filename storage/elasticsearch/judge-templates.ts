import { type IndexTemplate, TEMPLATE_VERSION, metricTemplates, templateRequest } from './templates.ts';
import { JUDGE_INDICES, type JudgeIndex, aliasOf, indexShape, isDated } from './judge-indices.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { Elasticsearch } from './client.ts';

export type JudgeTemplateOptions = {
  readonly prefix: string;
  /** Of an index of windows; the others are small and have one. */
  readonly shards: number;
  readonly replicas: number;
  /** The server has the field type. */
  readonly histogram: boolean;
  /** Names of lifecycle policies; none where Keywatch deletes. */
  readonly policies?: Readonly<Partial<Record<JudgeIndex, string>>>;
};

const PRIORITY = 300;

export type TemplateRequest = estypes.IndicesPutIndexTemplateRequest;

/** Templates of what the judge writes. */
export function judgeTemplates(options: JudgeTemplateOptions): readonly TemplateRequest[] {
  return JUDGE_INDICES.map((index) => judgeTemplate(index, options));
}

function judgeTemplate(index: JudgeIndex, { prefix, shards, replicas, histogram, policies = {} }: JudgeTemplateOptions): TemplateRequest {
  const { settings, mappings } = indexShape(index, { histogram });
  const alias = aliasOf(prefix, index);
  const policy = policies[index];
  return {
    name: `${prefix}-${index}`,
    index_patterns: [alias === undefined ? `${prefix}-${index}` : `${prefix}-${index}-*`],
    priority: PRIORITY,
    // Only what has a date in its name is made by writing to it.
    allow_auto_create: isDated(index),
    _meta: { keywatch: TEMPLATE_VERSION },
    template: {
      mappings,
      settings: {
        'index.number_of_shards': index === 'window' ? shards : 1,
        'index.number_of_replicas': replicas,
        ...settings,
        ...(policy === undefined ? {} : { 'index.lifecycle.name': policy }),
        // The age of a day counts from the date in its name: a backlog is written today and old all the same.
        ...(policy === undefined || index !== 'window' ? {} : { 'index.lifecycle.parse_origination_date': true }),
      },
      ...(alias === undefined ? {} : { aliases: { [alias]: {} } }),
    },
  };
}

/** Templates of everything in Elasticsearch. */
export function allTemplates(options: JudgeTemplateOptions): readonly TemplateRequest[] {
  return [...metricTemplates(options).map((template: IndexTemplate) => templateRequest(template)), ...judgeTemplates(options)];
}

/** The template as it is stored; undefined when there is none of that name. */
export async function installedTemplate(elasticsearch: Elasticsearch, name: string): Promise<estypes.IndicesIndexTemplate | undefined> {
  const answer = await elasticsearch.call(`reading the index template ${name}`, (client, options) =>
    client.indices.getIndexTemplate({ name }, { ...options, ignore: [404] }),
  );
  return answer.index_templates?.find((template) => template.name === name)?.index_template;
}

export async function putTemplate(elasticsearch: Elasticsearch, request: TemplateRequest): Promise<void> {
  await elasticsearch.call(`putting the index template ${request.name}`, (client, options) => client.indices.putIndexTemplate(request, options));
}
