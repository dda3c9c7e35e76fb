import { assertNever } from '../../core/types.ts';
import { formatDuration } from '../cli/format.ts';
import type { Paint, Style } from '../cli/style.ts';
import { NOT_VISIBLE } from '../simulate/attacks.ts';
import type { AttackLine } from './ledger.ts';
import { cell, line, type Segment } from './line.ts';
import { clock, type ScreenModel } from './screen-model.ts';

const TITLE_COLUMNS = 24;
/** What came of an attack and the blanks around it. */
const OUTCOME_COLUMNS = 48;

/** What is done to whom, when, and what came of it: one line for each attack, under a time axis. */
export function attackLines(model: ScreenModel, columns: number, paint: Paint): readonly string[] {
  const title = Math.min(TITLE_COLUMNS, Math.floor(columns * 0.36));
  const chart = Math.max(6, Math.min(48, columns - title - OUTCOME_COLUMNS));
  return [
    line([' ', [cell('ATTACKS', title), 'bold'], [axis(model, chart), 'dim']], columns, paint),
    ...model.attacks.map((attack) =>
      line([' ', cell(attack.attack.title, title), ...track(attack, model, chart), ' ', ...outcome(attack, model)], columns, paint),
    ),
  ];
}

/** All attacks on one line, for low terminals. */
export function attackSummary(model: ScreenModel, columns: number, paint: Paint): string {
  const caught = model.attacks.filter((attack) => attack.status === 'caught').length;
  return line(
    [' attacks  ', ...model.attacks.map((attack): Segment => [`${SYMBOLS[attack.status]} `, STYLES[attack.status]]), [` ${caught} caught`, 'dim']],
    columns,
    paint,
  );
}

const SYMBOLS = { pending: '○', running: '●', caught: '✓', over: '✗', unseen: '–' } as const;
const STYLES: Readonly<Record<AttackLine['status'], Style>> = { pending: 'dim', running: 'yellow', caught: 'green', over: 'red', unseen: 'dim' };

function axis(model: ScreenModel, chart: number): string {
  const [from, to] = [clock(model.start).slice(0, 5), clock(model.end).slice(0, 5)];
  return chart < 14 ? ' '.repeat(chart) : `${from}${' '.repeat(chart - from.length - to.length)}${to}`;
}

/** The attack on the time axis: what is past is solid, what is to come is light, and a mark where it was caught. */
function track(attack: AttackLine, model: ScreenModel, chart: number): readonly Segment[] {
  const span = model.end - model.start;
  const place = (time: number): number => Math.max(0, Math.min(chart - 1, Math.floor(((time - model.start) / span) * chart)));
  const from = place(attack.attack.start);
  const to = Math.max(from, place(attack.attack.end - 1));
  const now = model.now >= model.end ? chart : place(model.now);
  const caughtAt = attack.caught === undefined ? -1 : place(attack.attack.start + attack.caught.afterMs);
  const runs: [text: string, style: Style][] = [];
  for (let column = 0; column < chart; column++) {
    const [mark, style] = markAt(column);
    const last = runs.at(-1);
    if (last !== undefined && last[1] === style) last[0] += mark;
    else runs.push([mark, style]);
  }
  return runs;

  function markAt(column: number): readonly [mark: string, style: Style] {
    if (column === caughtAt) return ['▲', CAUGHT];
    if (column >= from && column <= to) return column <= now ? ['█', STYLES[attack.status] === 'dim' ? 'yellow' : STYLES[attack.status]] : ['░', 'dim'];
    return [column === now ? '│' : column < now ? '─' : '·', 'dim'];
  }
}

const CAUGHT: Style = ['bold', 'green'];

function outcome(line: AttackLine, model: ScreenModel): readonly Segment[] {
  const { attack, caught, status } = line;
  const style = STYLES[status];
  switch (status) {
    case 'pending':
      return [[`${SYMBOLS.pending} in ${formatDuration(Math.ceil((attack.start - model.now) / model.speed / 1000) * 1000)}`, style]];
    case 'running':
      return [[`${SYMBOLS.running} ${attack.expectedRules.length === 0 ? NOT_VISIBLE : 'running'}`, style]];
    case 'caught':
      return [
        [`${SYMBOLS.caught} ${caught?.rule ?? ''}`, style],
        [` after ${formatDuration(caught?.afterMs)} (${formatDuration(caught?.afterWallMs)} here)`, 'dim'],
      ];
    case 'over':
      return [[`${SYMBOLS.over} over, nothing fired yet`, style]];
    case 'unseen':
      return [[`${SYMBOLS.unseen} ${NOT_VISIBLE}`, style]];
    default:
      return assertNever(status);
  }
}
