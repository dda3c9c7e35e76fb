import type { Command } from 'commander';
import { matcherFault, matchersText } from '../../alerts/matchers.ts';
import { type Maintenance, type Silence, isInForce } from '../../core/incident.ts';
import { type Matcher, actorText } from '../../core/operator.ts';
import { type ActOptions, act, openHere, withActOptions } from '../cli/act.ts';
import { usageError } from '../cli/errors.ts';
import { formatTime } from '../cli/format.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { withExamples } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { renderTable } from '../cli/table.ts';
import { overlayJson } from '../json/operator.ts';
import { stringify } from '../json/stringify.ts';

type ListOptions = ActOptions & { readonly all?: boolean };
type EndOptions = ActOptions & { readonly note?: string };

/** What silences and maintenances have in common: `list` and `end`. */
export function withListAndEnd(top: Command, io: Io, noun: 'silence' | 'maintenance'): void {
  const plural = noun === 'silence' ? 'silences' : 'maintenance';
  withExamples(
    withActOptions(top.command('list'))
      .description(`List what holds now or will; --all also what is over.`)
      .option('--all', 'also what is over')
      .action((options: ListOptions) => list(io, options, noun)),
    [[`keywatch ${plural} list`, 'what holds now or will']],
  );
  withExamples(
    withActOptions(top.command('end'))
      .description(`End one before its time. What still fires is told at once.`)
      .argument('<id>', `as keywatch ${plural} list shows it`)
      .option('--note <text>', 'why, for the audit log')
      .action((id: string, options: EndOptions) => end(io, id, options, noun)),
    [[`keywatch ${plural} end ${noun === 'silence' ? 'SIL-12' : 'MNT-3'}`, 'from now on people are told again']],
  );
}

async function list(io: Io, options: ListOptions, noun: 'silence' | 'maintenance'): Promise<void> {
  await using here = await openHere(io, options);
  const { views } = here.operator;
  const now = io.clock.now();
  const query = options.all === true ? {} : { inForceAt: now };
  const found: readonly (Silence | Maintenance)[] = noun === 'silence' ? await views.silences(query) : await views.maintenances(query);
  const name = noun === 'silence' ? 'silences' : 'maintenances';
  if (options.json === true) {
    await write(io.stdout, `${stringify({ [name]: found.map((each) => overlayJson(each, now)) })}\n`);
    return;
  }
  if (found.length === 0) {
    await write(io.stdout, options.all === true ? `there never was a ${noun}\n` : `no ${noun} holds now or will; --all shows those that are over\n`);
    return;
  }
  const stateOf = (each: Silence | Maintenance): string =>
    isInForce(each, now) ? 'holds' : now < each.startsAt && each.endedAt === undefined ? 'to come' : 'over';
  await write(
    io.stdout,
    renderTable<Silence | Maintenance>(
      [
        { title: 'id', value: (each) => each.id },
        { title: 'state', value: stateOf },
        { title: 'until', value: (each) => formatTime(each.endedAt ?? each.endsAt) },
        { title: 'what', value: (each) => matchersText(each.matchers), shrinkTo: 16 },
        { title: 'by', value: (each) => actorText(each.actor), shrinkTo: 8, dropOrder: 2 },
        { title: 'reason', value: (each) => each.reason, shrinkTo: 12, dropOrder: 1 },
      ],
      found,
      { width: widthOf(io), paint: painter(io.stdout) },
    ),
  );
}

async function end(io: Io, id: string, options: EndOptions, noun: 'silence' | 'maintenance'): Promise<void> {
  await using here = await openHere(io, options);
  const note = options.note === undefined ? {} : { note: options.note };
  const command =
    noun === 'silence' ? ({ kind: 'end_silence', silence: id, ...note } as const) : ({ kind: 'end_maintenance', maintenance: id, ...note } as const);
  await act(io, options, here.operator, {
    command,
    hint: `keywatch ${noun === 'silence' ? 'silences' : 'maintenance'} list shows which there are`,
    done: () => `${noun} ${id} has ended; what still fires is told`,
  });
}

/** Said here already, and not only by the judge: what cannot be right. */
export function checkMatchers(matchers: readonly Matcher[], example: string): void {
  if (matchers.length === 0) throw usageError(`nothing to match: name what is meant, for instance ${example}`);
  const fault = matcherFault(matchers);
  if (fault !== undefined) throw usageError(fault);
}
