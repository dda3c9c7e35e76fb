import { formatCount, formatPercent, sparkline, UNKNOWN } from '../cli/format.ts';
import type { Paint, Style } from '../cli/style.ts';
import { cell, line } from './line.ts';
import type { ScreenModel } from './screen-model.ts';
import type { DemoKey } from './types.ts';

const RATE_COLUMNS = 7;
const SHARE_COLUMNS = 8;
const CLIENT_COLUMNS = 8;
/** Shares over it are coloured: the warning limit of the shipped rule. */
const ERROR_SHARE_WARNING = 0.05;

/** The busiest keys of the moment, one a line, in `rows` lines with the heading and a blank one at the end. */
export function keyLines(model: ScreenModel, rows: number, columns: number, paint: Paint): readonly string[] {
  if (rows < 2) return [];
  const label = Math.max(10, Math.min(30, Math.floor(columns * 0.28)));
  const chart = Math.max(4, columns - label - RATE_COLUMNS - SHARE_COLUMNS - CLIENT_COLUMNS - 4);
  const lines = [
    line(
      [
        ' ',
        [cell('TOP KEYS', label), 'bold'],
        ' ',
        [cell('requests per minute', chart), 'dim'],
        [cell('/min', RATE_COLUMNS, 'right'), 'dim'],
        [cell('errors', SHARE_COLUMNS, 'right'), 'dim'],
        [cell('clients', CLIENT_COLUMNS, 'right'), 'dim'],
      ],
      columns,
      paint,
    ),
  ];
  const alerting = new Map(model.alerts.filter((alert) => alert.kind !== 'resolved').map((alert) => [alert.label, alert.severity]));
  for (const key of model.stats.top.slice(0, rows - 2)) {
    const severity = alerting.get(key.label);
    const style: Style | undefined = severity === 'critical' ? 'red' : severity === undefined ? undefined : 'yellow';
    lines.push(keyLine(key, { label, chart, style, columns, paint }));
  }
  if (model.stats.top.length === 0) lines.push(line([' ', ['waiting for the first lines', 'dim']], columns, paint));
  while (lines.length < rows) lines.push('');
  return lines;
}

function keyLine(
  key: DemoKey,
  look: { readonly label: number; readonly chart: number; readonly style: Style | undefined; readonly columns: number; readonly paint: Paint },
): string {
  const minutes = key.minutes.slice(-look.chart);
  // The growing minute says nothing yet; the one before it is the rate.
  const rate = key.minutes.at(-2) ?? key.minutes.at(-1) ?? 0;
  const isBad = (key.errorShare ?? 0) > ERROR_SHARE_WARNING;
  return line(
    [
      ' ',
      [cell(key.label, look.label), look.style],
      ' ',
      [sparkline(minutes).padEnd(look.chart), look.style ?? 'cyan'],
      cell(formatCount(rate), RATE_COLUMNS, 'right'),
      [cell(key.errorShare === undefined ? UNKNOWN : formatPercent(key.errorShare), SHARE_COLUMNS, 'right'), isBad ? 'red' : undefined],
      cell(formatCount(key.addresses), CLIENT_COLUMNS, 'right'),
    ],
    look.columns,
    look.paint,
  );
}
