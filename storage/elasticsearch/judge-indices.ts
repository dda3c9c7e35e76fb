import { createHash } from 'node:crypto';
import { dayOf, minuteOf, startOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, dayName, monthName, nextMonth } from '../calendar.ts';
import { ElasticsearchFault } from './fault.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { EpochMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

/** What the judge writes, and nobody else does; `command` is where people's tools leave what the judge then removes. */
export const JUDGE_INDICES = ['journal', 'snapshot', 'alert', 'incident', 'record', 'outbox', 'lease', 'command', 'window', 'finding'] as const;
export type JudgeIndex = (typeof JUDGE_INDICES)[number];

/** How an index is made, whatever its name, its shards and its replicas. */
export type IndexShape = { readonly settings: Readonly<Record<string, string | readonly string[]>>; readonly mappings: estypes.MappingTypeMapping };

const date: estypes.MappingProperty = { type: 'date' };
const keyword: estypes.MappingProperty = { type: 'keyword' };
const long: estypes.MappingProperty = { type: 'long' };
const integer: estypes.MappingProperty = { type: 'integer' };
const float: estypes.MappingProperty = { type: 'float' };
const double: estypes.MappingProperty = { type: 'double' };
const boolean: estypes.MappingProperty = { type: 'boolean' };
/** Kept and given back, never searched: no limit of length, nothing on the disk beside the source. */
const stored: estypes.MappingProperty = { type: 'keyword', index: false, doc_values: false };
const opaque: estypes.MappingProperty = { type: 'object', enabled: false };

/** Fields that are not named here are stored but not indexed: a newer process may write more than today's index knows, and must not be refused. */
function shape(properties: Record<string, estypes.MappingProperty>, settings: IndexShape['settings'] = {}): IndexShape {
  return { settings, mappings: { dynamic: false, properties } };
}

const OWNER = { key: keyword, kind: keyword, name: keyword, label: keyword };

const SHAPES: Readonly<Record<JudgeIndex, IndexShape>> = {
  journal: shape({ seq: long, at: date, actor: keyword, body: stored, prev: stored, hash: stored, writer: stored }),
  snapshot: shape({ kind: keyword, seq: long, parts: opaque, hash: stored, part: { type: 'binary' } }),
  command: shape({ at: date, id: keyword, order: long, command: stored }),
  lease: shape({ holder: keyword, beat: long, write: stored }),
  outbox: shape({
    id: keyword,
    channel: keyword,
    kind: keyword,
    incident: keyword,
    created: long,
    attempts: integer,
    next_at: long,
    done: boolean,
    result: keyword,
    row: stored,
    message: opaque,
    through: long,
  }),
  incident: shape({
    '@timestamp': date,
    id: keyword,
    incident_kind: keyword,
    ...OWNER,
    rule: keyword,
    state: keyword,
    is_open: boolean,
    severity: keyword,
    severity_rank: { type: 'byte' },
    score: float,
    risk: float,
    alerts: integer,
    keys: integer,
    reopens: integer,
    suppressed: integer,
    fleet: keyword,
    acknowledged_by: keyword,
    started: date,
    opened: date,
    resolved: date,
    updated: date,
    seq: long,
    incident: opaque,
  }),
  // What people decided (silences, maintenance, exceptions, answers to commands) and the audit of it.
  record: shape({
    '@timestamp': date,
    record: keyword,
    id: keyword,
    at: long,
    ends: long,
    seq: long,
    place: integer,
    subject: keyword,
    action: keyword,
    actor: keyword,
    note: stored,
    value: opaque,
  }),
  alert: shape({
    '@timestamp': date,
    id: keyword,
    ...OWNER,
    rule: keyword,
    state: keyword,
    is_open: boolean,
    severity: keyword,
    severity_rank: { type: 'byte' },
    score: float,
    why: keyword,
    action: keyword,
    unit: keyword,
    observed: double,
    expected: double,
    peak: double,
    findings: integer,
    reopens: integer,
    started: date,
    fired: date,
    last_breach: date,
    resolved: date,
    updated: date,
    seq: long,
    incident: keyword,
    alert: opaque,
  }),
  finding: shape({
    '@timestamp': date,
    id: keyword,
    key: keyword,
    kind: keyword,
    name: keyword,
    rule: keyword,
    severity: keyword,
    severity_rank: { type: 'byte' },
    score: float,
    why: keyword,
    action: keyword,
    unit: keyword,
    observed: double,
    expected: double,
    window_end: date,
    is_live: boolean,
    dimensions: keyword,
    contributions: opaque,
  }),
  window: shape(
    {
      '@timestamp': date,
      ...OWNER,
      plan: keyword,
      ...Object.fromEntries(
        ['1xx', '2xx', '3xx', '4xx', '5xx', '401', '403', '429'].map((status): [string, estypes.MappingProperty] => [`status_${status}`, long]),
      ),
      ...Object.fromEntries(
        ['requests', 'aborted', 'errors', 'failed_auth', 'bytes', 'bytes_in', 'bytes_out', 'reads', 'writes'].map((name): [string, estypes.MappingProperty] => [
          name,
          long,
        ]),
      ),
      error_rate: float,
      ...Object.fromEntries(['avg', 'max', 'p50', 'p95', 'p99'].map((name): [string, estypes.MappingProperty] => [`latency_${name}_ms`, float])),
      ...Object.fromEntries(
        ['ips', 'networks', 'agents', 'routes', 'countries', 'asns', 'attempted_keys'].map((name): [string, estypes.MappingProperty] => [name, integer]),
      ),
      top_ips: keyword,
      top_routes: keyword,
      top_countries: keyword,
      top_agents: keyword,
      first_event: date,
      last_event: date,
      score: float,
      expected: float,
      low: float,
      high: float,
      seq: long,
    },
    // Sorted by key: a panel about one key reads one stretch, and neighbours compress.
    { 'index.codec': 'best_compression', 'index.sort.field': ['key', '@timestamp'], 'index.refresh_interval': '5s' },
  ),
};

