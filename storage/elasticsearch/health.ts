import { readCapabilities } from './capabilities.ts';
import { ElasticsearchFault } from './fault.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

/** How far the disk of a node is: over `low` it gets no new shards, over `high` it gives some away, over `flood` nothing is written there. */
export type DiskStage = 'fine' | 'low' | 'high' | 'flood';
export type NodeDisk = { readonly node: string; readonly totalBytes: number; readonly freeBytes: number; readonly stage: DiskStage };

/** What `keywatch doctor` tells of a cluster. `undefined` is what these credentials may not see. */
export type ClusterHealth = {
  readonly cluster: string;
  readonly status: 'green' | 'yellow' | 'red';
  /** Of every node, ascending. */
  readonly versions: readonly string[];
  readonly nodes: number;
  readonly unassignedShards: number;
  readonly disks: readonly NodeDisk[] | undefined;
  /** False when the operator switched the watermarks off. */
  readonly isDiskGuarded: boolean | undefined;
  /** Indices of this installation that are not written because a disk was full. */
  readonly blocked: readonly string[] | undefined;
  readonly shards: number;
  /** Over it no index can be made. */
  readonly shardsMax: number | undefined;
  /** The server's clock minus ours; positive is ahead. Known to about a second. */
  readonly clockSkewMs: DurationMs | undefined;
};

export type HealthRow = {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  /** What was seen. */
  readonly evidence: string;
  /** What to do; empty when there is nothing to do. */
  readonly fix: string;
};

export async function readHealth(elasticsearch: Elasticsearch, prefix: string): Promise<ClusterHealth> {
  const health = await elasticsearch.call('asking for the health of the cluster', (client, options) => client.cluster.health({}, options));
  const { versions } = await readCapabilities(elasticsearch);
  const settings = await allowed(readSettings(elasticsearch));
  return {
    cluster: health.cluster_name,
    status: statusOf(health.status),
    versions,
    nodes: health.number_of_nodes,
    unassignedShards: health.unassigned_shards,
    disks: settings === undefined ? undefined : await allowed(readDisks(elasticsearch, settings)),
    isDiskGuarded: settings === undefined ? undefined : settings.get(`${DISK}.threshold_enabled`) !== 'false',
    blocked: await allowed(readBlocked(elasticsearch, prefix)),
    shards: health.active_shards + health.unassigned_shards,
    shardsMax: shardsMaxOf(settings, health.number_of_data_nodes),
    clockSkewMs: await allowed(readClockSkew(elasticsearch)),
  };
}

/** Client types allow both spellings. */
function statusOf(status: string): ClusterHealth['status'] {
  const lower = status.toLowerCase();
  return lower === 'green' || lower === 'yellow' ? lower : 'red';
}

/** Undefined when the credentials have no right to ask; every other fault is thrown. */
async function allowed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ElasticsearchFault && (error.status === 401 || error.status === 403)) return undefined;
    throw error;
  }
}

type Settings = ReadonlyMap<string, string>;
const DISK = 'cluster.routing.allocation.disk';

/** Defaults first, then what is persistent, then what is transient: the last one counts. */
async function readSettings(elasticsearch: Elasticsearch): Promise<Settings> {
  const answer = await elasticsearch.call('reading the settings of the cluster', (client, options) =>
    client.cluster.getSettings({ include_defaults: true, flat_settings: true }, options),
  );
  const layers = [answer.defaults ?? {}, answer.persistent, answer.transient];
  return new Map(layers.flatMap((layer) => Object.entries(layer).map(([name, value]): [string, string] => [name, String(value)])));
}

function shardsMaxOf(settings: Settings | undefined, dataNodes: number): number | undefined {
  const perNode = Number(settings?.get('cluster.max_shards_per_node'));
  return Number.isFinite(perNode) ? perNode * dataNodes : undefined;
}

