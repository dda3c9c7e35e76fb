import { systemClock } from '../../../core/clock.ts';
import { type Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';

export function openCluster(url: string): Promise<Elasticsearch> {
  return openElasticsearch({ nodes: [url] }, { clock: systemClock, random: Math.random });
}

/** Everything that an installation put there. */
export async function deletePrefix(elasticsearch: Elasticsearch, prefix: string): Promise<void> {
  await elasticsearch.call('deleting test indices', (client, options) =>
    client.indices.delete({ index: `${prefix}-*`, ignore_unavailable: true, allow_no_indices: true, expand_wildcards: 'all' }, options),
  );
  await elasticsearch.call('deleting test templates', (client, options) =>
    client.indices.deleteIndexTemplate({ name: `${prefix}-*` }, { ...options, ignore: [404] }),
  );
}
