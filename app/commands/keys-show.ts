import { C, at } from '../../core/counters.ts';
import type { Alert } from '../../core/alert.ts';
import type { RuleLimits } from '../../core/directory.ts';
import type { Dimension, Sketch } from '../../core/sketch/sketch.ts';
import { type EntityId, entityKind } from '../../core/types.ts';
import { RULES } from '../../detectors/registry.ts';
import { Directory, type KeyFacts } from '../../keys/directory.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, usageError } from '../cli/errors.ts';
import { formatAgo, formatBytes, formatDuration, formatLatency, formatNumber, formatPercent, formatTime, sparkline } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type RangeOptions, askedRange, nothingSeen } from '../cli/range.ts';
import { SEVERITY_STYLES, painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { renderFacts, renderTable } from '../cli/table.ts';
import { printable, wrap } from '../cli/text.ts';
import { ruleLimits } from '../config/config.ts';
import { printLevel } from '../config/schema/rules.ts';
import { alertJson } from '../json/alert.ts';
import { type KeySummary, keyJson, keySummary } from '../json/key.ts';
import { stringify } from '../json/stringify.ts';
import { isoTime } from '../json/time.ts';
import { type Range, lineageTotals, newestEvent, seriesOf, sketchOf } from '../stored.ts';
import { readMetrics } from '../wire/stores.ts';
import { openAlerts } from './alerts.ts';

const TOP = 8;
const SPARK_SLOTS = 60;
const SHOWN: readonly (readonly [Dimension, string])[] = [
  ['address', 'addresses'],
  ['network', 'networks'],
  ['agent', 'agents'],
  ['route', 'routes'],
  ['attempted', 'attempted keys'],
];
const QUANTILES = [0.5, 0.95, 0.99] as const;

type Shown = {
  readonly entity: EntityId;
  readonly facts: KeyFacts;
  readonly summary: KeySummary | undefined;
  readonly sketch: Sketch;
  readonly series: readonly number[];
  readonly limits: readonly { readonly rule: string; readonly limits: RuleLimits }[];
  readonly alerts: readonly Alert[];
  readonly latencyMax: number | undefined;
};

/** `keys show`. */
export async function showKey(io: Io, name: string, options: RangeOptions): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'store' });
  await using metrics = await readMetrics(config, { clock: io.clock });
  const { store } = metrics;
  const directory = new Directory(config.directory, await store.aliases());
  const range = askedRange(options, io.clock.now());
  const totals = await lineageTotals(store, directory, range, ['key', 'user', 'client', 'refused', 'late', 'network']);
  const entity = pick(
    name,
    directory,
    totals.map((one) => one.entity),
  );
  const own = totals.find((one) => one.entity === entity);
  const facts = directory.facts(entity);
  const members = own?.members ?? facts.members;
  const shown: Shown = {
    entity,
    facts,
    summary: own === undefined ? undefined : keySummary(own),
    sketch: await sketchOf(store, members, range),
    series: await seriesOf(store, members, { range, slots: SPARK_SLOTS, value: (counters) => at(counters, C.requests) }),
    limits: RULES.filter((rule) => rule.subjects.some((subject) => subject === entityKind(entity))).map((rule) => ({
      rule: rule.id,
      limits: directory.limits(rule.id, entity, ruleLimits(config, rule.id)),
    })),
    alerts: await openAlerts(config, io.clock, { entity }),
    latencyMax: own === undefined || at(own.counters, C.latencyKnown) === 0 ? undefined : at(own.counters, C.latencyMax),
  };
  if (options.json === true) await write(io.stdout, `${stringify(showJson(shown, range))}\n`);
  else await write(io.stdout, showText(io, shown, range, shown.summary === undefined ? nothingSeen(range, await newestEvent(store), io.clock.now()) : ''));
}

function pick(name: string, directory: Directory, seen: readonly EntityId[]): EntityId {
  const found = directory.find(name, seen);
  const [only, ...more] = found;
  if (only === undefined) {
    const labels = seen.map((entity) => directory.label(entity));
    throw new CliError(
      `there is no '${printable(name)}' in the inventory or among those seen in this time${didYouMean(name, labels)}; keywatch keys list shows them, --since looks further back`,
    );
  }
  if (more.length > 0) throw usageError(`'${printable(name)}' may be ${found.map((entity) => printable(entity)).join(' or ')}; give the whole id`);
  return only;
}

function showJson(shown: Shown, range: Range): unknown {
  const { sketch } = shown;
  const top = (dimension: Dimension): unknown => {
    const tally = sketch.tally(dimension);
    return {
      distinct: tally.distinct(),
      isExact: tally.isExact,
      top: tally.top(TOP).map((item) => ({ value: item.text ?? null, requests: item.count, failed: item.failed })),
    };
  };
  const ms = (us: number | undefined): number | null => (us === undefined ? null : us / 1000);
  return {
    range: { from: isoTime(range.from), to: isoTime(range.to), resolution: range.resolution },
    key: shown.summary === undefined ? null : keyJson(shown.summary),
    id: shown.entity,
    label: shown.facts.label,
    plan: shown.facts.plan ?? null,
    owner: shown.facts.owner ?? null,
    environment: shown.facts.environment ?? null,
    ids: shown.facts.members,
    limits: Object.fromEntries(shown.limits.map(({ rule, limits }) => [rule, { warning: limits.warning ?? null, critical: limits.critical ?? null }])),
    latencyMs: {
      p50: ms(sketch.latency.quantile(0.5)),
      p95: ms(sketch.latency.quantile(0.95)),
      p99: ms(sketch.latency.quantile(0.99)),
      max: ms(shown.latencyMax),
    },
    ...Object.fromEntries(SHOWN.map(([dimension, name]) => [name.replace(/ (\w)/, (_, letter: string) => letter.toUpperCase()), top(dimension)])),
    alerts: shown.alerts.map(alertJson),
  };
}