async function readDisks(elasticsearch: Elasticsearch, settings: Settings): Promise<readonly NodeDisk[]> {
  const answer = await elasticsearch.call('reading the disks of the nodes', (client, options) =>
    client.nodes.stats({ metric: 'fs', filter_path: 'nodes.*.name,nodes.*.fs.total' }, options),
  );
  return Object.values(answer.nodes ?? {}).flatMap((node) => {
    const totalBytes = node.fs?.total?.total_in_bytes;
    const freeBytes = node.fs?.total?.available_in_bytes;
    if (totalBytes === undefined || freeBytes === undefined) return [];
    return [{ node: node.name ?? '', totalBytes, freeBytes, stage: diskStage({ totalBytes, freeBytes }, settings) }];
  });
}

const STAGES = [
  ['flood', `${DISK}.watermark.flood_stage`],
  ['high', `${DISK}.watermark.high`],
  ['low', `${DISK}.watermark.low`],
] as const;

export function diskStage(disk: Pick<NodeDisk, 'totalBytes' | 'freeBytes'>, settings: Settings): DiskStage {
  for (const [stage, name] of STAGES) {
    const watermark = settings.get(name);
    if (watermark === undefined) continue;
    const freeMin = freeBytesMin(watermark, settings.get(`${name}.max_headroom`), disk.totalBytes);
    if (freeMin !== undefined && disk.freeBytes < freeMin) return stage;
  }
  return 'fine';
}

/** What must be free: `90%` or `0.9` is a used share, whose rest is at most the headroom; `20gb` is free space itself. */
function freeBytesMin(watermark: string, headroom: string | undefined, totalBytes: number): number | undefined {
  const share = watermark.endsWith('%') ? Number(watermark.slice(0, -1)) / 100 : Number(watermark);
  if (!Number.isFinite(share)) return bytesOf(watermark);
  const free = totalBytes * (1 - share);
  const most = headroom === undefined ? undefined : bytesOf(headroom);
  return most === undefined ? free : Math.min(free, most);
}

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40, pb: 2 ** 50 };

/** Undefined for `-1`, which is no bound. */
function bytesOf(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([kmgtp]?b)$/i.exec(text.trim());
  const unit = UNITS[found?.[2]?.toLowerCase() ?? ''];
  return unit === undefined ? undefined : Number(found?.[1]) * unit;
}

async function readBlocked(elasticsearch: Elasticsearch, prefix: string): Promise<readonly string[]> {
  const answer = await elasticsearch.call('reading which indices are blocked', (client, options) =>
    client.indices.getSettings({ index: `${prefix}-*`, name: 'index.blocks.*', allow_no_indices: true, flat_settings: true }, options),
  );
  return Object.entries(answer)
    .filter(([, state]) => Object.entries(state.settings ?? {}).some(([name, value]) => name.startsWith('index.blocks.') && String(value) === 'true'))
    .map(([index]) => index)
    .sort();
}

/** By the Date header where there is one (a proxy, a cloud), else by a node's own clock in its statistics. */
async function readClockSkew(elasticsearch: Elasticsearch): Promise<DurationMs | undefined> {
  const { clock } = elasticsearch;
  return elasticsearch.call('comparing clocks', async (client, options) => {
    const asked = clock.now();
    const { body, headers } = await client.nodes.stats({ metric: 'process', filter_path: 'nodes.*.timestamp' }, { ...options, meta: true });
    // Somewhere between the two the server looked at its clock.
    const ours = (asked + clock.now()) / 2;
    const theirs = dateOf(headers?.['date']) ?? Object.values(body.nodes ?? {})[0]?.timestamp;
    return theirs === undefined ? undefined : Math.round(theirs - ours);
  });
}

/** A header has whole seconds: half of one is added. */
function dateOf(header: unknown): EpochMs | undefined {
  const time = typeof header === 'string' ? Date.parse(header) : Number.NaN;
  return Number.isNaN(time) ? undefined : time + 500;
}

/** Timestamps of windows are event times, but leases, retention and messages look at clocks. */
const SKEW_WARN_MS = 5000;
const SHARDS_WARN_SHARE = 0.9;
const UNSEEN = 'these credentials may not see it';

/** What a person should make of it, worst things as `fail`. */
export function judgeHealth(health: ClusterHealth): readonly HealthRow[] {
  return [clusterRow(health), versionRow(health), diskRow(health), shardsRow(health), clockRow(health)];
}

function row(name: string, state: HealthRow['state'], evidence: string, fix = ''): HealthRow {
  return { name, state, evidence, fix };
}

