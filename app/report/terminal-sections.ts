import { formatBytes, formatCount, formatNumber, formatPercent, sparkline } from '../cli/format.ts';
import { type Paint, SEVERITY_STYLES } from '../cli/style.ts';
import { type Column, renderTable } from '../cli/table.ts';
import { clip, clipMiddle, displayWidth, printable, wrap } from '../cli/text.ts';
import { type AnalyzeReport, type ReportKey, type ReportTopItem, firstKeys } from './report.ts';
import { resample } from './series.ts';
import {
  type AlertGroup,
  alertGroups,
  capitalised,
  counted,
  kindCounts,
  kindsNamed,
  rejectWords,
  ruleTitle,
  severitiesCounted,
  spanText,
  verdict,
} from './words.ts';

/** What every section needs to know of the place it is printed to. */
export type Screen = { readonly width: number; readonly paint: Paint };

const ALERT_GROUPS_MAX = 12;
const NETWORKS_MAX = 5;
const TOP_MAX = 5;
const SOURCES_MAX = 6;
const PROBLEMS_MAX = 10;
const SPARK_COLUMNS = { narrow: 12, wide: 24 } as const;

export function keyLines(report: AnalyzeReport, top: number, screen: Screen): readonly string[] {
  const rows = firstKeys(report.keys, top);
  if (rows.length === 0) return [];
  const named = kindsNamed(kindCounts(rows.map((key) => key.id)));
  const title = rows.length < report.keys.length ? `Top ${named}` : capitalised(named);
  const note = rows.length < report.keys.length ? `${formatNumber(rows.length)} of ${formatNumber(report.keys.length)}` : formatNumber(rows.length);
  return [heading(title, note, screen), ...tableLines(keyColumns(rows, screen), rows, screen)];
}

function keyColumns(rows: readonly ReportKey[], screen: Screen): readonly Column<ReportKey>[] {
  const isWide = screen.width >= 100;
  const spark = isWide ? SPARK_COLUMNS.wide : SPARK_COLUMNS.narrow;
  const isKnown = (value: (key: ReportKey) => unknown): boolean => rows.some((key) => value(key) !== null && value(key) !== undefined);
  const columns: (Column<ReportKey> | undefined)[] = [
    { title: 'name', value: (key) => key.label, shrinkTo: 16 },
    { title: 'requests', value: (key) => formatCount(key.requests), align: 'right' },
    { title: 'errors', value: (key) => formatPercent(key.requests === 0 ? null : key.errors / key.requests), align: 'right', dropOrder: 5, style: errorStyle },
    // A column of zeros only takes room from the names; the totals say it once.
    rows.some((key) => key.failedAuth > 0) ? { title: 'failed auth', value: (key) => formatCount(key.failedAuth), align: 'right', dropOrder: 4 } : undefined,
    isKnown((key) => key.bytesIn) ? { title: 'received', value: (key) => formatBytes(key.bytesIn), align: 'right', dropOrder: 1 } : undefined,
    isKnown((key) => key.bytesOut) ? { title: 'sent', value: (key) => formatBytes(key.bytesOut), align: 'right', dropOrder: 6 } : undefined,
    rows.some((key) => key.kind !== 'client') && isKnown((key) => key.clients)
      ? { title: 'clients', value: (key) => formatCount(key.clients), align: 'right', dropOrder: 2 }
      : undefined,
    isKnown((key) => key.series)
      ? { title: 'activity', value: (key) => sparkline(resample(key.series ?? [], spark)), isOurs: true, dropOrder: 3, style: () => 'cyan' }
      : undefined,
  ];
  return columns.filter((column) => column !== undefined);
}

function errorStyle(key: ReportKey): 'red' | 'yellow' | undefined {
  const rate = key.requests < 50 ? 0 : key.errors / key.requests;
  return rate > 0.1 ? 'red' : rate > 0.05 ? 'yellow' : undefined;
}

