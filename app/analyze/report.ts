import type { Alert } from '../../core/alert.ts';
import { C, at, errorsOf } from '../../core/counters.ts';
import type { KeyDirectory } from '../../core/directory.ts';
import { type EntityId, OWNER_KINDS, entityKind } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { RULES } from '../../detectors/registry.ts';
import type { LimitSuggestion } from '../../detectors/suggest.ts';
import { type Config, ruleLimits } from '../config/config.ts';
import { compareKeys, keySummary, statusCounts } from '../json/key.ts';
import { blindFor, visibilityOf } from '../report/coverage.ts';
import {
  type AnalyzeReport,
  type ReportActivity,
  type ReportKey,
  type ReportNetwork,
  type ReportTopItem,
  type Suggestion,
  activityGrid,
  bucketOf,
} from '../report/report.ts';
import { reportRules } from '../report/rules.ts';
import type { Collector } from './collector.ts';
import type { TopList } from './top-list.ts';
import type { PlannedFile } from './plan-tasks.ts';
import { type Owner, uniteNames } from './unite-names.ts';

export type ReportInput = {
  readonly version: string;
  readonly limits: string;
  readonly config: Config;
  readonly threads: number;
  readonly files: readonly PlannedFile[];
  readonly problems: readonly string[];
  readonly bytes: number;
  readonly collector: Collector;
  readonly directory: KeyDirectory;
  readonly alerts: readonly Alert[];
  readonly suggestions: readonly LimitSuggestion[] | undefined;
  readonly elapsedMs: number;
};

const TOP_MAX = 20;
const NAMES_MAX = 5;
const DRAWN_MAX = 500;

export function buildReport(input: ReportInput): AnalyzeReport {
  const { collector, files, directory } = input;
  const { totals } = collector;
  const range = collector.events === 0 ? null : { from: at(totals, C.first), to: at(totals, C.last) };
  const grid = range === null ? undefined : activityGrid(range.from, range.to);
  const rules = RULES.filter((rule) => input.config.rules[rule.id]?.enabled ?? true);
  return {
    version: input.version,
    source: { names: files.slice(0, NAMES_MAX).map((file) => file.label), files: files.length, bytes: input.bytes, records: collector.records },
    formats: formatsOf(files, collector),
    range,
    totals: {
      events: collector.events,
      dropped: collector.dropped,
      rejected: [...collector.rejects.values()].reduce((sum, reject) => sum + reject.count, 0),
      requests: collector.events,
      status: statusCounts(totals),
      errors: errorsOf(totals),
      failedAuth: at(totals, C.failedAuth),
      bytesIn: at(totals, C.bytesInKnown) === 0 ? null : at(totals, C.bytesIn),
      bytesOut: at(totals, C.bytesOutKnown) === 0 ? null : at(totals, C.bytesOut),
      latency: latencyOf(collector),
    },
    activity: grid === undefined ? null : activityOf(collector, grid),
    keys: keysOf(collector, directory, grid),
    networks: networksOf(collector, directory),
    top: { routes: topOf(collector.routes), agents: topOf(collector.agents), countries: topOf(collector.countries) },
    limits: input.limits,
    alerts: input.alerts,
    rules: reportRules(rules, input.alerts, new Map(rules.map((rule) => [rule.id, ruleLimits(input.config, rule.id)]))),
    rejects: [...collector.rejects]
      .map(([reason, { count, file, position }]) => ({ reason, count, first: { source: files[file]?.label ?? '', position } }))
      .sort((a, b) => b.count - a.count),
    coverage: files.map((file) => ({ source: file.label, format: file.format.name, blind: blindOf(file, collector) })),
    problems: input.problems,
    ...(input.suggestions === undefined ? {} : { suggestions: suggestionsOf(input.suggestions, input.alerts, directory) }),
    cost: { elapsedMs: input.elapsedMs, eventsPerSecond: collector.events / Math.max(0.001, input.elapsedMs / 1000), threads: input.threads },
  };
}

function formatsOf(files: readonly PlannedFile[], collector: Collector): Record<string, number> {
  const formats: Record<string, number> = {};
  for (const file of files) formats[file.format.name] = (formats[file.format.name] ?? 0) + (collector.recordsByFile.get(file.index) ?? 0);
  return formats;
}

function blindOf(file: PlannedFile, collector: Collector): readonly string[] {
  const kinds = collector.kindsByFile.get(file.index);
  const found: string[] = [...file.format.visible, `time.${file.format.timeIs}`];
  if (file.format.bytesKind === 'body') found.push('bytes.body');
  if (kinds?.has('key') === true || kinds?.has('refused') === true) found.push('credential', 'attempted');
  return blindFor(visibilityOf(file.format.name, found));
}

