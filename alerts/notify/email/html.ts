import type { Severity } from '../../../core/types.ts';
import { type ProseLine, type ProseSpan, parseProse } from '../../prose.ts';
import type { NoticeChart } from '../chart.ts';
import type { NoticeFacts } from '../facts.ts';

const COLORS: Readonly<Record<Severity | 'resolved' | 'neutral', string>> = {
  critical: '#b42318',
  high: '#c4500a',
  medium: '#946200',
  low: '#175cd3',
  info: '#475467',
  resolved: '#067647',
  neutral: '#344054',
};
const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";
const CHART_HEIGHT_PX = 56;

/**
 * Mail clients drop style sheets at will: what matters is inline and light; the sheet only turns it dark where a
 * client asks for that. No image, no script: nothing is loaded, and what can be clicked only opens a configured page.
 */
const DARK = `@media (prefers-color-scheme:dark){
.kw-page{background:#101419!important}.kw-card{background:#181d25!important;border-color:#2c3440!important}
.kw-text{color:#e6e9ee!important}.kw-soft{color:#a3adbb!important}.kw-line{border-color:#2c3440!important}
.kw-code{background:#262d38!important;color:#e6e9ee!important}.kw-bar{background:#6b7a90!important}.kw-over{background:#f0685c!important}.kw-link{color:#84adff!important}
}`;

/** The mail about one incident. Everything that is not ours is escaped here. */
export function noticeHtml(facts: NoticeFacts, { why }: { readonly why: string }): string {
  const color = facts.isOver ? COLORS.resolved : COLORS[facts.severity];
  const title = `${facts.status} · ${facts.grade}`;
  const { contributions, contributionsLeft, others, othersLeft } = facts;
  const parts = [
    paragraph(`<span class="kw-text" style="font-size:20px;line-height:28px;font-weight:600;color:#101828">${escapeHtml(facts.label)}</span>`, 4),
    paragraph(`<span class="kw-soft" style="color:#475467">${escapeHtml(facts.short)}</span>`, 16),
    paragraph(escapeHtml(facts.why), 16),
    ...(facts.note === undefined ? [] : parseProse(facts.note).map((line) => paragraph(spansHtml(line.spans), 16))),
    factsTable(facts.facts),
    ...(facts.chart === undefined ? [] : [subtitle(facts.chart.title), chartHtml(facts.chart), caption(facts.chart.caption)]),
    ...(contributions.length === 0 ? [] : [subtitle('Where it comes from'), contributionsTable(contributions, contributionsLeft)]),
    ...bullets('What they have in common', facts.shared.map(escapeHtml)),
    ...bullets('Also', [
      ...others.map(({ grade, rule, why: reason }) => `${escapeHtml(grade)} ${codeHtml(rule)} ${escapeHtml(reason)}`),
      ...(othersLeft > 0 ? [`and ${othersLeft} more`] : []),
    ]),
    ...bullets('What was done', facts.done.map(escapeHtml)),
    ...(facts.next === undefined ? [] : [subtitle('What happens next by itself'), paragraph(escapeHtml(facts.next), 8)]),
    ...(facts.isOver ? [] : [subtitle('What to do'), paragraph(escapeHtml(facts.action), 8)]),
    ...(facts.exception === undefined ? [] : [subtitle('All as it should be? Then say so once'), paragraph(codeHtml(facts.exception), 8)]),
    ...(facts.links.length === 0
      ? []
      : [subtitle('Where to look'), paragraph(facts.links.map(({ name, url }) => linkHtml(name, url)).join(' &nbsp;·&nbsp; '), 8)]),
  ];
  const references = facts.references.map(({ name, value }) => `${escapeHtml(name)} ${codeHtml(value)}`).join(' &nbsp; ');
  return page({ title, preheader: `${facts.label}: ${facts.short}`, color, body: parts.join('\n'), footer: `${references}<br>${escapeHtml(why)}` });
}

/** The mail of a digest, a summary or a fault of the pipeline. */
export function proseHtml({ title, lines, why }: { readonly title: string; readonly lines: readonly ProseLine[]; readonly why: string }): string {
  const body = lines.map(({ kind, spans }) => {
    if (kind === 'heading') return subtitle(spans.map((span) => span.text).join(''));
    if (kind === 'item') return bullet(spansHtml(spans));
    return paragraph(spansHtml(spans), 8);
  });
  const first = lines[0]?.spans.map((span) => span.text).join('') ?? '';
  return page({ title, preheader: first, color: COLORS.neutral, body: body.join('\n'), footer: escapeHtml(why) });
}

type Page = { readonly title: string; readonly preheader: string; readonly color: string; readonly body: string; readonly footer: string };

