import type { Severity } from '../../../core/types.ts';
import { formatNumber, formatPercent } from '../../cli/format.ts';
import type { AnalyzeReport, ReportTopItem } from '../report.ts';
import { type AlertGroup, counted, rejectWords, ruleTitle, spanText } from '../words.ts';
import { type Markup, type Part, html } from './markup.ts';

const HTML_ALERT_GROUPS_MAX = 200;
const NETWORKS_MAX = 20;
const TOP_MAX = 10;

export type Head = { readonly title: string; readonly isNumber?: boolean; readonly sort?: 'text' | 'number' };

/** A table that scrolls inside its own region, which the keyboard can reach. */
export function table(options: {
  readonly label: string;
  readonly heads: readonly Head[];
  readonly rows: readonly Markup[];
  readonly hasTools?: boolean;
}): Markup {
  const heads = options.heads.map(
    (head) =>
      html`<th scope="col" ${head.isNumber === true ? html` class="num"` : undefined}${head.sort === undefined ? undefined : html` data-sort="${head.sort}"`}>
        ${head.title}
      </th>`,
  );
  return html`<div class="scroll" role="region" aria-label="${options.label}" tabindex="0"><table${options.hasTools === true ? html` data-tools` : undefined}><thead><tr>${heads}</tr></thead><tbody>
${options.rows.map((row) => html`${row} `)}</tbody></table></div>`;
}

export function section(title: string, note: Part, body: Part): Markup {
  return html`<section>
    <div class="head">
      <h2>${title}</h2>
      ${note === undefined ? undefined : html`<span class="note">${note}</span>`}
    </div>
    ${body}
  </section>`;
}

function severityTag(severity: Severity): Markup {
  return html`<span class="tag ${severity}">${severity}</span>`;
}

/** The anchor of an alert group, for marks and key rows to lead to. */
export function alertAnchor(index: number): string {
  return `alert-${index + 1}`;
}

export function alertSection(report: AnalyzeReport, groups: readonly AlertGroup[]): Markup {
  const rules = report.rules.length === 0 ? undefined : ruleTable(report);
  if (groups.length === 0) return section('Alerts', 'none', rules);
  const shown = groups.slice(0, HTML_ALERT_GROUPS_MAX);
  const rows = shown.map((group, index) => {
    const { worst } = group;
    const open = group.alerts.some((alert) => alert.state !== 'resolved') ? html`<br /><span class="small">open where the log ends</span>` : undefined;
    return html`<tr id="${alertAnchor(index)}">
      <td>${severityTag(worst.severity)}</td>
      <th scope="row">${worst.label}<small>${ruleTitle(worst.rule)}</small></th>
      <td class="wide">${worst.finding.why}<br /><span class="small">To do: ${worst.finding.action}.</span></td>
      <td class="time">${spanText(group.from, group.to)}${open}</td>
      <td class="num">${formatNumber(group.alerts.length)}</td>
      <td class="num">${Math.round(worst.score)}</td>
    </tr>`;
  });
  const heads: readonly Head[] = [
    { title: 'Severity' },
    { title: 'What' },
    { title: 'Why' },
    { title: 'When (UTC)' },
    { title: 'Alerts', isNumber: true },
    { title: 'Score', isNumber: true },
  ];
  const hidden = groups.length - shown.length;
  return section(
    'Alerts',
    'most severe first, one row per rule and key',
    html`${table({ label: 'Alerts', heads, rows })}${hidden > 0 ? html`<p class="note">${counted(hidden, 'less severe row')} not shown; keywatch analyze --json has every alert.</p>` : undefined}${
      rules === undefined
        ? undefined
        : html`<details>
            <summary>What each rule raised</summary>
            ${rules}
          </details>`
    }`,
  );
}

function ruleTable(report: AnalyzeReport): Markup {
  const rows = report.rules.map(
    (rule) =>
      html`<tr>
        <th scope="row">${ruleTitle(rule.rule)}<small>${rule.description ?? ''}</small></th>
        <td class="num">${formatNumber(rule.alerts)}</td>
        <td class="num">${formatNumber(rule.criticals)}</td>
        <td class="num">${formatNumber(rule.keys)}</td>
      </tr>`,
  );
  return table({
    label: 'Alerts per rule',
    heads: [{ title: 'Rule' }, { title: 'Alerts', isNumber: true }, { title: 'Critical', isNumber: true }, { title: 'Affected', isNumber: true }],
    rows,
  });
}

