import { Command } from 'commander';
import { type Exception, isInForce } from '../../core/incident.ts';
import { actorText } from '../../core/operator.ts';
import { type ActOptions, act, keyNamed, openHere, parseAmount, parseWhen, ruleNamed, timeAhead, withActOptions } from '../cli/act.ts';
import { formatNumber, formatTime } from '../cli/format.ts';
import { usageError } from '../cli/errors.ts';
import { RULES } from '../../detectors/registry.ts';
import { printRatio, printSize } from '../config/units.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type TimeOption, withExamples } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { renderTable } from '../cli/table.ts';
import { printable } from '../cli/text.ts';
import { exceptionJson } from '../json/operator.ts';
import { stringify } from '../json/stringify.ts';

type AddOptions = ActOptions & { readonly key: string; readonly rule: string; readonly upTo: number; readonly until: TimeOption; readonly reason: string };

export function command(io: Io): Command {
  const exceptions = new Command('exceptions').description(
    'What is expected of one key under one rule, up to a value and until a time: the answer to a false alarm.',
  );
  withExamples(
    withActOptions(exceptions.command('add'))
      .description('Say that this much is expected. More than that is told as ever. Every message holds this line ready to paste.')
      .requiredOption('--key <key>', 'label, id or fingerprint')
      .requiredOption('--rule <rule>', 'for instance requests_per_minute', ruleNamed)
      .requiredOption('--up-to <value>', 'in the unit of the rule: 5000, 2GB, 12%', parseAmount)
      .requiredOption('--until <when>', 'a time or how long from now, such as 30d', parseWhen)
      .requiredOption('--reason <text>', 'why it is expected')
      .action((options: AddOptions) => add(io, options)),
    [['keywatch exceptions add --key billing --rule error_rate --up-to 12% --until 30d --reason "retries of the batch job"', 'thirty days of a higher limit']],
  );
  withExamples(
    withActOptions(exceptions.command('list'))
      .description('List what holds; --all also what is over.')
      .option('--all', 'also what is over')
      .action((options: ActOptions & { readonly all?: boolean }) => list(io, options)),
    [['keywatch exceptions list', 'what is expected now']],
  );
  withExamples(
    withActOptions(exceptions.command('end'))
      .description('End one before its time.')
      .argument('<id>', 'as keywatch exceptions list shows it')
      .option('--note <text>', 'why, for the audit log')
      .action((id: string, options: ActOptions & { readonly note?: string }) => end(io, id, options)),
    [['keywatch exceptions end EXC-4', 'from now on it is told again']],
  );
  return withExamples(exceptions, [['keywatch exceptions list', 'what is expected now']]);
}

async function add(io: Io, options: AddOptions): Promise<void> {
  if (unitOf(options.rule) === 'ratio' && options.upTo > 1)
    throw usageError(`${options.rule} is a share: for ${formatNumber(options.upTo)} percent write --up-to ${formatNumber(options.upTo)}%`);
  await using here = await openHere(io, options);
  const now = io.clock.now();
  const entity = await keyNamed(options.key, here, now);
  const until = timeAhead(options.until, now);
  await act(io, options, here.operator, {
    command: { kind: 'add_exception', entity, rule: options.rule, upTo: options.upTo, until, reason: options.reason },
    done: ({ made = '' }) =>
      `exception ${made}: ${options.rule} up to ${amountText(options.rule, options.upTo)} is expected of ${printable(options.key)} until ${formatTime(until)}; more is told`,
  });
}

function unitOf(rule: string): string | undefined {
  return RULES.find(({ id }) => id === rule)?.unit;
}

/** As people write it: 3,000, 12%, 2GB. */
function amountText(rule: string, amount: number): string {
  const unit = unitOf(rule);
  return unit === 'ratio' ? printRatio(amount) : unit === 'bytes' ? printSize(amount) : formatNumber(amount);
}

async function list(io: Io, options: ActOptions & { readonly all?: boolean }): Promise<void> {
  await using here = await openHere(io, options);
  const now = io.clock.now();
  const found = await here.operator.views.exceptions(options.all === true ? {} : { inForceAt: now });
  if (options.json === true) {
    await write(io.stdout, `${stringify({ exceptions: found.map((each) => exceptionJson(each, now)) })}\n`);
    return;
  }
  if (found.length === 0) {
    await write(io.stdout, options.all === true ? 'there never was an exception\n' : 'no exception holds; --all shows those that are over\n');
    return;
  }
  await write(
    io.stdout,
    renderTable<Exception>(
      [
        { title: 'id', value: (each) => each.id },
        { title: 'state', value: (each) => (isInForce(each, now) ? 'holds' : 'over') },
        { title: 'key', value: (each) => each.label, shrinkTo: 10 },
        { title: 'rule', value: (each) => each.rule },
        { title: 'up to', value: (each) => amountText(each.rule, each.upTo), align: 'right' },
        { title: 'until', value: (each) => formatTime(each.endedAt ?? each.until) },
        { title: 'by', value: (each) => actorText(each.actor), shrinkTo: 8, dropOrder: 2 },
        { title: 'reason', value: (each) => each.reason, shrinkTo: 12, dropOrder: 1 },
      ],
      found,
      { width: widthOf(io), paint: painter(io.stdout) },
    ),
  );
}

async function end(io: Io, id: string, options: ActOptions & { readonly note?: string }): Promise<void> {
  await using here = await openHere(io, options);
  await act(io, options, here.operator, {
    command: { kind: 'end_exception', exception: id, ...(options.note === undefined ? {} : { note: options.note }) },
    hint: 'keywatch exceptions list shows which there are',
    done: () => `exception ${id} has ended`,
  });
}
