import { Command } from 'commander';
import { matcherFault, matchersText } from '../../alerts/matchers.ts';
import { type ActOptions, type MatchOptions, act, matchersOf, openHere, parseLength, parseWhen, timeAhead, withActOptions, withMatchers } from '../cli/act.ts';
import { usageError } from '../cli/errors.ts';
import { formatTime } from '../cli/format.ts';
import type { Io } from '../cli/io.ts';
import { type TimeOption, withExamples } from '../cli/options.ts';
import { printable } from '../cli/text.ts';
import { withListAndEnd } from './overlay-verbs.ts';

type AddOptions = ActOptions &
  MatchOptions & {
    readonly start?: TimeOption;
    readonly for?: number;
    readonly until?: TimeOption;
    readonly reason: string;
    readonly includeCritical?: boolean;
  };

export function command(io: Io): Command {
  const maintenance = new Command('maintenance').description('Windows of planned work: nobody is told meanwhile; what still fires at the end is told then.');
  withExamples(
    withActOptions(withMatchers(maintenance.command('add')))
      .description('Plan a window. Without --key, --rule, --severity and --match it is for everything.')
      .requiredOption('--reason <text>', 'what is done')
      .option('--start <when>', 'a time or how long from now (default: now)', parseWhen)
      .option('--for <length>', 'how long, such as 30m, 2h', parseLength)
      .option('--until <when>', 'its end instead, a time or how long from now', parseWhen)
      .option('--include-critical', 'also tripwires and failed containment')
      .action((options: AddOptions) => add(io, options)),
    [
      ['keywatch maintenance add --start 2026-12-01T02:00:00Z --for 2h --reason "gateway upgrade"', 'everything, two hours'],
      ['keywatch maintenance add --match environment=staging --for 1d --reason "rebuild"', 'one environment, from now on'],
    ],
  );
  withListAndEnd(maintenance, io, 'maintenance');
  return withExamples(maintenance, [['keywatch maintenance add --for 2h --reason "gateway upgrade"', 'two hours from now on']]);
}

async function add(io: Io, options: AddOptions): Promise<void> {
  const matchers = matchersOf(options);
  const fault = matcherFault(matchers);
  if (fault !== undefined) throw usageError(fault);
  const now = io.clock.now();
  const startsAt = options.start === undefined ? now : timeAhead(options.start, now);
  if ((options.for === undefined) === (options.until === undefined)) throw usageError('give exactly one of --for 2h and --until 2026-12-01T04:00:00Z');
  const endsAt = options.until === undefined ? startsAt + (options.for ?? 0) : timeAhead(options.until, now);
  if (endsAt <= startsAt) throw usageError(`the end (${formatTime(endsAt)}) is not after the start (${formatTime(startsAt)})`);
  await using here = await openHere(io, options);
  await act(io, options, here.operator, {
    command: {
      kind: 'add_maintenance',
      matchers,
      startsAt,
      endsAt,
      reason: options.reason,
      ...(options.includeCritical === true ? { includeCritical: true } : {}),
    },
    done: ({ made = '' }) => `maintenance ${made} from ${formatTime(startsAt)} to ${formatTime(endsAt)} for ${printable(matchersText(matchers))}`,
  });
}
