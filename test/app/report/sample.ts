import type { Alert, AlertState } from '../../../core/alert.ts';
import { type EntityId, type Severity, entityId, entityKind } from '../../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../../core/window.ts';
import { blindFor, visibilityOf } from '../../../app/report/coverage.ts';
import { type AnalyzeReport, type ReportKey, activityGrid } from '../../../app/report/report.ts';
import { RULES } from '../../../detectors/registry.ts';
import { reportRules } from '../../../app/report/rules.ts';
import { compareKeys } from '../../../app/json/key.ts';

/** 2026-03-11 00:00 UTC. */
export const DAY = Date.UTC(2026, 2, 11);

const NO_STATUS = { s1xx: 0, s2xx: 0, s3xx: 0, s4xx: 0, s5xx: 0, aborted: 0 } as const;

/** A report of nothing. */
export function emptyReport(over: Partial<AnalyzeReport> = {}): AnalyzeReport {
  return {
    version: '1.2.3',
    source: { names: ['access.log'], files: 1, bytes: 0, records: 0 },
    formats: {},
    range: null,
    totals: { events: 0, dropped: 0, rejected: 0, requests: 0, status: NO_STATUS, errors: 0, failedAuth: 0, bytesIn: null, bytesOut: null, latency: null },
    activity: null,
    keys: [],
    networks: [],
    top: { routes: [], agents: [], countries: [] },
    limits: 'the shipped thresholds',
    alerts: [],
    rules: [],
    rejects: [],
    coverage: [],
    problems: [],
    cost: { elapsedMs: 12, eventsPerSecond: 0, threads: 1 },
    ...over,
  };
}

export function reportKey(id: EntityId, over: Partial<ReportKey> = {}): ReportKey {
  return {
    id,
    kind: entityKind(id),
    label: id,
    requests: 1,
    status: { ...NO_STATUS, s2xx: 1 },
    errors: 0,
    failedAuth: 0,
    bytesIn: null,
    bytesOut: 10,
    clients: 1,
    first: DAY,
    last: DAY + MINUTE_MS,
    ...over,
  };
}

type AlertSpec = {
  readonly rule: string;
  readonly entity: EntityId;
  readonly label: string;
  readonly severity: Severity;
  readonly score?: number;
  readonly from: number;
  readonly minutes: number;
  readonly state?: AlertState;
  readonly why: string;
  readonly observed: number;
  readonly expected: number;
  readonly unit?: Alert['finding']['unit'];
  readonly action: string;
};

export function sampleAlert(spec: AlertSpec): Alert {
  const state = spec.state ?? 'resolved';
  const end = spec.from + spec.minutes * MINUTE_MS;
  const window = { start: spec.from, end: spec.from + MINUTE_MS };
  const score = spec.score ?? 90;
  return {
    id: `${spec.rule}-${spec.entity}-${spec.from}`,
    dedupKey: `${spec.rule}-${spec.entity}`,
    episode: spec.from / MINUTE_MS,
    rule: spec.rule,
    entity: spec.entity,
    label: spec.label,
    state,
    severity: spec.severity,
    score,
    startedAt: spec.from,
    firedAt: spec.from,
    ...(state === 'resolved' ? { resolvedAt: end } : {}),
    lastBreachAt: end - MINUTE_MS,
    peak: spec.observed,
    findings: spec.minutes,
    reopens: 0,
    dips: 0,
    excess: 0,
    finding: {
      id: `${spec.rule}|${spec.entity}|${spec.from}|${spec.severity}`,
      rule: spec.rule,
      entity: spec.entity,
      window,
      severity: spec.severity,
      score,
      why: spec.why,
      observed: spec.observed,
      expected: spec.expected,
      unit: spec.unit ?? 'requests',
      action: spec.action,
      contributions: [],
      isLive: false,
    },
  };
}

/** Numbers from a seed (mulberry32), for pictures only: no test expects one of them. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const LABELS = [
  'billing-worker',
  'mobile-ios',
  'mobile-android',
  'partner-acme',
  'search-indexer',
  'webhooks',
  'partner-globex',
  'status-page',
  'nightly-export',
  'crm-sync',
  'sandbox',
  'support-desk',
];

/** The rich report as it is without `--suggest`. */
export function withoutSuggestions(): AnalyzeReport {
  return Object.fromEntries(Object.entries(richReport()).filter(([name]) => name !== 'suggestions')) as AnalyzeReport;
}