export function networkSection(report: AnalyzeReport): Markup | undefined {
  if (report.networks.length === 0) return undefined;
  const shown = report.networks.slice(0, NETWORKS_MAX);
  const rows = shown.map(
    (network) =>
      html`<tr>
        <th scope="row">${network.label}</th>
        <td class="num">${formatNumber(network.failedAuth)}</td>
        <td class="num">${formatNumber(network.credentials)}</td>
        <td class="time">${network.first === null || network.last === null ? '–' : spanText(network.first, network.last)}</td>
      </tr>`,
  );
  const heads: readonly Head[] = [
    { title: 'Network' },
    { title: 'Failures', isNumber: true },
    { title: 'Keys tried', isNumber: true },
    { title: 'Seen (UTC)' },
  ];
  const note = shown.length < report.networks.length ? `${formatNumber(shown.length)} of ${formatNumber(report.networks.length)}` : undefined;
  return section('Failed authentication by network', note, table({ label: 'Failed authentication by network', heads, rows }));
}

export function topSection(report: AnalyzeReport): Markup | undefined {
  const { routes, agents, countries } = report.top;
  const part = (title: string, items: readonly ReportTopItem[]): Markup | undefined => {
    if (items.length === 0) return undefined;
    const rows = items.slice(0, TOP_MAX).map(
      (item) =>
        html`<tr>
          <th scope="row">${item.value}</th>
          <td class="num">${formatNumber(item.requests)}</td>
          <td class="num">${formatPercent(report.totals.requests === 0 ? null : item.requests / report.totals.requests)}</td>
        </tr>`,
    );
    return html`<div class="card">
      <div class="head"><h2>${title}</h2></div>
      ${table({ label: title, heads: [{ title: 'Value' }, { title: 'Requests', isNumber: true }, { title: 'Share', isNumber: true }], rows })}
    </div>`;
  };
  const parts = [part('Most used routes', routes), part('Most used agents', agents), part('Most seen countries', countries)].filter(
    (markup) => markup !== undefined,
  );
  return parts.length === 0 ? undefined : html`<div class="pair">${parts}</div>`;
}

export function rejectSection(report: AnalyzeReport): Markup | undefined {
  const { rejected, dropped } = report.totals;
  if (rejected === 0 && dropped === 0 && report.problems.length === 0) return undefined;
  const rows = report.rejects
    .toSorted((a, b) => b.count - a.count)
    .map(
      (reject) =>
        html`<tr>
          <th scope="row">${rejectWords(reject.reason)}</th>
          <td class="num">${formatNumber(reject.count)}</td>
          <td class="wide">${reject.first.source}, byte ${formatNumber(reject.first.position)}</td>
        </tr>`,
    );
  const problems =
    report.problems.length === 0
      ? undefined
      : html`<ul class="gaps">
          ${report.problems.map((problem) => html`<li>${problem}</li>`)}
        </ul>`;
  const note = `${counted(rejected, 'line')} rejected, ${counted(dropped, 'line')} passed over on purpose`;
  return section(
    'Not counted',
    note,
    html`${rows.length === 0 ? undefined : table({ label: 'Rejected lines', heads: [{ title: 'Why' }, { title: 'Lines', isNumber: true }, { title: 'First in' }], rows })}${problems}`,
  );
}

export function blindSection(report: AnalyzeReport): Markup | undefined {
  const groups = [...Map.groupBy(report.coverage, (covered) => `${covered.format}\n${covered.blind.join('\n')}`).values()].filter(
    (sources) => (sources[0]?.blind.length ?? 0) > 0,
  );
  if (groups.length === 0) return undefined;
  const parts = groups.map((sources) => {
    const first = sources[0];
    const more = sources.length - 1;
    return html`<p class="gap-source">
        ${first?.source ?? ''}${more > 0 ? ` and ${formatNumber(more)} more` : ''} <span class="small">${first?.format ?? ''}</span>
      </p>
      <ul class="gaps">
        ${(first?.blind ?? []).map((sentence) => html`<li>${sentence}</li>`)}
      </ul>`;
  });
  return section('What this log cannot show', undefined, html`${parts}`);
}
