import { type Command, Option } from 'commander';
import type { Alert, AuditRow } from '../../core/alert.ts';
import { type FeedbackVerdict, RESOLVE_REASONS, type ResolveReason, VERDICTS, actorText } from '../../core/operator.ts';
import { type ActOptions, act, openHere, parseLength, target, withActOptions } from '../cli/act.ts';
import { CliError, usageError } from '../cli/errors.ts';
import { formatDuration, formatNumber, formatTime } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { withExamples } from '../cli/options.ts';
import { SEVERITY_STYLES, painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { renderFacts } from '../cli/table.ts';
import { printable, wrap } from '../cli/text.ts';
import type { Config } from '../config/config.ts';
import { alertJson } from '../json/alert.ts';
import { auditJson, incidentJson, whyJson } from '../json/operator.ts';
import { stringify } from '../json/stringify.ts';
import { type Found, auditOf, whyOf } from '../operate/find.ts';

const ID = 'an alert or an incident (INC-12), or a start of its id that only one has';

type NoteOptions = ActOptions & { readonly note?: string };

/** `show`, `ack`, `resolve`, `why`, `feedback`. */
export function addAlertVerbs(alerts: Command, io: Io): void {
  withExamples(
    withActOptions(alerts.command('show'))
      .description('Show one alert: what was seen, what is expected, and its history.')
      .argument('<id>', ID)
      .action((id: string, options: ActOptions) => show(io, id, options)),
    [['keywatch alerts show INC-12', 'all about it']],
  );
  withExamples(
    withActOptions(alerts.command('ack'))
      .description('Say that you have it: repeats and escalation stop. It fires again by itself when the time is up or when it gets worse.')
      .argument('<id>', ID)
      .option('--for <length>', 'how long, such as 2h (default: 4h for critical, else 24h)', parseLength)
      .option('--note <text>', 'for those who read it later')
      .option('--undo', 'give it back')
      .action((id: string, options: NoteOptions & { readonly for?: number; readonly undo?: boolean }) => ack(io, id, options)),
    [['keywatch alerts ack INC-12 --for 2h --note "looking into it"', 'two hours']],
  );
  withExamples(
    withActOptions(alerts.command('resolve'))
      .description('End an alert by hand. It stays quiet for 30 minutes, then tells again if it still breaches.')
      .argument('<id>', ID)
      .addOption(new Option('--reason <reason>', 'why it is over').choices(RESOLVE_REASONS).makeOptionMandatory())
      .option('--note <text>', 'for those who read it later')
      .action((id: string, options: NoteOptions & { readonly reason: ResolveReason }) => resolve(io, id, options)),
    [['keywatch alerts resolve INC-12 --reason fixed --note "rolled back"', 'over']],
  );
  withExamples(
    withActOptions(alerts.command('why'))
      .description('Say for every channel, or one, why people were or were not told, and which clause decided.')
      .argument('<id>', ID)
      .option('--channel <name>', 'only this one')
      .action((id: string, options: ActOptions & { readonly channel?: string }) => why(io, id, options)),
    [['keywatch alerts why INC-12 --channel ops-slack', 'why did nobody call?']],
  );
  withExamples(
    withActOptions(alerts.command('feedback'))
      .description('Say afterwards what an alert was: expected, false (an error) or true. It is kept for tuning.')
      .argument('<id>', ID)
      .argument('<verdict>', VERDICTS.join(', '))
      .option('--note <text>', 'for those who read it later')
      .action((id: string, verdict: string, options: NoteOptions) => feedback(io, id, verdict, options)),
    [['keywatch alerts feedback INC-12 false --note "health checks"', 'a false alarm']],
  );
}

/** What is archived is over for good, which is no other news to people. */
export function stateText(state: string): string {
  return state === 'archived' ? 'resolved' : state;
}

function noteOf({ note }: NoteOptions): { readonly note?: string } {
  return note === undefined ? {} : { note };
}

/** For what is about the whole incident; an alert stands for its own. */
function idOf({ incident, alert }: Found): string {
  return alert?.id ?? incident?.id ?? '';
}

/** Said here with its time, which tells more than the judge's refusal. */
function mustNotBeOver({ incident, alert }: Found): void {
  const over = alert?.state === 'archived' ? alert : alert === undefined && incident?.state === 'archived' ? incident : undefined;
  if (over === undefined) return;
  const when = over.resolvedAt === undefined ? '' : ` since ${formatTime(over.resolvedAt)}`;
  throw new CliError(`${over.id} is over${when}: there is nothing to do; keywatch alerts show ${over.id} tells how it ended`);
}

async function ack(io: Io, id: string, options: NoteOptions & { readonly for?: number; readonly undo?: boolean }): Promise<void> {
  if (options.undo === true && options.for !== undefined) throw usageError('--undo takes no --for');
  await using here = await openHere(io, options);
  const found = await target(here.operator, id, io.clock.now());
  mustNotBeOver(found);
  const name = found.incident?.id ?? idOf(found);
  await act(
    io,
    options,
    here.operator,
    options.undo === true
      ? { command: { kind: 'unacknowledge', target: idOf(found), ...noteOf(options) }, done: () => `${name} is given back: it is firing and nobody has it` }
      : {
          command: { kind: 'acknowledge', target: idOf(found), ...noteOf(options), ...(options.for === undefined ? {} : { forMs: options.for }) },
          done: async ({ actor }) => {
            const [now] = found.incident === undefined ? [] : await here.operator.views.incidents({ ids: [found.incident.id], limit: 1 });
            const until = now?.acknowledged === undefined ? '' : ` until ${formatTime(now.acknowledged.until)}, then it fires again`;
            return `${name} is acknowledged by ${actorText(actor)}${options.for === undefined ? '' : ` for ${formatDuration(options.for)}`}${until}`;
          },
        },
  );
}

async function resolve(io: Io, id: string, options: NoteOptions & { readonly reason: ResolveReason }): Promise<void> {
  await using here = await openHere(io, options);
  const found = await target(here.operator, id, io.clock.now());
  mustNotBeOver(found);
  await act(io, options, here.operator, {
    command: { kind: 'resolve', target: idOf(found), reason: options.reason, ...noteOf(options) },
    done: () => `${idOf(found)} is resolved (${options.reason.replaceAll('_', ' ')}); if it still breaches in 30 minutes, people are told again`,
  });
}

async function feedback(io: Io, id: string, verdict: string, options: NoteOptions): Promise<void> {
  const known = VERDICTS.find((each) => each === verdict);
  if (known === undefined) throw usageError(`there is no verdict '${printable(verdict)}'${didYouMean(verdict, VERDICTS)}; there are ${VERDICTS.join(', ')}`);
  await using here = await openHere(io, options);
  const found = await target(here.operator, id, io.clock.now());
  await act(io, options, here.operator, {
    command: { kind: 'feedback', target: idOf(found), verdict: known satisfies FeedbackVerdict, ...noteOf(options) },
    done: () => `noted: ${idOf(found)} was ${known === 'expected' ? 'expected' : `a ${known} alarm`}`,
  });
}

/** Names of the configured channels of every kind. */
function channelNames(config: Config): readonly string[] {
  return Object.values(config.alerts.channels)
    .flat()
    .map(({ name }) => name);
}

async function why(io: Io, id: string, options: ActOptions & { readonly channel?: string }): Promise<void> {
  await using here = await openHere(io, options);
  const found = await target(here.operator, id, io.clock.now());
  const all = await whyOf(here.operator.views, found, channelNames(here.config));
  const { channel } = options;
  const shown = channel === undefined ? all : all.filter((each) => each.channel === channel);
  if (channel !== undefined && shown.length === 0) {
    const names = all.map((each) => each.channel);
    throw new CliError(`there is no channel '${printable(channel)}'${didYouMean(channel, names)}; there are ${names.map(printable).join(', ') || 'none'}`);
  }
  if (options.json === true) {
    await write(io.stdout, `${stringify({ id: idOf(found), incident: found.incident?.id ?? null, channels: shown.map(whyJson) })}\n`);
    return;
  }
  if (shown.length === 0) {
    await write(io.stdout, 'no channel is configured, so nobody was told; see alerts.channels in the manual of the configuration\n');
    return;
  }
  const width = widthOf(io);
  for (const each of shown)
    await write(
      io.stdout,
      `${printable(each.channel)} (${each.clause})\n${wrap(printable(each.text), Math.max(20, width - 4))
        .map((line) => `    ${line}\n`)
        .join('')}`,
    );
}

async function show(io: Io, id: string, options: ActOptions): Promise<void> {
  await using here = await openHere(io, options);
  const { views } = here.operator;
  const found = await target(here.operator, id, io.clock.now());
  const { incident, alert } = found;
  const alerts = alert === undefined ? await views.alerts({ incident: incident?.id ?? '' }) : [alert];
  const history = await auditOf(views, [...(incident === undefined ? [] : [incident.id]), ...alerts.map((each) => each.id)]);
  if (options.json === true) {
    await write(
      io.stdout,
      `${stringify({ incident: incident === undefined ? null : incidentJson(incident), alerts: alerts.map(alertJson), history: history.map(auditJson) })}\n`,
    );
    return;
  }
  const paint = painter(io.stdout);
  const width = widthOf(io);
  if (incident !== undefined) {
    await write(
      io.stdout,
      `${paint('bold', incident.id)}  ${paint(SEVERITY_STYLES[incident.severity], incident.severity)}  ${stateText(incident.state)}  ${printable(incident.label)}\n`,
    );
    const { acknowledged } = incident;
    if (acknowledged !== undefined)
      await write(
        io.stdout,
        `  acknowledged by ${printable(actorText(acknowledged.actor))} until ${formatTime(acknowledged.until)}${acknowledged.note === undefined ? '' : `: ${printable(acknowledged.note)}`}\n`,
      );
  }
  for (const each of alerts) await write(io.stdout, `\n${alertText(each, { now: io.clock.now(), width, paint })}`);
  const lines = history.flatMap((row) => wrap(historyLine(row), Math.max(20, width - 4)).map((line, at) => `${at === 0 ? '  ' : '    '}${line}`));
  if (lines.length > 0) await write(io.stdout, `\nhistory\n${lines.join('\n')}\n`);
}

function alertText(alert: Alert, { now, width, paint }: { readonly now: number; readonly width: number; readonly paint: ReturnType<typeof painter> }): string {
  const facts: (readonly [string, string])[] = [
    ['alert', printable(alert.id)],
    ['rule', alert.rule],
    ['state', stateText(alert.state)],
    ['severity', `${alert.severity} (score ${formatNumber(alert.score)})`],
    [
      'started',
      `${formatTime(alert.startedAt)}, ${alert.resolvedAt === undefined ? 'going on for' : 'lasted'} ${formatDuration((alert.resolvedAt ?? now) - alert.startedAt)}`,
    ],
    [
      'observed',
      `${formatNumber(alert.finding.observed)}, expected ${formatNumber(alert.finding.expected)}, peak ${formatNumber(alert.peak)} (${alert.finding.unit})`,
    ],
  ];
  return `${wrap(printable(alert.finding.why), Math.max(20, width)).join('\n')}\n${renderFacts(facts, { paint, indent: '  ' })}`;
}

export function historyLine({ at, actor, action, note }: AuditRow): string {
  return `${formatTime(at)}  ${printable(actorText(actor))}  ${printable(action.replaceAll('_', ' '))}${note === undefined ? '' : `: ${printable(note)}`}`;
}
