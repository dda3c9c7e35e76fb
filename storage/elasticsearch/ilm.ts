import { ElasticsearchFault, isMissing } from './fault.ts';
import { type Difference, differences } from './drift.ts';
import { type JudgeIndex, datedIndex } from './judge-indices.ts';
import type { JudgeRetention } from './judge-retention.ts';
import { DAY_MS } from '../../core/window.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

/**
 * Lifecycle policies of what dashboards read. The metric store is not among them: before it drops rows it freezes
 * the hours made of them, which Elasticsearch cannot know.
 */
export type LifecyclePolicy = {
  readonly name: string;
  readonly index: 'window' | 'finding';
  readonly policy: { readonly phases: Readonly<Record<string, unknown>> };
};

const MONTH_MS_MAX = 31 * DAY_MS;
/** Hardly written any more: windows get late partials for a while after their day. */
const WARM_AFTER_MS = 2 * DAY_MS;

export function lifecyclePolicies(prefix: string, retention: JudgeRetention): readonly LifecyclePolicy[] {
  return [
    // Age counts from the start of the day or month: what it holds is younger by up to its length.
    policyOf(prefix, 'window', retention.windowsMs + DAY_MS),
    policyOf(prefix, 'finding', retention.findingsMs + MONTH_MS_MAX),
  ];
}

export function policyNames(prefix: string): Readonly<Partial<Record<JudgeIndex, string>>> {
  return { window: `${prefix}-window`, finding: `${prefix}-finding` };
}

/** No `readonly` and no `forcemerge`, which makes an index read-only too: a catch-up after an outage may write to old days. */
function policyOf(prefix: string, index: 'window' | 'finding', deleteAfterMs: DurationMs): LifecyclePolicy {
  const phases = {
    hot: { min_age: '0ms', actions: { set_priority: { priority: 100 } } },
    warm: { min_age: days(Math.min(WARM_AFTER_MS, deleteAfterMs)), actions: { set_priority: { priority: 50 } } },
    delete: { min_age: days(deleteAfterMs), actions: { delete: {} } },
  };
  return { name: `${prefix}-${index}`, index, policy: { phases } };
}

function days(ms: DurationMs): string {
  return `${Math.ceil(ms / DAY_MS)}d`;
}

/** Undefined when there is no such policy. What the server adds as defaults is no difference. */
export async function policyDrift(elasticsearch: Elasticsearch, wanted: LifecyclePolicy): Promise<readonly Difference[] | undefined> {
  const installed = await readPolicy(elasticsearch, wanted.name);
  if (installed === undefined) return undefined;
  const flat = differences(wanted.policy, installed, { isSubset: true });
  // `{delete: {}}` comes back with a default inside: it is there, that is enough.
  return flat.filter((difference) => difference.wanted !== '{}' || !hasPath(installed, difference.path));
}

async function readPolicy(elasticsearch: Elasticsearch, name: string): Promise<unknown> {
  try {
    const answer = await elasticsearch.call(`reading the lifecycle policy ${name}`, (client, options) => client.ilm.getLifecycle({ name }, options));
    return answer[name]?.policy;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function hasPath(value: unknown, path: string): boolean {
  let at: unknown = value;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null) return false;
    at = new Map<string, unknown>(Object.entries(at)).get(name);
  }
  return at !== undefined;
}

export async function putPolicy(elasticsearch: Elasticsearch, { name, policy }: LifecyclePolicy): Promise<void> {
  await elasticsearch.call(`putting the lifecycle policy ${name}`, (client, options) =>
    client.transport.request({ method: 'PUT', path: `/_ilm/policy/${encodeURIComponent(name)}`, body: { policy } }, options),
  );
}

export type FollowedIndex = { readonly name: string; readonly index: 'window' | 'finding'; readonly start: EpochMs; readonly policy: string | undefined };

/** The days and months that are there, and which policy each follows. */
export async function followedIndices(elasticsearch: Elasticsearch, prefix: string): Promise<readonly FollowedIndex[]> {
  const answer = await elasticsearch.call(`reading the settings of ${prefix}`, (client, options) =>
    client.indices.getSettings(
      { index: [`${prefix}-window-*`, `${prefix}-finding-*`], allow_no_indices: true, expand_wildcards: ['open', 'closed'], flat_settings: true },
      options,
    ),
  );
  return Object.entries(answer).flatMap(([name, state]) => {
    const dated = datedIndex(prefix, name);
    if (dated === undefined) return [];
    const policy: unknown = new Map<string, unknown>(Object.entries(state.settings ?? {})).get('index.lifecycle.name');
    return [{ name, ...dated, policy: typeof policy === 'string' ? policy : undefined }];
  });
}

/** Indices from before the policy: their age counts from their name, too. */
export async function follow(
  elasticsearch: Elasticsearch,
  indices: readonly FollowedIndex[],
  names: Readonly<Partial<Record<JudgeIndex, string>>>,
): Promise<void> {
  for (const { name, index, start } of indices) {
    const settings = { 'index.lifecycle.name': names[index] ?? null, 'index.lifecycle.origination_date': start };
    await elasticsearch.call(`setting the lifecycle of ${name}`, (client, options) => client.indices.putSettings({ index: name, settings }, options));
  }
}

/** Keywatch deletes from now on: no index follows a policy of ours, and the policies go. */
export async function abandon(elasticsearch: Elasticsearch, indices: readonly FollowedIndex[], policies: readonly string[]): Promise<void> {
  for (const { name } of indices)
    await elasticsearch.call(`ending the lifecycle of ${name}`, (client, options) =>
      client.transport.request({ method: 'POST', path: `/${encodeURIComponent(name)}/_ilm/remove` }, options),
    );
  for (const name of policies) {
    try {
      await elasticsearch.call(`deleting the lifecycle policy ${name}`, (client, options) => client.ilm.deleteLifecycle({ name }, options));
    } catch (error) {
      if (!(error instanceof ElasticsearchFault && error.status === 404)) throw error;
    }
  }
}
