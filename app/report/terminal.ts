import { formatBytes, formatDuration, formatLatency, formatNumber, formatPercent } from '../cli/format.ts';
import type { Paint } from '../cli/style.ts';
import { clip, displayWidth, padEnd, printable, wrap } from '../cli/text.ts';
import { activityChart } from './chart-text.ts';
import type { AnalyzeReport } from './report.ts';
import { type Screen, alertLines, blindLines, keyLines, networkLines, problemLines, rejectLines, topLines } from './terminal-sections.ts';
import { suggestYaml } from './suggest.ts';
import { counted, emptyHelp, kindCountsOf, kindsCounted, listed, perText, spanText } from './words.ts';

export type TerminalOptions = {
  /** Columns; unknown or infinite (a pipe) counts as 80. Kept between 40 and 140. */
  readonly width?: number | undefined;
  readonly paint: Paint;
  /** Keys to list (`--top`). Default 10. */
  readonly top?: number | undefined;
};

const WIDTH_DEFAULT = 80;
const WIDTH_MIN = 40;
/** Wider lines are hard to follow with the eye. */
const WIDTH_MAX = 140;

/**
 * The report for a terminal. Every line fits the width, save the suggested YAML, which must stay whole to be pasted.
 * Colours only repeat what words say.
 */
export function renderTerminal(report: AnalyzeReport, options: TerminalOptions): string {
  const asked = options.width !== undefined && Number.isFinite(options.width) ? options.width : WIDTH_DEFAULT;
  const screen: Screen = { width: Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, Math.floor(asked))), paint: options.paint };
  const isEmpty = report.totals.events === 0;
  const sections: readonly (readonly string[])[] = [
    headLines(report, screen),
    ...(isEmpty
      ? [emptyLines(report, screen)]
      : [chartLines(report, screen), totalLines(report, screen), keyLines(report, options.top ?? 10, screen), alertLines(report, screen)]),
    ...(isEmpty ? [] : [networkLines(report, screen), topLines(report, screen)]),
    problemLines(report, screen),
    rejectLines(report, screen),
    ...(isEmpty ? [] : [blindLines(report, screen)]),
    suggestionLines(report, screen),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function headLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const { source, cost, range } = report;
  const shown = source.names.slice(0, 2).map(printable);
  const more = source.files - shown.length;
  const names = shown.length === 0 ? counted(source.files, 'file') : listed([...shown, ...(more > 0 ? [`${formatNumber(more)} more`] : [])]);
  const formats = Object.entries(report.formats).toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const lines = [
    `${screen.paint('bold', 'Keywatch')} ${screen.paint('dim', report.version)}  ${clip(names, screen.width - 11 - report.version.length)}`,
    `${counted(source.records, 'line')}, ${formatBytes(source.bytes)}${source.files > 1 ? ` in ${counted(source.files, 'file')}` : ''}, format ${listed(formats.map(([name, count]) => (formats.length === 1 ? printable(name) : `${printable(name)} (${formatNumber(count)})`))) || 'unknown'}`,
    ...(range === null ? [] : [`${spanText(range.from, range.to)} UTC (${formatDuration(range.to - range.from)})`]),
    `read in ${formatDuration(cost.elapsedMs)} on ${counted(cost.threads, 'thread')}, ${formatNumber(Math.round(cost.eventsPerSecond))} events/s`,
  ];
  return lines.flatMap((line, index) => (index === 0 ? [line] : wrap(line, screen.width).map((part) => clip(part, screen.width))));
}

function emptyLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  return [
    screen.paint('bold', 'No events'),
    ...emptyHelp(report).flatMap((line) => wrap(line, screen.width - 2).map((part) => `  ${clip(part, screen.width - 2)}`)),
  ];
}

function chartLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  if (report.activity === null) return [];
  const { grid } = report.activity;
  const starts = report.alerts.map((alert) => alert.startedAt);
  const title = `${screen.paint('bold', 'Requests')} ${screen.paint('dim', `per ${perText(grid.bucketMs)}${starts.length > 0 ? ', ▲ an alert begins' : ''}`)}`;
  return [title, ...activityChart(report.activity, starts, { width: screen.width - 2, paint: screen.paint }).map((line) => `  ${line}`)];
}

function totalLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  const { totals } = report;
  const { status } = totals;
  const share = (count: number): string => formatPercent(totals.requests === 0 ? null : count / totals.requests);
  const classes: readonly (readonly [string, number])[] = [
    ['1xx', status.s1xx],
    ['2xx', status.s2xx],
    ['3xx', status.s3xx],
    ['4xx', status.s4xx],
    ['5xx', status.s5xx],
    ['aborted', status.aborted],
  ];
  const bytes = (known: number | null): string => (known === null ? 'unknown' : formatBytes(known));
  const { latency } = totals;
  const facts: readonly (readonly [string, string])[] = [
    ['requests', `${formatNumber(totals.requests)} by ${kindsCounted(kindCountsOf(report.keys))}`],
    [
      'status',
      classes
        .filter(([, count]) => count > 0)
        .map(([name, count]) => `${name} ${share(count)}`)
        .join('   '),
    ],
    ['errors', `${formatNumber(totals.errors)} (${share(totals.errors)}), not counting 401, 403 and 429`],
    ['failed auth', formatNumber(totals.failedAuth)],
    ['data', `received ${bytes(totals.bytesIn)}, sent ${bytes(totals.bytesOut)}`],
    [
      'latency',
      latency === null ? 'unknown' : `p50 ${formatLatency(latency.p50Us)}   p95 ${formatLatency(latency.p95Us)}   p99 ${formatLatency(latency.p99Us)}`,
    ],
  ];
  const column = Math.max(...facts.map(([name]) => displayWidth(name))) + 2;
  const lines = facts.flatMap(([name, value]) =>
    wrap(value, screen.width - 2 - column).map(
      (part, index) => `  ${screen.paint('dim', padEnd(index === 0 ? name : '', column))}${clip(part, screen.width - 2 - column)}`,
    ),
  );
  return [screen.paint('bold', 'Totals'), ...lines];
}

function suggestionLines(report: AnalyzeReport, screen: Screen): readonly string[] {
  if (report.suggestions === undefined) return [];
  if (report.suggestions.length === 0)
    return [screen.paint('bold', 'Suggested limits'), '  None: no key has enough history, or the limits in force already fit.'].flatMap((line) =>
      wrapKeep(line, screen.width),
    );
  const head = screen.paint('bold', 'Suggested limits');
  const note = wrap("From each key's own history: its 99.9th percentile with headroom. For keywatch.yml:", screen.width - 2).map((part) =>
    screen.paint('dim', `  ${part}`),
  );
  return [head, ...note, '', suggestYaml(report.suggestions).trimEnd()];
}

function wrapKeep(line: string, width: number): readonly string[] {
  return displayWidth(line) <= width ? [line] : wrap(line.trim(), width - 2).map((part) => `  ${part}`);
}