/** A day of an API with four attacks in it: what screens and pictures are looked at with. */
export function richReport(): AnalyzeReport {
  const next = random(7);
  const grid = activityGrid(DAY, DAY + 24 * HOUR_MS - 1);
  const hourOf = (bucket: number): number => (bucket * grid.bucketMs) / HOUR_MS;
  const keys: ReportKey[] = [];
  const requests = new Array<number>(grid.buckets).fill(0);
  const errors = new Array<number>(grid.buckets).fill(0);
  const failedAuth = new Array<number>(grid.buckets).fill(0);
  const bytesOut = new Array<number>(grid.buckets).fill(0);
  for (let n = 0; n < 640; n++) {
    const hex = Math.floor(next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
    const scale = 2200 / (n + 1.2) ** 1.1;
    const phase = next() * 4;
    const isNightly = n % 9 === 4;
    const series = Array.from({ length: grid.buckets }, (_, bucket) => {
      const day = Math.max(0, Math.sin(((hourOf(bucket) - 5 - phase) / 15) * Math.PI)) + 0.12;
      const shape = isNightly ? (hourOf(bucket) < 4 ? 2.4 : 0.05) : day;
      const storm = n === 3 && bucket >= 54 && bucket <= 57 ? 9 : 1;
      return Math.round(scale * shape * storm * (0.75 + next() * 0.5));
    });
    const total = series.reduce((sum, value) => sum + value, 0);
    if (total === 0) continue;
    const errorRate = n === 6 ? 0.09 : 0.004 + next() * 0.02;
    const perRequest = n === 8 ? 61_000 : 900 + next() * 5000;
    series.forEach((value, bucket) => {
      const isBurst = n === 6 && bucket >= 40 && bucket <= 44;
      requests[bucket] = (requests[bucket] ?? 0) + value;
      errors[bucket] = (errors[bucket] ?? 0) + value * (isBurst ? 0.6 : errorRate);
      bytesOut[bucket] = (bytesOut[bucket] ?? 0) + value * perRequest;
    });
    const failed = Math.round(total * errorRate);
    const label = n < LABELS.length ? (LABELS[n] ?? '') : `key ${hex}`;
    keys.push(
      reportKey(entityId('key', `kf1_${hex}${'0'.repeat(24)}`), {
        label,
        requests: total,
        status: { s1xx: 0, s2xx: total - failed - 4, s3xx: 4, s4xx: Math.ceil(failed * 0.7), s5xx: Math.floor(failed * 0.3), aborted: 0 },
        errors: failed,
        failedAuth: n % 7 === 0 ? Math.round(next() * 12) : 0,
        bytesIn: Math.round(total * 340),
        bytesOut: Math.round(total * perRequest),
        clients: 1 + Math.floor(next() * (n < 4 ? 400 : 5)),
        first: DAY + Math.round(next() * HOUR_MS),
        last: DAY + 23 * HOUR_MS + Math.round(next() * HOUR_MS),
        series,
      }),
    );
  }
  for (let bucket = 70; bucket < 76; bucket++) failedAuth[bucket] = 300 + Math.round(next() * 90);
  for (let bucket = 0; bucket < grid.buckets; bucket++) failedAuth[bucket] = (failedAuth[bucket] ?? 0) + Math.round(next() * 3);
  keys.sort(compareKeys);
  const sum = (values: readonly number[]): number => Math.round(values.reduce((a, b) => a + b, 0));
  const byLabel = (label: string): EntityId => keys.find((key) => key.label === label)?.id ?? entityId('key', label);
  const total = sum(requests);
  const failures = sum(failedAuth);
  const network = entityId('network', '198.51.100.0/24');
  const alerts = [
    sampleAlert({
      rule: 'failed_auth',
      entity: network,
      label: 'network 198.51.100.0/24',
      severity: 'critical',
      score: 98,
      from: DAY + 17.5 * HOUR_MS,
      minutes: 92,
      why: 'Authentication failed 1,412 times within an hour from this network, with 1,206 different keys; the limit is 50.',
      observed: 1412,
      expected: 50,
      unit: 'failures',
      action: 'security audit',
    }),
    sampleAlert({
      rule: 'request_rate',
      entity: byLabel('partner-acme'),
      label: 'partner-acme',
      severity: 'critical',
      score: 91,
      from: DAY + 13.6 * HOUR_MS,
      minutes: 58,
      why: '1,320 requests in a minute, over the limit of 1,000.',
      observed: 1320,
      expected: 1000,
      action: 'apply rate limiting',
    }),
    sampleAlert({
      rule: 'request_rate',
      entity: byLabel('partner-acme'),
      label: 'partner-acme',
      severity: 'medium',
      score: 61,
      from: DAY + 9.1 * HOUR_MS,
      minutes: 6,
      why: '540 requests in a minute, over the limit of 500.',
      observed: 540,
      expected: 500,
      action: 'apply rate limiting',
    }),
    sampleAlert({
      rule: 'error_rate',
      entity: byLabel('partner-globex'),
      label: 'partner-globex',
      severity: 'critical',
      score: 84,
      from: DAY + 10 * HOUR_MS,
      minutes: 75,
      why: '58 % of 412 requests in 5 minutes failed; the limit is 10 %.',
      observed: 0.58,
      expected: 0.1,
      unit: 'ratio',
      action: 'investigate',
    }),
    sampleAlert({
      rule: 'data_transfer',
      entity: byLabel('nightly-export'),
      label: 'nightly-export',
      severity: 'medium',
      score: 66,
      from: DAY + 1.2 * HOUR_MS,
      minutes: 170,
      state: 'firing',
      why: '702 MB moved within an hour, over the limit of 500 MB.',
      observed: 736_100_352,
      expected: 524_288_000,
      unit: 'bytes',
      action: 'review usage',
    }),
  ];
  return {
    version: '0.1.0',
    source: { names: ['gateway/access.json', 'gateway/access.json.1.gz', 'nginx/access.log'], files: 9, bytes: 412_300_288, records: total + 214 },
    formats: { kong: Math.round(total * 0.9), combined: total - Math.round(total * 0.9) },
    range: { from: DAY + 3000, to: DAY + 24 * HOUR_MS - 2000 },
    totals: {
      events: total,
      dropped: 12,
      rejected: 202,
      requests: total,
      status: {
        s1xx: 0,
        s2xx: total - sum(errors) - failures - 5200,
        s3xx: 5100,
        s4xx: Math.round(sum(errors) * 0.7) + failures,
        s5xx: Math.round(sum(errors) * 0.3),
        aborted: 100,
      },
      errors: sum(errors),
      failedAuth: failures,
      bytesIn: total * 340,
      bytesOut: sum(bytesOut),
      latency: { p50Us: 14_200, p95Us: 88_000, p99Us: 412_000 },
    },
    activity: { grid, requests, errors, failedAuth, bytesOut },
    keys,
    networks: [
      { id: network, label: '198.51.100.0/24', failedAuth: 2011, credentials: 1704, first: DAY + 17.5 * HOUR_MS, last: DAY + 19 * HOUR_MS },
      {
        id: entityId('network', '203.0.113.0/24'),
        label: '203.0.113.0/24',
        failedAuth: 61,
        credentials: 3,
        first: DAY + 2 * HOUR_MS,
        last: DAY + 22 * HOUR_MS,
      },
      {
        id: entityId('network', '2001:db8:44::/48'),
        label: '2001:db8:44::/48',
        failedAuth: 12,
        credentials: null,
        first: DAY + 8 * HOUR_MS,
        last: DAY + 9 * HOUR_MS,
      },
    ],
    top: {
      routes: [
        { value: 'GET /v1/orders/{id}', requests: Math.round(total * 0.41), failed: 120 },
        { value: 'GET /v1/search', requests: Math.round(total * 0.22), failed: 900 },
        { value: 'POST /v1/orders', requests: Math.round(total * 0.12), failed: 410 },
        { value: 'GET /v1/export/{date}', requests: Math.round(total * 0.05), failed: 0 },
      ],
      agents: [
        { value: 'acme-sdk/2.4.1', requests: Math.round(total * 0.5), failed: 120 },
        { value: 'python-requests/2.31.0', requests: Math.round(total * 0.2), failed: 120 },
        {
          value: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
          requests: Math.round(total * 0.1),
          failed: 2,
        },
      ],
      countries: [],
    },
    limits: 'the shipped thresholds',
    alerts,
    rules: reportRules(RULES, alerts),
    rejects: [
      { reason: 'bad_json', count: 180, first: { source: 'gateway/access.json.1.gz', position: 1_882_310 } },
      { reason: 'bad_time', count: 22, first: { source: 'nginx/access.log', position: 412 } },
    ],
    coverage: [
      { source: 'gateway/access.json', format: 'kong', blind: blindFor(visibilityOf('kong')) },
      { source: 'gateway/access.json.1.gz', format: 'kong', blind: blindFor(visibilityOf('kong')) },
      { source: 'nginx/access.log', format: 'combined', blind: blindFor(visibilityOf('combined')) },
    ],
    problems: ['nginx/old/: permission denied; run as a user who may read it'],
    suggestions: [
      {
        entity: byLabel('partner-acme'),
        label: 'partner-acme',
        rule: 'request_rate',
        unit: 'requests',
        warning: 700,
        critical: 1400,
        usual: 540,
        alerts: 2,
        remaining: 1,
      },
      {
        entity: byLabel('nightly-export'),
        label: 'nightly-export',
        rule: 'data_transfer',
        unit: 'bytes',
        warning: 1_073_741_824,
        critical: 2_147_483_648,
        usual: 736_100_352,
        alerts: 1,
        remaining: 0,
      },
    ],
    cost: { elapsedMs: 842, eventsPerSecond: 1_240_512, threads: 2 },
  };
}
