import { formatBytes, formatCount, formatDuration } from '../cli/format.ts';
import type { Paint } from '../cli/style.ts';
import { alertLines } from './screen-alerts.ts';
import { attackLines, attackSummary } from './screen-attacks.ts';
import { keyLines } from './screen-keys.ts';
import { messageLines } from './screen-messages.ts';
import { line, type Segment, spread, widthOf } from './line.ts';
import { clock, type ScreenModel } from './screen-model.ts';

export type ScreenSize = { readonly columns: number; readonly rows: number; readonly paint: Paint };

/** Columns and rows under which only the head and the attacks are shown. */
const ROWS_FULL_MIN = 22;

/** The whole screen: exactly `rows` lines, none wider than `columns`. */
export function renderScreen(model: ScreenModel, size: ScreenSize): readonly string[] {
  const { columns, rows, paint } = size;
  const head = headLines(model, columns, paint);
  const isFull = rows >= ROWS_FULL_MIN;
  const attacks = isFull ? attackLines(model, columns, paint) : [attackSummary(model, columns, paint)];
  const room = rows - head.length - attacks.length;
  const middle = isFull
    ? middleLines(model, room, columns, paint)
    : [...keyLines(model, Math.max(0, Math.ceil(room / 2)), columns, paint), ...alertLines(model, Math.max(0, Math.floor(room / 2)), columns, paint)];
  const lines = [...head, ...middle.slice(0, Math.max(0, room))];
  while (lines.length < rows - attacks.length) lines.push('');
  return [...lines, ...attacks].slice(0, rows);
}

/** Keys, alerts and messages share what is left, about a third each; messages need their frame. */
function middleLines(model: ScreenModel, room: number, columns: number, paint: Paint): readonly string[] {
  const messages = Math.max(5, Math.min(14, Math.round(room * 0.36)));
  const keys = Math.max(3, Math.min(13, Math.round((room - messages) * 0.5)));
  const alerts = room - messages - keys;
  return [...keyLines(model, keys, columns, paint), ...alertLines(model, alerts, columns, paint), ...messageLines(model, messages, columns, paint)];
}

const PROGRESS_COLUMNS = 20;
/** Less is what was written a moment ago. */
const BEHIND_BYTES_SHOWN = 4 * 1024 * 1024;

function headLines(model: ScreenModel, columns: number, paint: Paint): readonly string[] {
  return [titleLine(model, columns, paint), countLine(model, columns, paint), ''];
}

/** Where we are in time. The clock and what is left stay when there is room for little else. */
function titleLine(model: ScreenModel, columns: number, paint: Paint): string {
  const spanMs = model.end - model.start;
  const share = Math.max(0, Math.min(1, (model.now - model.start) / spanMs));
  const leftMs = Math.max(0, model.end - model.now) / model.speed;
  const rest = ` ${model.note ?? `${Math.ceil(leftMs / 1000)} s left`} `;
  const name: readonly Segment[] = [
    [' KEYWATCH ', ['bold', 'inverse']],
    [' demo', 'bold'],
  ];
  const about: Segment = [`  ${formatDuration(spanMs)} of traffic in ${formatDuration(Math.round(spanMs / model.speed / 1000) * 1000)}`, 'dim'];
  const time: readonly Segment[] = [clock(model.now), [`  ×${model.speed}  `, 'dim']];
  const bar = (size: number): readonly Segment[] => {
    const full = Math.round(share * size);
    return [
      ['━'.repeat(full), 'cyan'],
      ['━'.repeat(size - full), 'dim'],
    ];
  };
  const choices: readonly (readonly [left: readonly Segment[], right: readonly Segment[]])[] = [
    [
      [...name, about],
      [...time, ...bar(PROGRESS_COLUMNS), rest],
    ],
    [name, [...time, ...bar(PROGRESS_COLUMNS), rest]],
    [name, [clock(model.now), '  ', ...bar(PROGRESS_COLUMNS / 2), rest]],
  ];
  const [left, right] = choices.find(([a, b]) => widthOf(a) + widthOf(b) + 2 <= columns) ?? [name, [rest]];
  return spread(left, right, columns, paint);
}

function countLine(model: ScreenModel, columns: number, paint: Paint): string {
  const { stats } = model;
  return line(
    [
      ' ',
      [String(model.openAlerts), model.openAlerts > 0 ? ['bold', 'red'] : 'bold'],
      model.openAlerts === 1 ? ' open alert   ' : ' open alerts   ',
      [formatCount(stats.events), 'bold'],
      ' events   ',
      [`${formatCount(Math.round(model.eventsPerSecond))}/s`, 'bold'],
      '   lag ',
      [formatDuration(Math.round(model.lagMs)), 'bold'],
      ...(stats.behindBytes < BEHIND_BYTES_SHOWN ? [] : [`, ${formatBytes(stats.behindBytes)} behind`]),
      '   ',
      [formatCount(stats.entities), 'bold'],
      ' keys and clients   ',
      [formatCount(stats.rejected), 'bold'],
      ' lines refused',
    ],
    columns,
    paint,
  );
}
