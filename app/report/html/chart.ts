import type { Severity } from '../../../core/types.ts';
import { formatBytes, formatCount } from '../../cli/format.ts';
import { type ActivityGrid, bucketOf } from '../report.ts';
import { peakOf, resample } from '../series.ts';
import { minuteText } from '../words.ts';
import { type Markup, html, raw } from './markup.ts';

/** One set of bars. Later layers are drawn over earlier ones, from the same ground. */
export type Layer = { readonly name: string; readonly color: string; readonly values: ArrayLike<number> };

/** Where an alert began; leads to its row. */
export type Mark = { readonly at: number; readonly severity: Severity; readonly href: string; readonly text: string };

export type TimeChart = {
  readonly title: string;
  /** One sentence that says what the picture shows, for those who do not see it. */
  readonly summary: string;
  readonly grid: ActivityGrid;
  readonly layers: readonly Layer[];
  readonly unit: 'count' | 'bytes';
  readonly isTall?: boolean;
  readonly marks?: readonly Mark[];
};

const MARKS_MAX = 200;
const HEIGHT = 100;

/**
 * Bars over time as a figure. The picture is stretched to its place, so axis labels and marks stand beside it as
 * text: they stay readable at every width, on paper, and without a script.
 */
export function timeChart(chart: TimeChart): Markup {
  const { grid, layers } = chart;
  const peak = Math.max(1, ...layers.map((layer) => peakOf(layer.values)));
  const top = niceCeiling(peak, chart.unit);
  const end = grid.start + grid.buckets * grid.bucketMs;
  const format = formatter(chart);
  const marks = (chart.marks ?? []).slice(0, MARKS_MAX);
  return html`<figure class="card">
    <figcaption><strong>${chart.title}</strong><span>${chart.summary}</span></figcaption>
    <div class="plot${chart.isTall === true ? ' tall' : ''}">
      <div class="y" aria-hidden="true"><span>${format(top)}</span><span>${format(top / 2)}</span><span>0</span></div>
      <div class="area">
        <svg viewBox="0 0 ${grid.buckets} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${`${chart.title}. ${chart.summary}`}">
          ${layers.map((layer) => html`<path fill="var(--${layer.color})" d="${raw(barPath(layer.values, top))}" />`)}${hits(chart)}
        </svg>
      </div>
      ${marks.length === 0 ? undefined : html`<div class="marks">${marks.map((mark) => markLink(mark, grid))}</div>`}
      <div class="x" aria-hidden="true">${ticks(grid.start, end).map((tick) => html`<span>${tick}</span>`)}</div>
    </div>
    ${
      layers.length < 2 && marks.length === 0
        ? undefined
        : html`<ul class="legend">
            ${layers.map((layer) => html`<li><span class="swatch" style="background:var(--${layer.color})"></span>${layer.name}</li>`)}${
              marks.length === 0
                ? undefined
                : html`<li><span class="swatch dot" style="background:var(--amber)"></span>an alert begins</li>
                    <li><span class="swatch dot" style="background:var(--red)"></span>a critical one</li>`
            }
          </ul>`
    }
  </figure>`;
}

function formatter(chart: TimeChart): (value: number) => string {
  return chart.unit === 'bytes' ? formatBytes : (value) => formatCount(Math.round(value));
}

/** All bars of a layer as one path: a hundred elements less in the page. */
function barPath(values: ArrayLike<number>, top: number): string {
  let path = '';
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value <= 0) continue;
    // A bar of less than half a unit would vanish, and with it the fact that there was something.
    const height = Math.max(0.6, (value / top) * HEIGHT);
    path += `M${i + 0.06} ${HEIGHT}v-${round(height)}h.88v${round(height)}z`;
  }
  return path;
}

/** Invisible columns whose titles browsers show on hover. */
function hits(chart: TimeChart): readonly Markup[] {
  const { grid, layers } = chart;
  const format = formatter(chart);
  return Array.from({ length: grid.buckets }, (_, bucket) => {
    const values = layers.map((layer) => `${layer.name} ${format(layer.values[bucket] ?? 0)}`).join(', ');
    return html`<rect class="hit" x="${bucket}" width="1" height="${HEIGHT}"
      ><title>${`${minuteText(grid.start + bucket * grid.bucketMs)} UTC: ${values}`}</title></rect
    >`;
  });
}

function markLink(mark: Mark, grid: ActivityGrid): Markup {
  const bucket = Math.min(grid.buckets - 1, Math.max(0, bucketOf(grid, mark.at)));
  return html`<a
    class="${mark.severity}"
    style="left:${round(((bucket + 0.5) / grid.buckets) * 100)}%"
    href="${mark.href}"
    title="${mark.text}"
    aria-label="${mark.text}"
  ></a>`;
}

/** Start, middle and end; the day only where it is new, the year only where it changes. */
function ticks(start: number, end: number): readonly string[] {
  const texts = [start, (start + end) / 2, end].map(minuteText);
  const isOneYear = texts[0]?.slice(0, 4) === texts[2]?.slice(0, 4);
  return texts.map((text, index) => (index > 0 && text.slice(0, 10) === texts[index - 1]?.slice(0, 10) ? text.slice(11) : text.slice(isOneYear ? 5 : 0)));
}

/** The next value whose half is as easy to read: 2, 4, 6, 8 or 10 times a power of ten, for bytes within their unit. */
export function niceCeiling(value: number, unit: 'count' | 'bytes'): number {
  if (unit === 'bytes' && value > 1) {
    const size = 1024 ** Math.floor(Math.log2(value) / 10);
    return Math.max(1, niceCeiling(value / size, 'count')) * size;
  }
  if (value <= 2) return 2;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8].find((step) => step * power >= value) ?? 10) * power;
}

const SPARK_POINTS = 48;
const SPARK_HEIGHT = 24;

/** A key's activity, small enough for a table cell. The caller's column says what it is. */
export function sparkSvg(series: ArrayLike<number>, label: string): Markup {
  const values = resample(series, SPARK_POINTS);
  const top = Math.max(1, peakOf(values));
  // One outline in whole units: with hundreds of keys this is most of the file.
  let path = `M0 ${SPARK_HEIGHT}`;
  for (const value of values) path += `V${value <= 0 ? SPARK_HEIGHT : SPARK_HEIGHT - Math.max(1, Math.round((value / top) * SPARK_HEIGHT))}h1`;
  path += `V${SPARK_HEIGHT}z`;
  return html`<svg class="spark" viewBox="0 0 ${values.length} ${SPARK_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}">
    <path fill="var(--requests)" d="${raw(path)}" />
  </svg>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Shares of one whole as a bar with its legend. */
export function shareBar(options: {
  readonly title: string;
  readonly summary: string;
  readonly parts: readonly { readonly name: string; readonly color: string; readonly value: number; readonly text: string }[];
}): Markup {
  const total = options.parts.reduce((sum, part) => sum + part.value, 0);
  const parts = options.parts.filter((part) => part.value > 0);
  return html`<figure class="card">
    <figcaption><strong>${options.title}</strong><span>${options.summary}</span></figcaption>
    <div class="stack" role="img" aria-label="${`${options.title}. ${options.summary}`}">
      ${parts.map((part) => html`<span style="flex:${part.value / Math.max(1, total)} 0 0;background:var(--${part.color})" title="${`${part.name} ${part.text}`}"></span>`)}
    </div>
    <ul class="legend">
      ${parts.map((part) => html`<li><span class="swatch" style="background:var(--${part.color})"></span>${part.name} <b>${part.text}</b></li>`)}
    </ul>
  </figure>`;
}
