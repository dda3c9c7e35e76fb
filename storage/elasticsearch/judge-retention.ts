import { datedEnd, datedIndex } from './judge-indices.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

export type JudgeRetention = { readonly windowsMs: DurationMs; readonly findingsMs: DurationMs };

/**
 * Deletes the days of windows and the months of findings that ended before their time, by name. Not to be called
 * where index lifecycle management does it (`planSetup` with `ilm`). Returns the names of what went.
 */
export async function retainJudgeIndices(elasticsearch: Elasticsearch, prefix: string, retention: JudgeRetention, now: EpochMs): Promise<readonly string[]> {
  const answer = await elasticsearch.call(`listing the indices of ${prefix}`, (client, options) =>
    client.indices.get({ index: [`${prefix}-window-*`, `${prefix}-finding-*`], allow_no_indices: true, filter_path: '*.settings.index.uuid' }, options),
  );
  const old = Object.keys(answer).filter((name) => {
    const dated = datedIndex(prefix, name);
    if (dated === undefined) return false;
    const keepMs = dated.index === 'window' ? retention.windowsMs : retention.findingsMs;
    return datedEnd(dated.index, dated.start) <= now - keepMs;
  });
  // One by one: a name of every day for years would be too long for an address.
  for (const index of old) {
    await elasticsearch.call(`deleting ${index}`, (client, options) => client.indices.delete({ index, ignore_unavailable: true }, options));
  }
  return old.sort();
}
