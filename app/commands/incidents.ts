import { Command, InvalidArgumentError, Option } from 'commander';
import type { Incident } from '../../core/incident.ts';
import type { EpochMs } from '../../core/types.ts';
import { stateText } from './alerts-act.ts';
import { type ActOptions, openHere, target, withActOptions } from '../cli/act.ts';
import { listed, parseAfter } from '../cli/paged-list.ts';
import { CliError } from '../cli/errors.ts';
import { formatDuration, formatNumber, formatTime } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type TimeOption, parseCount, resolveTime, sinceOption, withExamples } from '../cli/options.ts';
import { SEVERITY_STYLES, painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { renderTable } from '../cli/table.ts';
import { printable } from '../cli/text.ts';
import { incidentJson } from '../json/operator.ts';
import { stringify } from '../json/stringify.ts';
import type { Cursor } from '../operate/cursor.ts';
import { allIncidents } from '../operate/find.ts';
import { dossierOf } from '../operate/dossier.ts';
import { dossierMarkdown } from '../report/dossier-markdown.ts';

const OPEN: readonly Incident['state'][] = ['firing', 'acknowledged', 'recovering'];
const STATES: Readonly<Record<string, readonly Incident['state'][]>> = {
  open: OPEN,
  all: [...OPEN, 'resolved', 'archived'],
  firing: ['firing'],
  acknowledged: ['acknowledged'],
  recovering: ['recovering'],
  resolved: ['resolved', 'archived'],
};

type ListOptions = ActOptions & {
  readonly state?: readonly Incident['state'][];
  readonly since?: TimeOption;
  readonly limit?: number;
  readonly after?: Cursor;
};

export function command(io: Io): Command {
  const incidents = new Command('incidents').description('What people are told of: all alerts of one key, or of many keys at once.');
  withExamples(
    withActOptions(incidents.command('list'))
      .description('List incidents, newest first; by default the open ones.')
      .option('--state <states>', `any of ${Object.keys(STATES).join(', ')}, separated by commas`, parseStates)
      .addOption(sinceOption('only incidents that changed since this time, or how long ago, such as 90m, 7d'))
      .option('--limit <n>', 'at most this many (default: all)', parseCount)
      .option('--after <cursor>', 'go on where a list with --limit ended, as it printed', parseAfter)
      .action((options: ListOptions) => list(io, options)),
    [['keywatch incidents list --state all --since 7d', 'the week']],
  );
  withExamples(
    withActOptions(incidents.command('show'))
      .description('The dossier of one incident, for reading.')
      .argument('<id>', 'for instance INC-12')
      .action((id: string, options: ActOptions) => dossier(io, id, { ...options, format: options.json === true ? 'json' : 'markdown' })),
    [['keywatch incidents show INC-12', 'times, evidence, actions, messages']],
  );
  withExamples(
    withActOptions(incidents.command('export'))
      .description('Print the dossier of one incident as Markdown or JSON, to keep or to hand on.')
      .argument('<id>', 'for instance INC-12')
      .addOption(new Option('--format <format>', 'of what is printed').choices(['markdown', 'json']).default('markdown'))
      .action((id: string, options: ActOptions & { readonly format: string }) => dossier(io, id, options)),
    [['keywatch incidents export INC-12 --format json > INC-12.json', 'for the record']],
  );
  return withExamples(incidents, [['keywatch incidents list', 'what is open']]);
}

function parseStates(text: string): readonly Incident['state'][] {
  return text.split(',').flatMap((name) => {
    const states = Object.hasOwn(STATES, name.trim()) ? STATES[name.trim()] : undefined;
    if (states === undefined) throw new InvalidArgumentError(`expected any of ${Object.keys(STATES).join(', ')}${didYouMean(name, Object.keys(STATES))}`);
    return states;
  });
}

async function list(io: Io, options: ListOptions): Promise<void> {
  await using here = await openHere(io, options);
  const now = io.clock.now();
  const since: EpochMs | undefined = options.since === undefined ? undefined : resolveTime(options.since, now);
  const { views } = here.operator;
  const query = { states: options.state ?? OPEN, ...(since === undefined ? {} : { since }) };
  const { items: shown, next } = await listed([(after) => allIncidents(views, { ...query, ...(after === undefined ? {} : { after }) })], options);
  if (options.json === true) {
    await write(io.stdout, `${stringify({ incidents: shown.map(incidentJson), next: next ?? null })}\n`);
    return;
  }
  if (shown.length === 0) {
    await write(io.stdout, options.state === undefined ? 'no open incidents; --state all shows past ones\n' : 'no such incidents\n');
    return;
  }
  await write(
    io.stdout,
    renderTable<Incident>(
      [
        { title: 'id', value: (each) => each.id },
        { title: 'severity', value: (each) => each.severity, style: (each) => SEVERITY_STYLES[each.severity] },
        { title: 'state', value: (each) => stateText(each.state) },
        { title: 'started', value: (each) => formatTime(each.startedAt) },
        { title: 'for', value: (each) => formatDuration((each.resolvedAt ?? now) - each.startedAt), align: 'right', dropOrder: 1 },
        { title: 'alerts', value: (each) => formatNumber(each.alertsTotal), align: 'right', dropOrder: 2 },
        { title: 'who', value: (each) => each.label, shrinkTo: 12 },
      ],
      shown,
      { width: widthOf(io), paint: painter(io.stdout) },
    ),
  );
  if (next !== undefined) await write(io.stdout, `\nthere are more: the same command with --after ${next}\n`);
}

async function dossier(io: Io, id: string, options: ActOptions & { readonly format: string }): Promise<void> {
  await using here = await openHere(io, options);
  const { incident } = await target(here.operator, id, io.clock.now());
  if (incident === undefined)
    throw new CliError(`'${printable(id)}' is an alert that was never confirmed, so there is no incident; keywatch alerts show tells of it`);
  const made = await dossierOf(here.operator.views, incident);
  await write(io.stdout, options.format === 'json' || options.json === true ? `${stringify(made)}\n` : dossierMarkdown(made));
}
