import { assertNever, type DurationMs, type EpochMs } from '../../core/types.ts';
import type { Clock } from '../../core/clock.ts';
import { formatCount, formatDuration } from '../cli/format.ts';
import type { Output } from '../cli/io.ts';
import { painter } from '../cli/style.ts';
import { printable } from '../cli/text.ts';
import { type Attack, NOT_VISIBLE } from '../simulate/attacks.ts';
import { renderScreen } from './screen.ts';
import { clock, type FeedAlert, type ScreenModel } from './screen-model.ts';
import { Terminal, type TerminalStream } from './terminal.ts';
import type { ReceivedMessage } from './types.ts';

/** Shows a running demo. What comes between two ticks may be shown at once or with the next one. */
export interface Reporter extends Disposable {
  attackBegan(attack: Attack): void;
  alert(entry: FeedAlert): void;
  message(message: ReceivedMessage): void;
  problem(message: string): void;
  /** Called every 50 ms or so; `model` is made only when it is wanted. */
  tick(model: () => ScreenModel): void;
  /** At the last moment, whatever was drawn a moment ago. */
  finish(model: () => ScreenModel): void;
}

const REDRAW_MS: DurationMs = 100;
const STATUS_MS: DurationMs = 5_000;

/** The live screen. Nothing is drawn more than ten times a second. */
export class ScreenReporter implements Reporter {
  readonly #terminal: Terminal;
  readonly #stream: Output;
  readonly #wall: Clock;
  readonly #problems: string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(stream: TerminalStream, wall: Clock) {
    this.#stream = stream;
    this.#wall = wall;
    this.#terminal = new Terminal(stream);
    this.#terminal.open();
  }

  attackBegan(): void {}

  alert(): void {}

  message(): void {}

  /** Printed when the first screen is back: there it stays. */
  problem(message: string): void {
    this.#problems.push(message);
  }

  tick(model: () => ScreenModel): void {
    const now = this.#wall.monotonic();
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#terminal.draw(renderScreen(model(), { columns: this.#terminal.columns, rows: this.#terminal.rows, paint: painter(this.#stream) }));
  }

  finish(model: () => ScreenModel): void {
    this.#drawnAt = Number.NEGATIVE_INFINITY;
    this.tick(model);
  }

  [Symbol.dispose](): void {
    this.#terminal[Symbol.dispose]();
    for (const problem of this.#problems.splice(0)) this.#stream.write(`keywatch demo: ${printable(problem)}\n`);
  }
}

/** Plain lines, for logs and pipes: each alert and message, and how far it is every few seconds. */
export class PlainReporter implements Reporter {
  readonly #stream: Output;
  readonly #wall: Clock;
  readonly #now: () => EpochMs;
  #statusAt: DurationMs;

  /** `now` is the clock of the demo. */
  constructor(stream: Output, wall: Clock, now: () => EpochMs) {
    this.#stream = stream;
    this.#wall = wall;
    this.#now = now;
    this.#statusAt = wall.monotonic();
  }

  attackBegan(attack: Attack): void {
    this.#line(this.#now(), 'attack', `${attack.title} begins: ${attack.label}${attack.expectedRules.length === 0 ? ` (${NOT_VISIBLE})` : ''}`);
  }

  alert(entry: FeedAlert): void {
    this.#line(
      entry.at,
      entry.kind === 'resolved' ? 'resolved' : 'alert',
      `${entry.kind === 'resolved' ? '' : `${entry.severity.toUpperCase()} `}${entry.label}: ${entry.why} [${entry.rule}]${originOf(entry)}`,
    );
  }

  message(message: ReceivedMessage): void {
    this.#line(message.at, message.channel, message.channel === 'email' ? message.subject : (message.text.split('\n')[0] ?? ''));
  }

  problem(message: string): void {
    this.#line(this.#now(), 'problem', message);
  }

  tick(model: () => ScreenModel): void {
    const now = this.#wall.monotonic();
    if (now - this.#statusAt < STATUS_MS) return;
    this.#statusAt = now;
    this.#status(model());
  }

  finish(model: () => ScreenModel): void {
    this.#status(model());
  }

  [Symbol.dispose](): void {}

  #status(model: ScreenModel): void {
    const { stats } = model;
    const caught = model.attacks.filter((attack) => attack.status === 'caught').length;
    this.#line(
      model.now,
      'status',
      `${formatCount(stats.events)} events, ${formatCount(Math.round(model.eventsPerSecond))}/s, lag ${formatDuration(Math.round(model.lagMs))}, ${formatCount(stats.entities)} keys and clients, ${formatCount(stats.rejected)} lines refused, ${counted(model.openAlerts, 'open alert')}, ${counted(caught, 'attack')} caught`,
    );
  }

  #line(at: EpochMs, kind: string, text: string): void {
    this.#stream.write(`${clock(at)}  ${kind.padEnd(8)}  ${printable(text)}\n`);
  }
}

function counted(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`;
}

function originOf(entry: FeedAlert): string {
  if (entry.attack === undefined) return ' belongs to no attack';
  if (entry.afterMs === undefined) return '';
  switch (entry.kind) {
    case 'fired':
    case 'severity_up':
    case 'reopened':
      return ` ${formatDuration(entry.afterMs)} after the ${entry.attack} began`;
    case 'resolved':
      return ` ${entry.attack}`;
    default:
      return assertNever(entry.kind);
  }
}
