import { printable } from '../cli/text.ts';
import type { Dossier } from '../json/dossier.ts';

/** A dossier for people. Everything in it may come from traffic: it stands in code style, where Markdown means nothing. */
export function dossierMarkdown(dossier: Dossier): string {
  const { times } = dossier;
  const or = (text: string | null): string => text ?? 'not yet';
  const lines = [
    `# ${dossier.id}: ${dossier.severity}, ${dossier.status}`,
    '',
    `Key ${code(dossier.key.label)} (${code(dossier.key.entity)})${dossier.key.keys > 1 ? `, ${dossier.key.keys} keys` : ''}. Times are UTC.`,
    '',
    '## Times',
    '',
    ...table(
      ['what', 'when', 'after seconds'],
      [
        ['first suspicious', times.firstSuspicious, ''],
        ['detected', times.detectedAt, seconds(times.secondsToDetect)],
        ['first notified', or(times.notifiedAt), seconds(times.secondsToNotify)],
        ['acknowledged', or(times.triagedAt), seconds(times.secondsToTriage)],
        ['closed', or(times.closedAt), seconds(times.secondsToClose)],
      ],
    ),
    '## Detection',
    '',
    ...dossier.detection.flatMap((alert) => [
      `### ${code(alert.rule)}: ${alert.severity}, ${alert.state}`,
      '',
      code(alert.why),
      '',
      ...table(
        ['observed', 'expected', 'peak', 'unit', 'windows'],
        [[String(alert.observed), String(alert.expected), String(alert.peak), alert.unit, String(alert.windows)]],
      ),
      ...table(
        ['source', 'value', 'share'],
        alert.evidence.sources.map(({ dimension, value, share }) => [dimension, code(value), `${Math.round(share * 100)} %`]),
      ),
    ]),
    '## Actions',
    '',
    ...table(
      ['at', 'who', 'what', 'note', 'entry'],
      dossier.actions.map(({ at, by, action, note, seq }) => [at, code(by), code(action), note === null ? '' : code(note), String(seq)]),
    ),
    '## Notifications',
    '',
    ...table(
      ['at', 'channel', 'kind', 'result', 'attempts'],
      dossier.notifications.map(({ at, created, channel, kind, result, attempts }) => [at ?? created, code(channel), kind, result, String(attempts)]),
    ),
    '## Verdict',
    '',
    dossier.verdict === null
      ? 'Nobody has said yet: `keywatch alerts feedback`.'
      : `${dossier.verdict.verdict}, by ${code(dossier.verdict.by)}${dossier.verdict.note === null ? '' : `: ${code(dossier.verdict.note)}`}`,
    '',
    `Not known to Keywatch: ${dossier.notKnown.join(', ')}.`,
  ];
  return `${lines.join('\n')}\n`;
}

function seconds(value: number | null): string {
  return value === null ? '' : String(value);
}

/** Neither a backtick nor a bar may end what they stand in. */
function code(text: string): string {
  return `\`${printable(text).replaceAll('`', "'").replaceAll('|', '¦')}\``;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return ['None.', ''];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line), ''];
}
