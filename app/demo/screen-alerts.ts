import type { DurationMs } from '../../core/types.ts';
import { formatDuration } from '../cli/format.ts';
import { type Paint, SEVERITY_STYLES, type Style } from '../cli/style.ts';
import { printable } from '../cli/text.ts';
import { cell, line } from './line.ts';
import { clock, type FeedAlert, type ScreenModel } from './screen-model.ts';

const SEVERITY_COLUMNS = 9;
/** `+12:34`, how long the attack had lasted. */
const AFTER_COLUMNS = 8;

/** The feed of alerts, newest first, in `rows` lines with the heading and a blank one at the end. */
export function alertLines(model: ScreenModel, rows: number, columns: number, paint: Paint): readonly string[] {
  if (rows < 2) return [];
  const lines = [line([' ', ['ALERTS', 'bold'], ['  as they fire, and how long the attack had lasted', 'dim']], columns, paint)];
  // Each takes one line, or two where there is room for the rule and the attack as well.
  const isTall = model.alerts.length > 0 && model.alerts.length * 2 <= rows - 2;
  for (const alert of model.alerts.slice(0, rows - 2)) {
    lines.push(alertLine(alert, columns, paint));
    if (isTall) lines.push(line([' '.repeat(11 + SEVERITY_COLUMNS + AFTER_COLUMNS), [origin(alert), 'dim']], columns, paint));
  }
  if (model.alerts.length === 0) lines.push(line([' ', ['none: every key behaves', 'dim']], columns, paint));
  while (lines.length < rows) lines.push('');
  return lines.slice(0, rows);
}

function alertLine(alert: FeedAlert, columns: number, paint: Paint): string {
  const isOver = alert.kind === 'resolved';
  const style: Style = isOver ? 'green' : SEVERITY_STYLES[alert.severity];
  return line(
    [
      ' ',
      [clock(alert.at), 'dim'],
      ' ',
      [cell(isOver ? 'RESOLVED' : alert.severity.toUpperCase(), SEVERITY_COLUMNS), isOver ? style : ['bold', style]],
      [cell(alert.afterMs === undefined || isOver ? '' : `+${minutes(alert.afterMs)}`, AFTER_COLUMNS), 'dim'],
      [printable(alert.label), 'bold'],
      '  ',
      [printable(alert.why), isOver ? 'dim' : undefined],
    ],
    columns,
    paint,
  );
}

function origin(given: FeedAlert): string {
  const alert = { ...given, rule: printable(given.rule), attack: given.attack === undefined ? undefined : printable(given.attack) };
  if (alert.attack === undefined) return `${alert.rule}, belongs to no attack`;
  return alert.afterMs === undefined || alert.kind === 'resolved'
    ? `${alert.rule}, ${alert.attack}`
    : `${alert.rule}, ${formatDuration(alert.afterMs)} after the ${alert.attack} began`;
}

function minutes(ms: DurationMs): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