export function alertLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const lines = [heading('Alerts', severitiesCounted(report.alerts), screen), ...indented(verdict(report), screen)];
  if (report.rules.length > 0) {
    const rules = report.rules.map((rule) => ({ ...rule, title: ruleTitle(rule.rule) }));
    lines.push(
      '',
      ...tableLines(
        [
          { title: 'rule', value: (row) => row.title, shrinkTo: 12, style: (row) => (row.alerts === 0 ? 'dim' : undefined) },
          { title: 'alerts', value: (row) => formatNumber(row.alerts), align: 'right' },
          { title: 'critical', value: (row) => formatNumber(row.criticals), align: 'right', dropOrder: 1 },
          { title: 'affected', value: (row) => formatNumber(row.keys), align: 'right', dropOrder: 2 },
          ...(rules.some((row) => row.description !== undefined)
            ? [{ title: 'limits', value: (row: (typeof rules)[number]) => row.description ?? '', shrinkTo: 12, dropOrder: 0 }]
            : []),
        ],
        rules,
        screen,
      ),
    );
  }
  const groups = alertGroups(report.alerts);
  for (const group of groups.slice(0, ALERT_GROUPS_MAX)) lines.push('', ...groupLines(group, screen));
  const hidden = groups.length - ALERT_GROUPS_MAX;
  if (hidden > 0) lines.push('', ...indented(`${formatNumber(hidden)} more of this kind, less severe: see --html or --json.`, screen, { style: 'dim' }));
  return lines;
}

/** Severity and what it is about, the sentence, then when and what to do. */
function groupLines(group: AlertGroup, screen: Screen): readonly string[] {
  const { worst, alerts } = group;
  const badge = worst.severity.toUpperCase();
  const rule = ruleTitle(worst.rule);
  const label = clip(printable(worst.label), Math.max(12, screen.width - badge.length - rule.length - 8));
  const head = `  ${screen.paint(SEVERITY_STYLES[worst.severity], badge)}  ${screen.paint('bold', rule)}  ${label}`;
  const times = alerts.length === 1 ? '' : `${counted(alerts.length, 'alert')}, `;
  const open = alerts.some((alert) => alert.state !== 'resolved') ? ', open where the log ends' : '';
  return [
    displayWidth(head) > screen.width ? clip(head, screen.width) : head,
    ...indented(worst.finding.why, screen, { by: 4 }),
    ...indented(`${times}${spanText(group.from, group.to)}${open}. To do: ${worst.finding.action}.`, screen, { by: 4, style: 'dim' }),
  ];
}

export function networkLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const rows = report.networks.slice(0, NETWORKS_MAX);
  if (rows.length === 0) return [];
  return [
    heading('Failed authentication by network', partOf(rows, report.networks), screen),
    ...tableLines(
      [
        { title: 'network', value: (row) => row.label, shrinkTo: 14, isMiddleCut: true },
        { title: 'failures', value: (row) => formatNumber(row.failedAuth), align: 'right' },
        { title: 'keys tried', value: (row) => formatNumber(row.credentials), align: 'right', dropOrder: 1 },
        { title: 'seen', value: (row) => (row.first === null || row.last === null ? '–' : spanText(row.first, row.last)), dropOrder: 0 },
      ],
      rows,
      screen,
    ),
  ];
}

export function topLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const part = (title: string, items: readonly ReportTopItem[]): readonly string[] => {
    if (items.length === 0) return [];
    const columns: readonly Column<ReportTopItem>[] = [
      { title, value: (row) => row.value, shrinkTo: 16 },
      { title: 'requests', value: (row) => formatNumber(row.requests), align: 'right' },
      {
        title: 'share',
        value: (row) => formatPercent(report.totals.requests === 0 ? null : row.requests / report.totals.requests),
        align: 'right',
        dropOrder: 1,
      },
    ];
    return tableLines(columns, items.slice(0, TOP_MAX), screen);
  };
  const parts = [part('route', report.top.routes), part('user agent', report.top.agents), part('country', report.top.countries)].filter(
    (lines) => lines.length > 0,
  );
  if (parts.length === 0) return [];
  return [heading('Most used', '', screen), ...parts.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))];
}

