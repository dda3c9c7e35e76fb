import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { Alert, AlertState } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { PageMark } from '../../core/ports.ts';
import type { EntityId, EpochMs } from '../../core/types.ts';
import { Directory, type DirectoryInput } from '../../keys/directory.ts';
import { STATE_FILE } from '../../storage/sqlite/journal.ts';
import type { Config } from '../config/config.ts';
import { listed, parseAfter } from '../cli/paged-list.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError } from '../cli/errors.ts';
import { formatAgo, formatDuration, formatTime } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { addAlertVerbs, stateText } from './alerts-act.ts';
import { type ConfigOptions, type TimeOption, parseCount, resolveTime, sinceOption, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { SEVERITY_STYLES, painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { renderTable } from '../cli/table.ts';
import { printable, wrap } from '../cli/text.ts';
import { type Cursor } from '../operate/cursor.ts';
import { allAlerts } from '../operate/find.ts';
import { alertJson } from '../json/alert.ts';
import { stringify } from '../json/stringify.ts';
import { readJournal } from '../wire/stores.ts';

type ListOptions = ConfigOptions & {
  readonly state?: readonly AlertState[];
  readonly since?: TimeOption;
  readonly limit?: number;
  readonly after?: Cursor;
  readonly json?: boolean;
};

const OPEN: readonly AlertState[] = ['pending', 'firing', 'acknowledged', 'recovering'];
const STATES: Readonly<Record<string, readonly AlertState[]>> = {
  open: OPEN,
  all: [...OPEN, 'resolved', 'archived'],
  pending: ['pending'],
  firing: ['firing'],
  acknowledged: ['acknowledged'],
  recovering: ['recovering'],
  resolved: ['resolved', 'archived'],
};
/** Without --since and --state, what ended within this time is shown beside what is open. */
const RECENT_MS = 86_400_000;
const ID_CHARS = 8;

export function command(io: Io): Command {
  const alerts = new Command('alerts').description('Alerts from the store of a running or stopped keywatch.');
  withExamples(
    withJsonOption(withConfigOptions(alerts.command('list')))
      .description('List alerts, newest first. Without options: all open ones, and those resolved within the last 24 hours.')
      .option('--state <states>', `any of ${Object.keys(STATES).join(', ')}, separated by commas`, parseStates)
      .addOption(sinceOption('only alerts that changed since this time, or how long ago, such as 90m, 7d'))
      .option('--limit <n>', 'at most this many (default: all)', parseCount)
      .option('--after <cursor>', 'go on where a list with --limit ended, as it printed', parseAfter)
      .action((options: ListOptions) => list(io, options)),
    [
      ['keywatch alerts list', 'what is open, and what just ended'],
      ['keywatch alerts list --state firing', 'what needs somebody now'],
      ['keywatch alerts list --state all --since 30d --json', 'for a script'],
    ],
  );
  addAlertVerbs(alerts, io);
  return withExamples(alerts, [['keywatch alerts list', 'what is open, and what just ended']]);
}

function parseStates(text: string): readonly AlertState[] {
  return text.split(',').flatMap((name) => {
    const states = Object.hasOwn(STATES, name.trim()) ? STATES[name.trim()] : undefined;
    if (states === undefined) throw new InvalidArgumentError(`expected any of ${Object.keys(STATES).join(', ')}${didYouMean(name, Object.keys(STATES))}`);
    return states;
  });
}

/** Open alerts on an entity, or on all; none when nothing was judged yet. */
export async function openAlerts(config: Config, clock: Clock, query: { readonly entity?: EntityId } = {}): Promise<readonly Alert[]> {
  await using opened = await readJournal(config, { clock });
  return opened === undefined ? [] : await opened.journal.alerts({ ...query, states: OPEN });
}

async function list(io: Io, options: ListOptions): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'store' });
  const now = io.clock.now();
  await using opened = await readJournal(config, { clock: io.clock });
  if (opened === undefined)
    throw new CliError(`nothing stored yet: ${join(config.store.directory, STATE_FILE)} does not exist; start keywatch on this data directory first`);
  const since = options.since === undefined ? undefined : resolveTime(options.since, now);
  const parts: readonly Parameters<typeof allAlerts>[1][] =
    options.state === undefined && since === undefined
      ? [{ states: OPEN }, { states: ['resolved', 'archived'], since: now - RECENT_MS }]
      : [{ states: options.state ?? [...OPEN, 'resolved', 'archived'], ...(since === undefined ? {} : { since }) }];
  const { items: shown, next } = await listed(
    parts.map((query) => (after: PageMark | undefined) => allAlerts(opened.journal, { ...query, ...(after === undefined ? {} : { after }) })),
    options,
  );
  if (options.json === true) {
    await write(io.stdout, `${stringify({ alerts: shown.map(alertJson), next: next ?? null })}\n`);
    return;
  }
  if (shown.length === 0) {
    await write(
      io.stdout,
      options.state === undefined && since === undefined ? 'no open alerts, and none resolved within the last 24 hours\n' : 'no such alerts\n',
    );
    return;
  }
  await write(io.stdout, listText(io, shown, { now, labelOf: labels(config.directory) }));
  if (next !== undefined) await write(io.stdout, `\nthere are more: the same command with --after ${next}\n`);
}

/** An alert keeps the label of its day; a key that was named since then goes by its new name. */
function labels(inventory: DirectoryInput): (alert: Alert) => string {
  const directory = new Directory(inventory);
  return (alert) => {
    const { isListed, label } = directory.facts(alert.entity);
    return isListed ? label : alert.label;
  };
}

/** What the other verbs take: the incident, else a start of the alert's own id. */
function idOf({ incident, id }: Alert): string {
  return incident ?? id.slice(0, ID_CHARS);
}

/** A row per alert, and below it its sentence: that is what a person reads. */
function listText(io: Io, alerts: readonly Alert[], { now, labelOf }: { readonly now: EpochMs; readonly labelOf: (alert: Alert) => string }): string {
  const paint = painter(io.stdout);
  const width = widthOf(io);
  const table = renderTable<Alert>(
    [
      { title: 'id', value: idOf },
      { title: 'severity', value: (alert) => alert.severity, style: (alert) => SEVERITY_STYLES[alert.severity] },
      { title: 'state', value: (alert) => stateText(alert.state) },
      { title: 'started', value: (alert) => formatTime(alert.startedAt) },
      { title: 'for', value: (alert) => formatDuration((alert.resolvedAt ?? now) - alert.startedAt), align: 'right', dropOrder: 2 },
      { title: 'rule', value: (alert) => alert.rule },
      { title: 'who', value: labelOf, shrinkTo: 14 },
      { title: 'last breach', value: (alert) => formatAgo(Math.min(alert.lastBreachAt, now), now), align: 'right', dropOrder: 1 },
    ],
    alerts,
    { width, paint },
  ).split('\n');
  const lines = [table[0] ?? ''];
  alerts.forEach((alert, index) => {
    lines.push(table[index + 1] ?? '', ...wrap(printable(alert.finding.why), Math.max(20, width - 4)).map((line) => `    ${line}`));
    if (OPEN.includes(alert.state)) lines.push(paint('dim', `    ${alert.finding.action}`));
  });
  return `${lines.join('\n')}\n`;
}