function showText(io: Io, shown: Shown, range: Range, nothing: string): string {
  const paint = painter(io.stdout);
  const width = widthOf(io);
  const { facts, summary, sketch } = shown;
  const now = io.clock.now();
  const indent = '  ';
  let out = `${paint('bold', printable(facts.label))}\n`;
  const who: (readonly [string, string])[] = [['id', facts.members.map((id) => printable(id)).join(', ')]];
  for (const [title, value] of [
    ['owner', facts.owner],
    ['plan', facts.plan],
    ['environment', facts.environment],
  ] as const) {
    if (value !== undefined) who.push([title, printable(value)]);
  }
  if (entityKind(shown.entity) === 'key' && !facts.isListed) who.push(['inventory', 'not listed; add it under keys in the configuration to give it a label']);
  out += renderFacts(who, { paint, indent });
  if (summary === undefined) return `${out}\n${nothing}`;

  out += `\n${formatTime(range.from)} to ${formatTime(range.to)}\n`;
  const { status } = summary;
  const requests: (readonly [string, string])[] = [
    ['requests', `${formatNumber(summary.requests)}   ${paint('cyan', sparkline(shown.series))}`],
    ['status', statusLine(summary)],
    [
      'errors',
      `${formatNumber(summary.errors)} (${formatPercent(summary.errors / summary.requests)})${status.aborted > 0 ? `, and ${formatNumber(status.aborted)} given up by the client` : ''}`,
    ],
    ['failed auth', formatNumber(summary.failedAuth)],
    ['bytes', `${bytesText(summary.bytesOut)} out, ${bytesText(summary.bytesIn)} in`],
    ['latency', latencyLine(sketch, shown.latencyMax)],
    ['first, last', `${formatTime(summary.first)}, ${formatTime(summary.last)} (${formatAgo(summary.last, now)})`],
  ];
  out += renderFacts(requests, { paint, indent });

  for (const [dimension, title] of SHOWN) {
    const tally = sketch.tally(dimension);
    if (tally.items.length === 0) continue;
    out += `\n${title}: ${tally.isExact ? '' : 'about '}${formatNumber(tally.distinct())}\n`;
    out += renderTable(
      [
        { title: 'value', value: (item) => item.text ?? '(text not kept)', shrinkTo: 16 },
        { title: 'requests', value: (item) => formatNumber(item.count), align: 'right' },
        { title: 'share', value: (item) => formatPercent(item.count / summary.requests), align: 'right', dropOrder: 1 },
        { title: 'failed', value: (item) => formatNumber(item.failed), align: 'right' },
      ],
      tally.top(TOP),
      { width, paint, indent },
    );
  }

  out += '\nlimits\n';
  out += renderTable(
    [
      { title: 'rule', value: ({ rule }) => rule },
      { title: 'warning', value: ({ rule, limits }) => shownLevel(rule, limits.warning), align: 'right' },
      { title: 'critical', value: ({ rule, limits }) => shownLevel(rule, limits.critical), align: 'right' },
    ],
    shown.limits,
    { width, paint, indent },
  );

  out += shown.alerts.length === 0 ? '\nno open alerts\n' : '\nopen alerts\n';
  for (const alert of shown.alerts) {
    const [first = '', ...rest] = wrap(alert.finding.why, width - 24);
    out += `${indent}${paint(SEVERITY_STYLES[alert.severity], alert.severity.padEnd(8))}  ${alert.state.padEnd(10)}  ${first}\n`;
    for (const line of rest) out += `${' '.repeat(24)}${line}\n`;
    out += `${' '.repeat(24)}${paint('dim', `for ${formatDuration(now - alert.startedAt)}; ${alert.finding.action}`)}\n`;
  }
  return out;
}

function shownLevel(rule: string, limit: number | undefined): string {
  const found = RULES.find((candidate) => candidate.id === rule);
  const level = found === undefined ? 'off' : printLevel(found, limit);
  return typeof level === 'number' ? formatNumber(level) : level;
}

function statusLine({ status }: KeySummary): string {
  const classes: readonly (readonly [string, number])[] = [
    ['1xx', status.s1xx],
    ['2xx', status.s2xx],
    ['3xx', status.s3xx],
    ['4xx', status.s4xx],
    ['5xx', status.s5xx],
    ['aborted', status.aborted],
  ];
  return classes
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${formatNumber(count)}`)
    .join('   ');
}

function latencyLine(sketch: Sketch, max: number | undefined): string {
  if (sketch.latency.quantile(0.5) === undefined) return 'not in this log';
  return `${QUANTILES.map((q) => `p${q * 100} ${formatLatency(sketch.latency.quantile(q))}`).join('   ')}   max ${formatLatency(max)}`;
}

function bytesText(bytes: number | null): string {
  return bytes === null ? 'unknown' : formatBytes(bytes);
}