function latencyOf(collector: Collector): AnalyzeReport['totals']['latency'] {
  const quantile = (q: number): number => Math.round(collector.latency.quantile(q) ?? 0);
  return collector.latency.counts.size === 0 ? null : { p50Us: quantile(0.5), p95Us: quantile(0.95), p99Us: quantile(0.99) };
}

function activityOf(collector: Collector, grid: ReturnType<typeof activityGrid>): ReportActivity {
  const requests = new Float64Array(grid.buckets);
  const errors = new Float64Array(grid.buckets);
  const failedAuth = new Float64Array(grid.buckets);
  const bytesOut = new Float64Array(grid.buckets);
  for (const [minute, total] of collector.minutes) {
    const bucket = bucketOf(grid, minute * MINUTE_MS);
    if (bucket < 0 || bucket >= grid.buckets) continue;
    requests[bucket] = (requests[bucket] ?? 0) + total.requests;
    errors[bucket] = (errors[bucket] ?? 0) + total.errors;
    failedAuth[bucket] = (failedAuth[bucket] ?? 0) + total.failedAuth;
    bytesOut[bucket] = (bytesOut[bucket] ?? 0) + total.bytesOut;
  }
  return { grid, requests, errors, failedAuth, bytesOut: at(collector.totals, C.bytesOutKnown) === 0 ? null : bytesOut };
}

function keysOf(collector: Collector, directory: KeyDirectory, grid: ReturnType<typeof activityGrid> | undefined): AnalyzeReport['keys'] {
  const named = [...collector.entities.values()].filter(({ entity }) => OWNER_KINDS.includes(entityKind(entity)));
  const requestsOf = ({ counters }: Owner): number => at(counters, C.requests);
  const owners = uniteNames(named, directory).toSorted((a, b) =>
    compareKeys({ requests: requestsOf(a), id: a.entity }, { requests: requestsOf(b), id: b.entity }),
  );
  return {
    length: owners.length,
    *[Symbol.iterator](): Iterator<ReportKey> {
      for (const [rank, { entity, counters, addresses, series }] of owners.entries()) {
        const key = { ...keySummary({ entity, counters, addresses: addresses.distinct() }), label: directory.label(entity) };
        if (grid === undefined || series.length === 0 || rank >= DRAWN_MAX) {
          yield key;
          continue;
        }
        const buckets = new Float64Array(grid.buckets);
        for (const part of series) part.onto(buckets, (minute) => bucketOf(grid, minute * MINUTE_MS));
        yield { ...key, series: buckets };
      }
    },
  };
}

function networksOf(collector: Collector, directory: KeyDirectory): readonly ReportNetwork[] {
  return [...collector.entities.values()]
    .filter(({ entity }) => entityKind(entity) === 'network')
    .map(({ entity, counters, attempted }) => ({
      id: entity,
      label: directory.label(entity),
      failedAuth: at(counters, C.failedAuth),
      credentials: attempted.items.length === 0 ? null : attempted.distinct(),
      first: at(counters, C.first),
      last: at(counters, C.last),
    }))
    .sort((a, b) => b.failedAuth - a.failedAuth || (a.id < b.id ? -1 : 1))
    .slice(0, TOP_MAX);
}

function topOf(list: TopList): readonly ReportTopItem[] {
  return list.top(TOP_MAX).map(({ text, requests, failed }) => ({ value: text, requests, failed }));
}

function suggestionsOf(suggestions: readonly LimitSuggestion[], alerts: readonly Alert[], directory: KeyDirectory): readonly Suggestion[] {
  const raised = new Map<string, number>();
  for (const alert of alerts) raised.set(`${alert.rule} ${alert.entity}`, (raised.get(`${alert.rule} ${alert.entity}`) ?? 0) + 1);
  const alertsOf = (rule: string, entity: EntityId): number => raised.get(`${rule} ${entity}`) ?? 0;
  return suggestions
    .filter(({ entity, rule, warning, critical }) => {
      // Clients come and go: limits of their own are worth a line only where they were noticed.
      if (entityKind(entity) !== 'key' && entityKind(entity) !== 'user' && alertsOf(rule, entity) === 0) return false;
      const own = directory.limits(rule, entity, {});
      return warning !== own.warning || critical !== own.critical;
    })
    .map(({ entity, rule, unit, warning, critical, usual, remaining }) => ({
      entity,
      label: directory.label(entity),
      rule,
      unit,
      warning: unit === 'bytes' ? wholeMegabytes(warning) : warning,
      critical: unit === 'bytes' ? wholeMegabytes(critical) : critical,
      usual,
      alerts: alertsOf(rule, entity),
      remaining,
    }));
}

const MEGABYTE = 2 ** 20;

/** A limit that people can read and write. */
function wholeMegabytes(bytes: number): number {
  return Math.ceil(bytes / MEGABYTE) * MEGABYTE;
}
