import { severityRank } from '../../../core/types.ts';
import { formatBytes, formatCount, formatLatency, formatNumber, formatPercent } from '../../cli/format.ts';
import type { AnalyzeReport, ReportActivity } from '../report.ts';
import { peakOf } from '../series.ts';
import { type AlertGroup, counted, emptyHelp, kindCountsOf, kindsCounted, minuteText, perText, ruleTitle, severitiesCounted, verdict } from '../words.ts';
import { type Mark, shareBar, timeChart } from './chart.ts';
import { type Markup, html } from './markup.ts';
import { alertAnchor } from './tables.ts';

/** Why there is nothing to show, and what to try. */
export function emptyPart(report: AnalyzeReport): Markup {
  return html`<section class="verdict medium">
    <p><strong>No events were found.</strong></p>
    ${emptyHelp(report).map((line) => html`<p>${line}</p>`)}
  </section>`;
}

/** The answer first: is something wrong. */
export function verdictPart(report: AnalyzeReport, isLive: boolean): Markup {
  const worst = Math.max(-1, ...report.alerts.map((alert) => severityRank(alert.severity)));
  const tone = worst < 0 ? 'calm' : worst >= severityRank('high') ? 'critical' : 'medium';
  const rules = report.rules.filter((rule) => rule.alerts > 0).map((rule) => `${ruleTitle(rule.rule)} ${formatNumber(rule.alerts)}`);
  const detail =
    report.alerts.length === 0
      ? `${counted(report.rules.length, 'rule')} judged the whole log.`
      : `${severitiesCounted(report.alerts)}. By rule: ${rules.join(', ')}.`;
  return html`<section class="verdict ${tone}">
    <p><strong>${verdict(report, isLive)}</strong></p>
    <p>${detail}</p>
  </section>`;
}

export function tiles(report: AnalyzeReport): Markup {
  const { totals } = report;
  const share = (count: number): string => formatPercent(totals.requests === 0 ? null : count / totals.requests);
  const facts: readonly (readonly [string, string, string])[] = [
    ['Requests', formatCount(totals.requests), `by ${kindsCounted(kindCountsOf(report.keys))}`],
    ['Errors', share(totals.errors), `${formatNumber(totals.errors)}, not counting 401, 403 and 429`],
    ['Failed authentication', formatCount(totals.failedAuth), `${share(totals.failedAuth)} of all requests`],
    [
      'Sent',
      totals.bytesOut === null ? 'unknown' : formatBytes(totals.bytesOut),
      totals.bytesIn === null ? 'received: not in this log' : `received ${formatBytes(totals.bytesIn)}`,
    ],
    totals.latency === null
      ? ['Latency', 'unknown', 'no durations in this log']
      : [
          'Latency, 95th percentile',
          formatLatency(totals.latency.p95Us),
          `half below ${formatLatency(totals.latency.p50Us)}, 99 % below ${formatLatency(totals.latency.p99Us)}`,
        ],
  ];
  return html`<dl class="tiles">
    ${facts.map(
      ([name, value, note]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
          <dd>${note}</dd>
        </div>`,
    )}
  </dl>`;
}

/** Since when: requests, errors, failed authentication and bytes over time, alerts marked on the axis. */
export function charts(report: AnalyzeReport, groups: readonly AlertGroup[]): Markup | undefined {
  const { activity, totals } = report;
  if (activity === null) return undefined;
  const { grid } = activity;
  const per = perText(grid.bucketMs);
  const peakAt = (values: ArrayLike<number>): string => minuteText(grid.start + Array.from(values).indexOf(peakOf(values)) * grid.bucketMs);
  const peakText = (values: ArrayLike<number>, format: (value: number) => string): string =>
    peakOf(values) === 0 ? 'None in the whole range.' : `At most ${format(peakOf(values))} per ${per}, at ${peakAt(values)} UTC.`;
  const count = (value: number): string => formatCount(Math.round(value));
  const { status } = totals;
  const total = Math.max(1, totals.requests);
  const parts = (
    [
      ['2xx', 'ok', status.s2xx],
      ['1xx', 'neutral', status.s1xx],
      ['3xx', 'redirect', status.s3xx],
      ['4xx', 'refused', status.s4xx],
      ['5xx', 'errors', status.s5xx],
      ['aborted', 'neutral', status.aborted],
    ] as const
  ).map(([name, color, value]) => ({ name, color, value, text: `${formatNumber(value)} (${formatPercent(value / total)})` }));
  return html`${timeChart({
      title: `Requests per ${per}`,
      summary: peakText(activity.requests, count),
      grid,
      layers: [
        { name: 'requests', color: 'requests', values: activity.requests },
        { name: 'errors', color: 'errors', values: activity.errors },
      ],
      unit: 'count',
      isTall: true,
      marks: marksOf(groups),
    })}
    <div class="pair">
      ${timeChart({ title: `Errors per ${per}`, summary: peakText(activity.errors, count), grid, layers: [{ name: 'errors', color: 'errors', values: activity.errors }], unit: 'count' })}
      ${timeChart({ title: `Failed authentication per ${per}`, summary: peakText(activity.failedAuth, count), grid, layers: [{ name: 'failures', color: 'refused', values: activity.failedAuth }], unit: 'count' })}
      ${activity.bytesOut === null ? undefined : timeChart({ title: `Bytes sent per ${per}`, summary: peakText(activity.bytesOut, formatBytes), grid, layers: [{ name: 'sent', color: 'bytes', values: activity.bytesOut }], unit: 'bytes' })}
    </div>
    ${shareBar({ title: 'Status classes', summary: `${formatPercent(status.s2xx / total)} of all requests succeeded, ${formatPercent(status.s4xx / total)} were refused or wrong (4xx), ${formatPercent(status.s5xx / total)} failed in the server (5xx).`, parts })}
    ${numberTable(activity)}`;
}

function marksOf(groups: readonly AlertGroup[]): readonly Mark[] {
  return groups
    .flatMap((group, index) =>
      group.alerts.map((alert): Mark => ({
        at: alert.startedAt,
        severity: alert.severity,
        href: `#${alertAnchor(index)}`,
        text: `${minuteText(alert.startedAt)} ${alert.severity}: ${ruleTitle(alert.rule)}, ${alert.label}`,
      })),
    )
    .toSorted((a, b) => severityRank(a.severity) - severityRank(b.severity));
}

/** The numbers behind the pictures. */
function numberTable(activity: ReportActivity): Markup {
  const { grid } = activity;
  const rows = Array.from({ length: grid.buckets }, (_, bucket) => {
    const at = (values: ArrayLike<number>): string => formatNumber(Math.round(values[bucket] ?? 0));
    return html`<tr>
      <th scope="row" class="time">${minuteText(grid.start + bucket * grid.bucketMs)}</th>
      <td class="num">${at(activity.requests)}</td>
      <td class="num">${at(activity.errors)}</td>
      <td class="num">${at(activity.failedAuth)}</td>
      ${activity.bytesOut === null ? undefined : html`<td class="num">${formatBytes(activity.bytesOut[bucket] ?? 0)}</td>`}
    </tr> `;
  });
  return html`<details class="card">
    <summary>The numbers behind these charts</summary>
    <div class="scroll" role="region" aria-label="Numbers over time" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">From (UTC)</th>
            <th scope="col" class="num">Requests</th>
            <th scope="col" class="num">Errors</th>
            <th scope="col" class="num">Failed auth</th>
            ${activity.bytesOut === null ? undefined : html`<th scope="col" class="num">Sent</th>`}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`;
}
