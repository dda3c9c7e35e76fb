import type { EpochMs } from '../../core/types.ts';
import { formatCount } from '../cli/format.ts';
import type { Paint } from '../cli/style.ts';
import { type ReportActivity, bucketOf } from './report.ts';
import { peakOf, pointOf, resample } from './series.ts';
import { minuteText } from './words.ts';

const EIGHTHS = ' ▁▂▃▄▅▆▇█';
const ROWS = 4;

/**
 * Requests over time as rows of blocks, with a time axis and a mark under each column in which an alert began.
 * Every line is at most `width` columns.
 */
export function activityChart(
  activity: ReportActivity,
  marks: readonly EpochMs[],
  options: { readonly width: number; readonly paint: Paint },
): readonly string[] {
  const { grid } = activity;
  const top = formatCount(peakOf(activity.requests));
  const gutter = top.length + 1;
  const columns = Math.max(8, options.width - gutter - 1);
  // Few buckets are drawn wide: a chart in one corner looks like missing data.
  const step = Math.max(1, Math.floor(columns / grid.buckets));
  const values = resample(activity.requests, columns);
  const width = values.length * step;
  const lines = blockRows(values, step).map((row, index) =>
    `${options.paint('dim', `${(index === 0 ? top : index === ROWS - 1 ? '0' : '').padStart(gutter - 1)} │`)}${options.paint('cyan', row.trimEnd())}`.trimEnd(),
  );
  const axis = axisLine(minuteText(grid.start), minuteText(grid.start + grid.buckets * grid.bucketMs), width);
  lines.push(options.paint('dim', ' '.repeat(gutter + 1) + axis));
  const marked = new Set(marks.map((time) => pointOf(bucketOf(grid, time), grid.buckets, values.length)));
  if (marked.size > 0) {
    const row = values.map((_, point) => (marked.has(point) ? '▲' : ' ').padEnd(step)).join('');
    lines.push(`${' '.repeat(gutter + 1)}${options.paint('red', row.trimEnd())}`);
  }
  return lines;
}

function blockRows(values: readonly number[], step: number): readonly string[] {
  const peak = peakOf(values);
  // A bucket with any request shows at least the lowest block: silence and little traffic are not the same.
  const eighths = values.map((value) => (peak === 0 || value <= 0 ? 0 : Math.max(1, Math.round((value / peak) * ROWS * 8))));
  return Array.from({ length: ROWS }, (_, row) =>
    eighths.map((height) => (EIGHTHS[Math.min(8, Math.max(0, height - (ROWS - 1 - row) * 8))] ?? ' ').repeat(step)).join(''),
  );
}

function axisLine(start: string, end: string, width: number): string {
  const room = width - start.length - end.length;
  return room < 2 ? start.slice(0, Math.max(width, 16)) : `${start}${' '.repeat(room)}${end}`;
}
