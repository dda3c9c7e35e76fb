import { Command } from 'commander';
import { matchesEverything, matchersText } from '../../alerts/matchers.ts';
import type { Alert } from '../../core/alert.ts';
import { Directory } from '../../keys/directory.ts';
import { type ActOptions, type MatchOptions, act, matchersOf, openHere, parseLength, parseWhen, timeAhead, withActOptions, withMatchers } from '../cli/act.ts';
import { formatTime } from '../cli/format.ts';
import { type Io, write } from '../cli/io.ts';
import { type TimeOption, withExamples } from '../cli/options.ts';
import { printable } from '../cli/text.ts';
import { alertJson } from '../json/alert.ts';
import { stringify } from '../json/stringify.ts';
import { previewSilence } from '../operate/find.ts';
import { checkMatchers, withListAndEnd } from './overlay-verbs.ts';

type AddOptions = ActOptions &
  MatchOptions & { readonly for?: number; readonly start?: TimeOption; readonly reason: string; readonly includeCritical?: boolean };

export function command(io: Io): Command {
  const silences = new Command('silences').description(
    'Keep people from being told of what is known. Alerts go on, are stored and counted; only messages stop.',
  );
  withExamples(
    withActOptions(withMatchers(silences.command('add')))
      .description(
        'Silence alerts that match all that is given, for two hours or as long as --for says (at most 30 days). What would match everything is refused.',
      )
      .requiredOption('--reason <text>', 'why; shown to whoever asks why they were not told')
      .option('--for <length>', 'how long, such as 30m, 2h, 7d (default: 2h)', parseLength)
      .option('--start <when>', 'from then on instead of now, a time or how long from now', parseWhen)
      .option('--include-critical', 'also tripwires and failed containment')
      .action((options: AddOptions) => add(io, options)),
    [
      ['keywatch silences add --key "billing-*" --for 2h --reason "load test"', 'two hours of quiet'],
      ['keywatch silences add --rule error_rate --match owner=payments --reason "INC at vendor"', 'one rule, one owner'],
    ],
  );
  withExamples(
    withActOptions(withMatchers(silences.command('preview')))
      .description('Show what a silence would cover now, and would have covered within the last 7 days. Changes nothing.')
      .action((options: ActOptions & MatchOptions) => preview(io, options)),
    [['keywatch silences preview --key "billing-*"', 'look before you silence']],
  );
  withListAndEnd(silences, io, 'silence');
  return withExamples(silences, [
    ['keywatch silences preview --key "billing-*"', 'look before you silence'],
    ['keywatch silences add --key "billing-*" --for 2h --reason "load test"', 'two hours of quiet'],
  ]);
}

const EXAMPLE = '--key "billing-*" or --match owner=payments';

async function add(io: Io, options: AddOptions): Promise<void> {
  const matchers = matchersOf(options);
  checkMatchers(matchers, EXAMPLE);
  await using here = await openHere(io, options);
  const now = io.clock.now();
  const startsAt = options.start === undefined ? undefined : timeAhead(options.start, now);
  await act(io, options, here.operator, {
    command: {
      kind: 'add_silence',
      matchers,
      reason: options.reason,
      ...(startsAt === undefined ? {} : { startsAt }),
      ...(options.for === undefined ? {} : { endsAt: (startsAt ?? now) + options.for }),
      ...(options.includeCritical === true ? { includeCritical: true } : {}),
    },
    done: async ({ made = '' }) => {
      const { views } = here.operator;
      const own = (await views.silences({})).find(({ id }) => id === made);
      const { now: open } = await previewSilence({ views, directory: new Directory(here.config.directory) }, matchers, now);
      const covers = open.length === 0 ? 'NO open alert matches it now' : `${open.length} open ${open.length === 1 ? 'alert matches' : 'alerts match'} it now`;
      const until = own === undefined ? '' : ` holds until ${formatTime(own.endsAt)}`;
      return `silence ${made}${until}: ${printable(matchersText(matchers))}\n${covers}; keywatch silences end ${made} ends it`;
    },
  });
}

async function preview(io: Io, options: ActOptions & MatchOptions): Promise<void> {
  const matchers = matchersOf(options);
  checkMatchers(matchers, EXAMPLE);
  await using here = await openHere(io, options);
  const found = await previewSilence({ views: here.operator.views, directory: new Directory(here.config.directory) }, matchers, io.clock.now());
  if (options.json === true) {
    await write(
      io.stdout,
      `${stringify({ matchesEverything: matchesEverything(matchers), now: found.now.map(alertJson), lastWeek: found.lastWeek.map(alertJson) })}\n`,
    );
    return;
  }
  const lines = (alerts: readonly Alert[]): string =>
    alerts
      .map((alert) => `  ${alert.severity.padEnd(8)}  ${alert.state.padEnd(12)}  ${formatTime(alert.startedAt)}  ${alert.rule}  ${printable(alert.label)}\n`)
      .join('');
  const everything = matchesEverything(matchers) ? 'this would match everything and be refused: name a key, a rule or an owner\n' : '';
  await write(
    io.stdout,
    `${everything}open now: ${found.now.length}\n${lines(found.now)}fired within the last 7 days: ${found.lastWeek.length}\n${lines(found.lastWeek)}`,
  );
}