function clusterRow({ cluster, status, nodes, unassignedShards }: ClusterHealth): HealthRow {
  const evidence = `${cluster}: ${status}, ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, ${unassignedShards} shards without a place`;
  if (status === 'green') return row('elasticsearch', 'ok', evidence);
  if (status === 'red') return row('elasticsearch', 'fail', evidence, 'data is missing: ask GET _cluster/allocation/explain why');
  const fix = nodes === 1 ? 'replicas need a second node; on a single one set store.elasticsearch.replicas: 0' : 'ask GET _cluster/allocation/explain why';
  return row('elasticsearch', 'warn', evidence, fix);
}

function versionRow({ versions }: ClusterHealth): HealthRow {
  const different = [...new Set(versions)];
  if (different.length === 0) return row('elasticsearch version', 'warn', UNSEEN, 'grant the cluster privilege monitor');
  if (different.length === 1) return row('elasticsearch version', 'ok', different.join());
  return row('elasticsearch version', 'warn', `nodes run ${different.join(', ')}`, 'finish the upgrade: shards do not move to an older node');
}

function diskRow({ disks, blocked, isDiskGuarded }: ClusterHealth): HealthRow {
  if (blocked !== undefined && blocked.length > 0)
    return row(
      'elasticsearch disk',
      'fail',
      `${blocked.length} indices take no writes: ${blocked.slice(0, 3).join(', ')}`,
      'free disk space; then the block goes, or remove index.blocks',
    );
  if (disks === undefined) return row('elasticsearch disk', 'warn', UNSEEN, 'grant the cluster privilege monitor');
  const fullest = disks.toSorted((a, b) => a.freeBytes / a.totalBytes - b.freeBytes / b.totalBytes)[0];
  if (fullest === undefined) return row('elasticsearch disk', 'warn', 'no node tells of its disk', 'ask GET _nodes/stats/fs');
  const evidence = `${fullest.node} has ${gib(fullest.freeBytes)} of ${gib(fullest.totalBytes)} GiB free`;
  if (isDiskGuarded === false) {
    const isNearlyFull = fullest.stage !== 'fine';
    return row(
      'elasticsearch disk',
      isNearlyFull ? 'warn' : 'ok',
      `${evidence}; watermarks are switched off`,
      isNearlyFull ? 'free disk space: nothing stops Elasticsearch before the disk is full' : '',
    );
  }
  if (fullest.stage === 'flood') return row('elasticsearch disk', 'fail', `${evidence}: over the flood stage`, 'free disk space: writes are refused');
  if (fullest.stage !== 'fine')
    return row('elasticsearch disk', 'warn', `${evidence}: over the ${fullest.stage} watermark`, 'free disk space or shorten retention');
  return row('elasticsearch disk', 'ok', evidence);
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

function shardsRow({ shards, shardsMax }: ClusterHealth): HealthRow {
  if (shardsMax === undefined) return row('elasticsearch shards', 'warn', `${shards}; the limit: ${UNSEEN}`, 'grant the cluster privilege monitor');
  const evidence = `${shards} of at most ${shardsMax}`;
  if (shards >= shardsMax)
    return row('elasticsearch shards', 'fail', evidence, 'no index can be made: delete old indices, add a node, or raise cluster.max_shards_per_node');
  if (shards >= shardsMax * SHARDS_WARN_SHARE)
    return row('elasticsearch shards', 'warn', evidence, 'a new day needs a few more: delete old indices, shorten retention or add a node');
  return row('elasticsearch shards', 'ok', evidence);
}

function clockRow({ clockSkewMs }: ClusterHealth): HealthRow {
  if (clockSkewMs === undefined) return row('elasticsearch clock', 'warn', UNSEEN, 'grant the cluster privilege monitor');
  const evidence = `${(Math.abs(clockSkewMs) / 1000).toFixed(1)} s ${clockSkewMs < 0 ? 'behind' : 'ahead of'} ours`;
  if (Math.abs(clockSkewMs) > SKEW_WARN_MS) return row('elasticsearch clock', 'warn', evidence, 'synchronise the clocks of both machines (NTP)');
  return row('elasticsearch clock', 'ok', evidence);
}