/** `histogram` only where the server has that type: then percentiles over many keys and minutes are exact to a bucket. */
export function indexShape(index: JudgeIndex, server: { readonly histogram: boolean } = { histogram: false }): IndexShape {
  const base = SHAPES[index];
  if (index !== 'window' || !server.histogram) return base;
  return { ...base, mappings: { ...base.mappings, properties: { ...base.mappings.properties, latency: { type: 'histogram' } } } };
}

/** Indices whose name ends in a date; the others are one index each. */
export function isDated(index: JudgeIndex): boolean {
  return index === 'window' || index === 'finding';
}

/** Alerts: `{prefix}-alert` is an alias of it, so that a later shape can move in behind the same name. */
export function singleName(prefix: string, index: JudgeIndex): string {
  return index === 'alert' ? `${prefix}-alert-v1` : `${prefix}-${index}`;
}

/** What searches over all dates ask for. */
export function aliasOf(prefix: string, index: JudgeIndex): string | undefined {
  return index === 'alert' || isDated(index) ? `${prefix}-${index}` : undefined;
}

/** `{prefix}-window-2026.11.24`, by the UTC day of the window. */
export function windowIndex(prefix: string, start: EpochMs): string {
  return `${prefix}-window-${dotted(dayName(minuteOf(start)))}`;
}

/** `{prefix}-finding-2026.11`, by the UTC month of the window. */
export function findingIndex(prefix: string, start: EpochMs): string {
  return `${prefix}-finding-${dotted(monthName(minuteOf(start)))}`;
}

function dotted(name: string): string {
  return name.replaceAll('-', '.');
}

/** What a name of `windowIndex` or `findingIndex` stands for; undefined for any other. */
export function datedIndex(prefix: string, name: string): { readonly index: 'window' | 'finding'; readonly start: EpochMs } | undefined {
  if (!name.startsWith(`${prefix}-`)) return undefined;
  const found = /^(?:(window)-(\d{4})\.(\d\d)\.(\d\d)|(finding)-(\d{4})\.(\d\d))$/.exec(name.slice(prefix.length + 1));
  if (found === null) return undefined;
  const index = found[1] === undefined ? 'finding' : 'window';
  const start = Date.parse(index === 'window' ? `${found[2]}-${found[3]}-${found[4]}T00:00:00Z` : `${found[6]}-${found[7]}-01T00:00:00Z`);
  return Number.isNaN(start) ? undefined : { index, start };
}

/** Where the day or the month of an index ends that holds `time`. */
export function datedEnd(index: 'window' | 'finding', time: EpochMs): EpochMs {
  const minute = minuteOf(time);
  return startOf(index === 'window' ? dayOf(minute) + MINUTES_PER_DAY : nextMonth(minute));
}

/** Elasticsearch refuses ids over 512 bytes; names that come from traffic can be longer. */
const ID_BYTES_MAX = 480;

/** `text`, or its start and its hash where it is too long for an id. */
export function documentId(text: string): string {
  if (Buffer.byteLength(text) <= ID_BYTES_MAX) return text;
  return `${text.slice(0, 64)}~${createHash('sha256').update(text).digest('hex')}`;
}

/**
 * Makes an index that is not there yet. Shards and replicas come from the template that `keywatch setup` installed;
 * the mappings are sent along, so that a missing template never makes an index of guessed types.
 */
export async function ensureIndex(elasticsearch: Elasticsearch, prefix: string, index: JudgeIndex): Promise<void> {
  const name = singleName(prefix, index);
  const { mappings, settings } = indexShape(index);
  const alias = aliasOf(prefix, index);
  if (await elasticsearch.call(`looking for the index ${name}`, (client, options) => client.indices.exists({ index: name }, options))) return;
  const request = { index: name, mappings, settings: { ...settings }, ...(alias === undefined ? {} : { aliases: { [alias]: {} } }) };
  try {
    await elasticsearch.call(`making the index ${name}`, (client, options) => client.indices.create(request, options));
  } catch (error) {
    // Another process made it at the same moment.
    if (!(error instanceof ElasticsearchFault && error.type === 'resource_already_exists_exception')) throw error;
  }
}
