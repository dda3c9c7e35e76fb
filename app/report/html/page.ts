import type { EpochMs } from '../../../core/types.ts';
import { formatBytes, formatDuration, formatNumber } from '../../cli/format.ts';
import type { AnalyzeReport, DemoPart } from '../report.ts';
import { suggestYaml } from '../suggest.ts';
import { alertGroups, counted, listed, minuteText, spanText } from '../words.ts';
import { demoSections } from './demo.ts';
import { type Markup, html, preformatted, raw } from './markup.ts';
import { keySection } from './key-table.ts';
import { charts, emptyPart, tiles, verdictPart } from './overview.ts';
import { CONTENT_POLICY, SCRIPT } from './script.ts';
import { STYLE } from './style.ts';
import { alertSection, blindSection, networkSection, rejectSection, section, topSection } from './tables.ts';

export type HtmlOptions = {
  /** When the report was made; left out where pages must be the same on every run. */
  readonly madeAt?: EpochMs;
  readonly title?: string;
  readonly demo?: DemoPart;
};

/** The report as one HTML file that needs nothing else: no network, no script to be read, no font. */
export function renderHtml(report: AnalyzeReport, options: HtmlOptions = {}): string {
  const title = options.title ?? 'Access log report';
  const groups = alertGroups(report.alerts);
  const isEmpty = report.totals.events === 0;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${raw(CONTENT_POLICY)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <meta name="generator" content="Keywatch ${report.version}" />
        <title>${title} · Keywatch</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        ${header(report, title)}
        <main>
          ${isEmpty ? emptyPart(report) : html`${verdictPart(report, options.demo !== undefined)}${tiles(report)}`}
          ${options.demo === undefined ? undefined : demoSections(options.demo)}
          ${isEmpty ? undefined : html`${charts(report, groups)}${alertSection(report, groups)}${keySection(report, groups)}${networkSection(report)}${topSection(report)}`}
          ${rejectSection(report)} ${isEmpty ? undefined : blindSection(report)} ${suggestionSection(report)}
        </main>
        ${footer(report, options)} ${raw(`<script>${SCRIPT}</script>`)}
      </body>
    </html> `;
  return page.text;
}

function header(report: AnalyzeReport, title: string): Markup {
  const { source, range } = report;
  const names = source.names.slice(0, 3);
  const more = source.files - names.length;
  const formats = Object.entries(report.formats).toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const of = names.length === 0 ? counted(source.files, 'file') : listed([...names, ...(more > 0 ? [`${formatNumber(more)} more`] : [])]);
  const size = `${counted(source.records, 'line')}, ${formatBytes(source.bytes)}${formats.length === 0 ? '' : `, format ${listed(formats.map(([name, count]) => (formats.length === 1 ? name : `${name} (${formatNumber(count)})`)))}`}`;
  return html`<header>
    <div class="brand">
      <svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
        <circle cx="8" cy="12" r="5" />
        <path d="M13 12h9M18 12v4M22 12v3" /></svg
      >Keywatch
    </div>
    <h1>${title}</h1>
    <p class="sub">${range === null ? '' : `${spanText(range.from, range.to)} UTC (${formatDuration(range.to - range.from)}) · `}${of} · ${size}</p>
  </header>`;
}

function suggestionSection(report: AnalyzeReport): Markup | undefined {
  if (report.suggestions === undefined || report.suggestions.length === 0) return undefined;
  return section(
    'Suggested limits',
    "from each key's own history: its 99.9th percentile with headroom; for keywatch.yml",
    html`<pre>${preformatted(suggestYaml(report.suggestions).trimEnd())}</pre>`,
  );
}

function footer(report: AnalyzeReport, options: HtmlOptions): Markup {
  const { cost } = report;
  return html`<footer>
    Keywatch ${report.version}${options.madeAt === undefined ? '' : `, ${minuteText(options.madeAt)} UTC`}. Read in ${formatDuration(cost.elapsedMs)} on
    ${counted(cost.threads, 'thread')}, ${formatNumber(Math.round(cost.eventsPerSecond))} events/s. Times are UTC; MB is 1024² bytes. No API key is in this
    file: keys go by their label or by the first digits of a keyed hash.
  </footer>`;
}
