import { formatDuration, formatNumber } from '../../cli/format.ts';
import type { DemoPart } from '../report.ts';
import { counted, minuteText, ruleTitle } from '../words.ts';
import { type Markup, html, preformatted } from './markup.ts';
import { section } from './tables.ts';

const MESSAGES_MAX = 30;

/** What `keywatch demo` injected, who caught it, and the messages as their receivers got them. */
export function demoSections(demo: DemoPart): readonly Markup[] {
  return [attackSection(demo), messageSection(demo)].filter((markup) => markup !== undefined);
}

function attackSection(demo: DemoPart): Markup {
  const caught = demo.attacks.filter((attack) => attack.caughtBy !== null).length;
  const rows = demo.attacks.map((attack) => {
    const verdict =
      attack.caughtBy === null
        ? html`<span class="tag medium">not caught</span>`
        : html`<span class="tag good">caught</span><br /><span class="small">${ruleTitle(attack.caughtBy)}</span>`;
    return html`<tr>
      <th scope="row">${attack.name}<small>${attack.label}</small></th>
      <td class="time">${minuteText(attack.startedAt)}</td>
      <td>${verdict}</td>
      <td class="num">${formatDuration(attack.afterMs)}</td>
      <td class="wide">${attack.note ?? ''}</td>
    </tr> `;
  });
  const note = `${formatNumber(caught)} of ${formatNumber(demo.attacks.length)} caught, ${demo.falseAlerts === 0 ? 'no false alert' : counted(demo.falseAlerts, 'false alert')}`;
  return section(
    'Injected attacks',
    note,
    html`<div class="scroll" role="region" aria-label="Injected attacks" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">Attack</th>
            <th scope="col">Began (UTC)</th>
            <th scope="col">Caught by</th>
            <th scope="col" class="num">After</th>
            <th scope="col">Note</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`,
  );
}

function messageSection(demo: DemoPart): Markup | undefined {
  if (demo.messages.length === 0) return undefined;
  const shown = demo.messages.slice(0, MESSAGES_MAX);
  const hidden = demo.messages.length - shown.length;
  return section(
    'Messages as received',
    hidden > 0 ? `the first ${formatNumber(shown.length)} of ${formatNumber(demo.messages.length)}` : counted(shown.length, 'message'),
    html`${shown.map(
      (message) =>
        html`<article class="message">
          <h3>${message.subject}</h3>
          <span class="small">${message.channel}, ${minuteText(message.at)} UTC</span>
          <pre>${preformatted(message.text)}</pre>
        </article> `,
    )}`,
  );
}