export function problemLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  if (report.problems.length === 0) return [];
  const shown = report.problems.slice(0, PROBLEMS_MAX).flatMap((problem) => indented(problem, screen));
  const hidden = report.problems.length - PROBLEMS_MAX;
  return [
    heading('Could not be read', formatNumber(report.problems.length), screen),
    ...shown,
    ...(hidden > 0 ? indented(`and ${formatNumber(hidden)} more`, screen, { style: 'dim' }) : []),
  ];
}

export function rejectLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const { rejected, dropped } = report.totals;
  if (rejected === 0 && dropped === 0) return [];
  const note = [
    ...(rejected > 0 ? [`${counted(rejected, 'line')} rejected`] : []),
    ...(dropped > 0 ? [`${counted(dropped, 'line')} passed over on purpose`] : []),
  ].join(', ');
  if (report.rejects.length === 0) return [heading('Not counted', note, screen)];
  return [
    heading('Not counted', note, screen),
    ...tableLines(
      [
        { title: 'why', value: (row) => rejectWords(row.reason), shrinkTo: 14 },
        { title: 'lines', value: (row) => formatNumber(row.count), align: 'right' },
        { title: 'first in', value: (row) => row.first.source, shrinkTo: 10, isMiddleCut: true, dropOrder: 1 },
        { title: 'at byte', value: (row) => formatNumber(row.first.position), align: 'right', dropOrder: 0 },
      ],
      report.rejects.toSorted((a, b) => b.count - a.count),
      screen,
    ),
  ];
}

/** Sources that are blind in the same way are named together: forty rotated files have one gap, not forty. */
export function blindLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const groups = [...Map.groupBy(report.coverage, (covered) => `${covered.format}\n${covered.blind.join('\n')}`).values()].filter(
    (sources) => (sources[0]?.blind.length ?? 0) > 0,
  );
  if (groups.length === 0) return [];
  const lines = [heading('What this log cannot show', '', screen)];
  for (const sources of groups.slice(0, SOURCES_MAX)) {
    const first = sources[0];
    if (first === undefined) continue;
    const more = sources.length - 1;
    const name = `${clipMiddle(printable(first.source), Math.max(10, screen.width - 40))}${more > 0 ? ` and ${formatNumber(more)} more` : ''}`;
    lines.push(screen.paint('dim', clip(`  ${name} (${printable(first.format)})`, screen.width)));
    for (const sentence of first.blind) lines.push(...bullet(sentence, screen));
  }
  const hidden = groups.length - SOURCES_MAX;
  if (hidden > 0) lines.push(...indented(`and ${formatNumber(hidden)} more sources: see --html or --json.`, screen, { style: 'dim' }));
  return lines;
}

function bullet(sentence: string, screen: Screen): readonly string[] {
  return wrap(printable(sentence), screen.width - 4).map((part, index) => `  ${index === 0 ? '-' : ' '} ${clip(part, screen.width - 4)}`);
}

function heading(title: string, note: string, screen: Screen): string {
  return note === '' ? screen.paint('bold', title) : `${screen.paint('bold', title)}  ${screen.paint('dim', clip(note, screen.width - title.length - 2))}`;
}

function indented(text: string, screen: Screen, options: { readonly by?: number; readonly style?: 'dim' } = {}): readonly string[] {
  const by = options.by ?? 2;
  return wrap(printable(text), screen.width - by).map((part) => {
    const line = `${' '.repeat(by)}${clip(part, screen.width - by)}`;
    return options.style === undefined ? line : screen.paint(options.style, line);
  });
}

function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], screen: Screen): readonly string[] {
  return renderTable(columns, rows, { width: screen.width, paint: screen.paint, indent: '  ' }).trimEnd().split('\n');
}

function partOf(shown: readonly unknown[], all: readonly unknown[]): string {
  return shown.length < all.length ? `${formatNumber(shown.length)} of ${formatNumber(all.length)}` : formatNumber(all.length);
}