function page({ title, preheader, color, body, footer }: Page): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no">
<title>${escapeHtml(title)}</title>
<style>${DARK}</style>
</head>
<body class="kw-page" style="margin:0;padding:0;background:#f2f4f7">
<div style="display:none;max-height:0;overflow:hidden">${escapeHtml(preheader)}</div>
<table role="presentation" class="kw-page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f2f4f7"><tr><td align="center" style="padding:24px 12px">
<table role="presentation" class="kw-card" width="600" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:600px;background:#ffffff;border:1px solid #e4e7ec;border-radius:8px;border-collapse:separate;overflow:hidden">
<tr><td style="background:${color};padding:12px 24px;${FONT};font-size:14px;line-height:20px;font-weight:600;letter-spacing:0.4px;color:#ffffff">${escapeHtml(title)}</td></tr>
<tr><td style="padding:20px 24px 12px">
${body}
</td></tr>
<tr><td class="kw-soft kw-line" style="border-top:1px solid #e4e7ec;padding:14px 24px 18px;${FONT};font-size:12px;line-height:20px;color:#667085">${footer}</td></tr>
</table>
</td></tr></table>
</body>
</html>
`;
}

function paragraph(html: string, bottomPx: number): string {
  return `<p class="kw-text" style="margin:0 0 ${bottomPx}px;${FONT};font-size:14px;line-height:22px;color:#344054;overflow-wrap:anywhere">${html}</p>`;
}

function subtitle(text: string): string {
  return `<p class="kw-soft" style="margin:16px 0 6px;${FONT};font-size:12px;line-height:18px;font-weight:600;letter-spacing:0.3px;color:#667085">${escapeHtml(text)}</p>`;
}

function bullets(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : [subtitle(title), ...items.map(bullet)];
}

function bullet(html: string): string {
  return `<div class="kw-text" style="${FONT};font-size:14px;line-height:22px;color:#344054;padding:0 0 4px 14px;text-indent:-14px;overflow-wrap:anywhere">•&nbsp;&nbsp;${html}</div>`;
}

function caption(text: string): string {
  return `<p class="kw-soft" style="margin:4px 0 12px;${FONT};font-size:12px;line-height:18px;color:#667085">${escapeHtml(text)}</p>`;
}

/** Opens a page and does nothing else: programs that look at mails open links too. */
function linkHtml(name: string, url: string): string {
  return `<a class="kw-link" href="${escapeHtml(url)}" rel="noopener noreferrer" style="color:#175cd3">${escapeHtml(name)}</a>`;
}

function factsTable(facts: NoticeFacts['facts']): string {
  const rows = facts.map(
    ({ name, value }) =>
      `<tr><td class="kw-soft kw-line" style="border-bottom:1px solid #eaecf0;padding:7px 12px 7px 0;${FONT};font-size:13px;line-height:20px;color:#667085;white-space:nowrap;vertical-align:top">${escapeHtml(name)}</td>` +
      `<td class="kw-text kw-line" style="border-bottom:1px solid #eaecf0;padding:7px 0;${FONT};font-size:14px;line-height:20px;color:#101828;width:100%">${escapeHtml(value)}</td></tr>`,
  );
  return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">${rows.join('\n')}</table>`;
}

function contributionsTable(contributions: NoticeFacts['contributions'], left: number): string {
  const rows = contributions.map(
    ({ name, value, share }) =>
      `<tr><td class="kw-soft" style="padding:4px 12px 4px 0;${FONT};font-size:13px;line-height:20px;color:#667085;white-space:nowrap;vertical-align:top">${escapeHtml(name)}</td>` +
      `<td style="padding:4px 12px 4px 0;width:100%;overflow-wrap:anywhere;word-break:break-word">${codeHtml(value)}</td>` +
      `<td class="kw-text" align="right" style="padding:4px 0;${FONT};font-size:14px;line-height:20px;color:#101828;white-space:nowrap;vertical-align:top">${escapeHtml(share)}</td></tr>`,
  );
  const more =
    left > 0
      ? [`<tr><td colspan="3" class="kw-soft" style="padding:4px 0;${FONT};font-size:13px;line-height:20px;color:#667085">and ${left} more</td></tr>`]
      : [];
  return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">${[...rows, ...more].join('\n')}</table>`;
}

/** A column per minute over the shaded band of what is usual, red over the limit; the texts around it say the same in words. */
function chartHtml({ values, limit, band }: NoticeChart): string {
  const max = Math.max(...values, 1e-9);
  const px = (value: number): number => Math.min(CHART_HEIGHT_PX, Math.round((value / max) * CHART_HEIGHT_PX));
  const bars = values.map((value) => {
    const isOver = limit !== undefined && value > limit;
    const height = Math.max(1, px(value));
    return (
      `<td valign="bottom" class="kw-plot" style="vertical-align:bottom;padding:0 1px 0 0;height:${CHART_HEIGHT_PX}px${band === undefined ? '' : bandStyle(px(band.low), px(band.high))}">` +
      `<div class="${isOver ? 'kw-over' : 'kw-bar'}" style="height:${height}px;background:${isOver ? '#d92d20' : '#98a2b3'};font-size:0;line-height:0">&nbsp;</div></td>`
    );
  });
  return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="table-layout:fixed;border-collapse:collapse"><tr>${bars.join('')}</tr></table>`;
}

/** At least four pixels, so that a narrow band under a high peak is seen. Where gradients are not known, the caption still says it. */
function bandStyle(low: number, high: number): string {
  const top = Math.max(high, low + 4);
  return `;background-image:linear-gradient(to top,transparent ${low}px,rgba(46,144,250,0.28) ${low}px,rgba(46,144,250,0.28) ${top}px,transparent ${top}px)`;
}

function spansHtml(spans: readonly ProseSpan[]): string {
  return spans.map((span) => (span.isCode ? codeHtml(span.text) : escapeHtml(span.text))).join('');
}

function codeHtml(text: string): string {
  return `<code class="kw-code" style="${MONO};font-size:12px;background:#f2f4f7;color:#344054;border-radius:3px;padding:1px 4px;overflow-wrap:anywhere">${escapeHtml(text)}</code>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
