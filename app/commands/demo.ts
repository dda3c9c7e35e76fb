import { Command, InvalidArgumentError, Option } from 'commander';
import type { DurationMs } from '../../core/types.ts';
import { CommandExit, EXIT_FAILURE, usageError } from '../cli/errors.ts';
import { formatDuration } from '../cli/format.ts';
import { type Io, processIo, widthOf, write } from '../cli/io.ts';
import { parseCount, withExamples } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { parseDuration } from '../config/units.ts';
import { stringify } from '../json/stringify.ts';
import { ATTACK_SPAN_MIN_MS } from '../simulate/attacks.ts';
import { version } from '../main.ts';
import { startDemoPipeline } from '../wire/demo.ts';
import { outcomeJson, renderOutcome } from '../demo/outcome.ts';
import { PlainReporter, ScreenReporter } from '../demo/reporter.ts';
import { runDemo } from '../demo/run.ts';

const FOR_MS: DurationMs = 60_000;
/** An hour in a minute. */
const SPEED = 60;
const SPEED_MAX = 600;
const SEED = 1;
/** SIGHUP is a terminal that was closed. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a shell says of a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

type Options = {
  readonly for: DurationMs;
  readonly speed?: number;
  readonly seed: number;
  readonly keep?: true;
  readonly plain?: true;
  readonly json?: true;
  readonly dataDir?: string;
  readonly html: string;
};

/** `keywatch demo`. */
export function command(io: Io): Command {
  return withExamples(
    new Command('demo')
      .summary('see it work: real log lines, six labelled attacks, about a minute')
      .description(
        'Runs the real pipeline over a day of real log lines and a simulated gateway, injects six labelled attacks, and shows what was noticed and how fast. Needs nothing and leaves nothing but the report.',
      )
      .addOption(new Option('--for <time>', 'how long it runs').argParser(parseFor).default(FOR_MS, '60s'))
      .option('--speed <n>', `event time over wall time (default: ${SPEED}, or what half an hour of traffic needs)`, parseSpeed)
      .option('--seed <n>', 'another seed is another hour: other victims, other requests', parseCount, SEED)
      .option('--html <file>', 'where the report goes', 'keywatch-demo.html')
      .option('--data-dir <dir>', 'where the pipeline keeps its state (default: a temporary directory)')
      .option('--keep', 'keep the temporary directory with logs and databases')
      .option('--plain', 'lines instead of the live screen')
      .option('--json', 'print the outcome as JSON')
      .action((options: Options) => run(options, io)),
    [
      ['keywatch demo', 'an hour of traffic in a minute'],
      ['keywatch demo --for 5m --speed 24', 'slower, to look at it'],
      ['keywatch demo --seed 7 --keep', 'another hour; its logs stay for keywatch analyze'],
    ],
  );
}

async function run(options: Options, io: Io): Promise<void> {
  const speed = options.speed ?? Math.max(SPEED, Math.ceil(ATTACK_SPAN_MIN_MS / options.for));
  const spanMs = options.for * speed;
  if (speed > SPEED_MAX || spanMs < ATTACK_SPAN_MIN_MS) {
    const wanted = Math.ceil(ATTACK_SPAN_MIN_MS / options.for);
    const fix =
      wanted > SPEED_MAX ? `run for ${formatDuration(Math.ceil(ATTACK_SPAN_MIN_MS / SPEED_MAX / 1000) * 1000)} or longer` : `use --speed ${wanted} or more`;
    throw usageError(
      `${formatDuration(options.for)} at ${speed} times real time is ${formatDuration(spanMs)} of traffic, the attacks need ${formatDuration(ATTACK_SPAN_MIN_MS)}: ${fix}`,
    );
  }
  const stop = new AbortController();
  using stack = new DisposableStack();
  stack.use(stopOnSignal(stop, io));
  const isLive = io.stderr.isTTY === true && options.plain !== true;
  const outcome = await runDemo(
    { forMs: options.for, speed, seed: options.seed, isKept: options.keep === true, dataDir: options.dataDir, htmlPath: options.html },
    {
      startPipeline: startDemoPipeline,
      wall: io.clock,
      signal: stop.signal,
      reporter: (clock) => (isLive ? new ScreenReporter(io.stderr, io.clock) : new PlainReporter(io.stderr, io.clock, () => clock.now())),
    },
  );
  await write(
    io.stdout,
    options.json === true ? `${stringify(outcomeJson(outcome, version()))}\n` : renderOutcome(outcome, { width: widthOf(io), paint: painter(io.stdout) }),
  );
  if (outcome.isStopped) throw new CommandExit(EXIT_INTERRUPTED);
  if (!outcome.isGood) {
    const reasons = [
      ...outcome.missed.map((title) => `${title} was not caught`),
      ...(outcome.falseAlerts.length === 0 ? [] : [`${outcome.falseAlerts.length} false alerts`]),
    ];
    io.stderr.write(`keywatch demo: not as it should be: ${reasons.join(', ')}\n`);
    throw new CommandExit(EXIT_FAILURE);
  }
}

/** Ctrl-C ends the demo in order; a second one ends it at once. Inside a test the process is not ours. */
function stopOnSignal(stop: AbortController, io: Io): Disposable {
  if (io !== processIo) return { [Symbol.dispose]: () => undefined };
  const onSignal = (): void => stop.abort();
  for (const signal of STOP_SIGNALS) process.once(signal, onSignal);
  return {
    [Symbol.dispose]: () => {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}

function parseFor(text: string): DurationMs {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message);
  if (parsed.value < 1_000) throw new InvalidArgumentError('expected at least 1s');
  return parsed.value;
}

function parseSpeed(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0)) throw new InvalidArgumentError('expected a number above 0, for instance 60');
  return value;
}
