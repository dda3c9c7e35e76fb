import { C, type Counters, at, errorsOf } from '../../core/counters.ts';
import { entityKind, severityRank } from '../../core/types.ts';
import { type LatencyHistogram, latencyOf } from '../../core/sketch/latency.ts';
import { owner } from './alert-document.ts';
import type { Finding } from '../../core/finding.ts';
import type { WindowDocument } from '../../core/ports.ts';
import type { Dimension, Sketch } from '../../core/sketch/sketch.ts';

/** Values of a dimension that a document names. */
const TOP_MAX = 8;
/** Of such a value: it comes from traffic, and a longer one is no name. */
const TEXT_MAX = 256;

/** A document of JSON. A member that is `undefined` is not written: unknown is absent, never 0. */
export type FlatDocument = Readonly<Record<string, unknown>>;

/** One (entity, minute) with flat fields, as Kibana likes them. `histogram` adds the whole latency distribution where the server has that type. */
export function windowDocument(window: WindowDocument, seq: number, options: { readonly histogram: boolean } = { histogram: false }): FlatDocument {
  const { counters } = window;
  const sketch = window.sketch();
  const requests = at(counters, C.requests);
  const errors = errorsOf(counters);
  return {
    '@timestamp': window.window.start,
    ...owner(window.entity),
    label: window.label,
    plan: window.plan,
    requests,
    ...statuses(counters),
    errors,
    failed_auth: at(counters, C.failedAuth),
    error_rate: requests === 0 ? undefined : errors / requests,
    ...bytes(counters),
    ...methods(counters),
    ...latencies(counters, sketch.latency),
    latency: options.histogram ? histogramOf(sketch.latency) : undefined,
    ...dimensions(sketch),
    // Of refused credentials together or of a network: how many different ones were tried.
    attempted_keys: entityKind(window.entity) === 'network' ? distinct(sketch, 'attempted') : undefined,
    first_event: at(counters, C.first) === Number.POSITIVE_INFINITY ? undefined : at(counters, C.first),
    last_event: at(counters, C.last) === 0 ? undefined : at(counters, C.last),
    score: window.score,
    expected: window.expected,
    low: window.low,
    high: window.high,
    seq,
  };
}

function statuses(counters: Counters): FlatDocument {
  return {
    status_1xx: at(counters, C.s1xx),
    status_2xx: at(counters, C.s2xx),
    status_3xx: at(counters, C.s3xx),
    status_4xx: at(counters, C.s4xx),
    status_5xx: at(counters, C.s5xx),
    aborted: at(counters, C.aborted),
    status_401: at(counters, C.s401),
    status_403: at(counters, C.s403),
    status_429: at(counters, C.s429),
  };
}

function bytes(counters: Counters): FlatDocument {
  const bytesIn = at(counters, C.bytesInKnown) === 0 ? undefined : at(counters, C.bytesIn);
  const bytesOut = at(counters, C.bytesOutKnown) === 0 ? undefined : at(counters, C.bytesOut);
  const isUnknown = bytesIn === undefined && bytesOut === undefined;
  return { bytes: isUnknown ? undefined : (bytesIn ?? 0) + (bytesOut ?? 0), bytes_in: bytesIn, bytes_out: bytesOut };
}

/** A source that shows no methods counts neither reads nor writes. */
function methods(counters: Counters): FlatDocument {
  const reads = at(counters, C.reads);
  const writes = at(counters, C.writes);
  return reads + writes === 0 ? {} : { reads, writes };
}

function latencies(counters: Counters, latency: LatencyHistogram): FlatDocument {
  const known = at(counters, C.latencyKnown);
  if (known === 0) return {};
  return {
    latency_avg_ms: at(counters, C.latencySum) / known / 1000,
    latency_max_ms: at(counters, C.latencyMax) / 1000,
    latency_p50_ms: quantileMs(latency, 0.5),
    latency_p95_ms: quantileMs(latency, 0.95),
    latency_p99_ms: quantileMs(latency, 0.99),
  };
}

function quantileMs(latency: LatencyHistogram, q: number): number | undefined {
  const us = latency.quantile(q);
  return us === undefined ? undefined : us / 1000;
}

/** Elasticsearch's `histogram`: values ascending, in milliseconds. */
function histogramOf(latency: LatencyHistogram): { readonly values: readonly number[]; readonly counts: readonly number[] } | undefined {
  const buckets = [...latency.counts].sort((a, b) => a[0] - b[0]);
  if (buckets.length === 0) return undefined;
  return { values: buckets.map(([bucket]) => latencyOf(bucket) / 1000), counts: buckets.map(([, count]) => count) };
}

function dimensions(sketch: Sketch): FlatDocument {
  return {
    ips: distinct(sketch, 'address'),
    networks: distinct(sketch, 'network'),
    agents: distinct(sketch, 'agent'),
    routes: distinct(sketch, 'route'),
    countries: distinct(sketch, 'country'),
    asns: distinct(sketch, 'asn'),
    top_ips: top(sketch, 'address'),
    top_routes: top(sketch, 'route'),
    top_countries: top(sketch, 'country'),
    top_agents: top(sketch, 'agent'),
  };
}

function distinct(sketch: Sketch, dimension: Dimension): number | undefined {
  const count = sketch.tally(dimension).distinct();
  return count === 0 ? undefined : count;
}

/** Heaviest first. */
function top(sketch: Sketch, dimension: Dimension): readonly string[] | undefined {
  const texts = sketch
    .tally(dimension)
    .top(TOP_MAX)
    .flatMap((item) => (item.text === undefined ? [] : [clipped(item.text)]));
  return texts.length === 0 ? undefined : texts;
}

function clipped(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}

/** A finding as dashboards search it. */
export function findingDocument(finding: Finding): FlatDocument {
  return {
    '@timestamp': finding.window.start,
    id: finding.id,
    ...owner(finding.entity),
    rule: finding.rule,
    severity: finding.severity,
    severity_rank: severityRank(finding.severity),
    score: finding.score,
    why: finding.why,
    action: finding.action,
    unit: finding.unit,
    observed: finding.observed,
    expected: finding.expected,
    window_end: finding.window.end,
    is_live: finding.isLive,
    dimensions: [...new Set(finding.contributions.map((contribution) => contribution.dimension))],
    contributions: { list: finding.contributions },
  };
}
