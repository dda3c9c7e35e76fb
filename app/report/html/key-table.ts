import type { EntityId, EpochMs, Severity } from '../../../core/types.ts';
import { formatBytes, formatNumber, formatPercent } from '../../cli/format.ts';
import { type AnalyzeReport, type ReportKey, firstKeys } from '../report.ts';
import { type AlertGroup, capitalised, dayText, kindCounts, kindsNamed, minuteText } from '../words.ts';
import { sparkSvg } from './chart.ts';
import { type Markup, html } from './markup.ts';
import { type Head, alertAnchor, section, table } from './tables.ts';

/** More rows make the file heavy and help nobody; `--json` has them all. */
export const HTML_KEYS_MAX = 500;

type KeyColumn = { readonly head: Head; readonly cell: (key: ReportKey) => Markup };
/** The worst alert of a key and the row that tells of it. */
type KeyAlert = { readonly index: number; readonly severity: Severity };

/** Who: the keys with most requests, to be sorted and filtered where scripts run. What the log does not show has no column. */
export function keySection(report: AnalyzeReport, groups: readonly AlertGroup[]): Markup {
  const keys = firstKeys(report.keys, HTML_KEYS_MAX);
  const named = capitalised(kindsNamed(kindCounts(keys.map((key) => key.id))));
  const columns = keyColumns(report, keys, worstAlerts(groups));
  const rows = keys.map(
    (key) =>
      html`<tr data-find="${key.id}">
        ${columns.map((column) => column.cell(key))}
      </tr>`,
  );
  const hidden = report.keys.length - keys.length;
  const note =
    hidden > 0 ? `the ${formatNumber(keys.length)} with most requests; ${formatNumber(hidden)} more are in keywatch analyze --json` : formatNumber(keys.length);
  return section(named, note, table({ label: named, heads: columns.map((column) => column.head), rows, hasTools: true }));
}

/** Groups come most severe first, so the first one of an entity is its worst. */
function worstAlerts(groups: readonly AlertGroup[]): ReadonlyMap<EntityId, KeyAlert> {
  const worst = new Map<EntityId, KeyAlert>();
  groups.forEach(({ worst: { entity, severity } }, index) => {
    if (!worst.has(entity)) worst.set(entity, { index, severity });
  });
  return worst;
}

function keyColumns(report: AnalyzeReport, keys: readonly ReportKey[], alerts: ReadonlyMap<EntityId, KeyAlert>): readonly KeyColumn[] {
  const isKnown = (value: (key: ReportKey) => unknown): boolean => keys.some((key) => value(key) !== null && value(key) !== undefined);
  const years = new Set([report.range?.from ?? 0, report.range?.to ?? 0].map((time) => new Date(time).getUTCFullYear()));
  const timeText = years.size === 1 ? dayText : minuteText;
  const isMixed = new Set(keys.map((key) => key.kind)).size > 1;
  const columns: (KeyColumn | undefined)[] = [
    { head: { title: 'Name', sort: 'text' }, cell: (key) => nameCell(key, alerts.get(key.id), isMixed) },
    numbers('Requests', (key) => key.requests, formatNumber),
    { head: { title: 'Errors', isNumber: true, sort: 'number' }, cell: errorCell },
    numbers('Failed auth', (key) => key.failedAuth, formatNumber),
    isKnown((key) => key.bytesIn) ? numbers('Received', (key) => key.bytesIn, formatBytes) : undefined,
    isKnown((key) => key.bytesOut) ? numbers('Sent', (key) => key.bytesOut, formatBytes) : undefined,
    // A client is one address: counting it would fill a column with ones.
    keys.some((key) => key.kind !== 'client' && key.clients !== null) ? numbers('Clients', (key) => key.clients, formatNumber) : undefined,
    times('First seen', (key) => key.first, timeText),
    times('Last seen', (key) => key.last, timeText),
    isKnown((key) => key.series) ? { head: { title: 'Activity' }, cell: activityCell } : undefined,
  ];
  return columns.filter((column) => column !== undefined);
}

function nameCell(key: ReportKey, alert: KeyAlert | undefined, isMixed: boolean): Markup {
  const badge = alert === undefined ? undefined : html` <a class="tag ${alert.severity}" href="#${alertAnchor(alert.index)}">${alert.severity}</a>`;
  const kind = key.kind === 'key' || !isMixed ? undefined : html`<small>${key.kind}</small>`;
  const [name, agent] = nameParts(key);
  return html`<th scope="row" title="${key.id}">${name}${badge}${agent === '' ? undefined : html`<small class="agent">${agent}</small>`}${kind}</th>`;
}

/** A client is called by its address and agent; the agent is long and matters less. */
function nameParts(key: ReportKey): readonly [name: string, agent: string] {
  const found = key.kind === 'client' ? /^([0-9a-f.:]+) (.+)$/is.exec(key.label) : null;
  return found === null ? [key.label, ''] : [found[1] ?? '', found[2] ?? ''];
}

function numbers(title: string, value: (key: ReportKey) => number | null, format: (value: number | null) => string): KeyColumn {
  return { head: { title, isNumber: true, sort: 'number' }, cell: (key) => html`<td class="num" data-v="${value(key) ?? ''}">${format(value(key))}</td>` };
}

function errorCell(key: ReportKey): Markup {
  const rate = key.requests === 0 ? null : key.errors / key.requests;
  const tone = key.requests < 50 || rate === null ? '' : rate > 0.1 ? ' bad' : rate > 0.05 ? ' warn' : '';
  return html`<td class="num${tone}" data-v="${rate ?? ''}">${formatPercent(rate)}</td>`;
}

function times(title: string, value: (key: ReportKey) => EpochMs | null, format: (time: EpochMs) => string): KeyColumn {
  return {
    head: { title, sort: 'text' },
    cell: (key) => {
      const time = value(key);
      return html`<td class="time" data-v="${time === null ? '' : new Date(time).toISOString()}">${time === null ? '–' : format(time)}</td>`;
    },
  };
}

function activityCell(key: ReportKey): Markup {
  return html`<td>${key.series === undefined ? undefined : sparkSvg(key.series, `Requests of ${key.label} over the whole range`)}</td>`;
}
