import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Clock, scaledClock } from '../../core/clock.ts';
import { Secret } from '../../core/secret.ts';
import type { DurationMs } from '../../core/types.ts';
import { systemReason, usageError } from '../cli/errors.ts';
import type { AnalyzeReport, DemoPart } from '../report/report.ts';
import { renderHtml } from '../report/html/page.ts';
import { DemoFeed } from './feed.ts';
import { demoPart, type DemoOutcome, outcomeOf } from './outcome.ts';
import { type DemoPlan, planDemo } from './plan.ts';
import { type Receivers, startReceivers } from './receivers.ts';
import type { Reporter } from './reporter.ts';
import { DemoSession } from './session.ts';
import type { DemoPipeline, StartDemoPipeline } from './types.ts';

export type DemoOptions = {
  /** Of the wall. */
  readonly forMs: DurationMs;
  /** Event time over wall time. */
  readonly speed: number;
  readonly seed: number;
  /** The folder with logs and databases stays. */
  readonly isKept: boolean;
  /** Where the pipeline keeps its state; a temporary folder unless told. */
  readonly dataDir: string | undefined;
  /** The report; undefined writes none. */
  readonly htmlPath: string | undefined;
};

export type DemoDeps = {
  readonly startPipeline: StartDemoPipeline;
  /** The real clock. */
  readonly wall: Clock;
  /** Made once the demo's clock runs. */
  readonly reporter: (clock: Clock) => Reporter;
  readonly signal: AbortSignal;
};

/** How often lines are written and the reporter is asked to draw, on the wall. */
const TICK_MS: DurationMs = 50;
/** What the pipeline gets to judge the last minutes and to send the last messages, on the wall. */
const DRAIN_MS: DurationMs = 20_000;
const TOP_KEYS = 20;
/** The longest sparkline. */
const TOP_MINUTES = 120;

/**
 * The demo from start to end: history, the real pipeline over two growing files, receivers on loopback, six attacks,
 * and an account of what was noticed. Leaves nothing behind but the report, unless told to keep the folder.
 */
export async function runDemo(options: DemoOptions, deps: DemoDeps): Promise<DemoOutcome> {
  await using stack = new AsyncDisposableStack();
  // 1. Where things are, and what will happen. A store of somebody's own is not to be filled with attacks.
  if (options.dataDir !== undefined && existsSync(options.dataDir) && readdirSync(options.dataDir).length > 0) {
    throw usageError(`the data directory ${options.dataDir} is not empty; the demo needs one of its own, leave --data-dir out for a temporary one`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'keywatch-demo-'));
  if (!options.isKept) stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const plan = planDemo({ seed: options.seed, end: deps.wall.now(), spanMs: options.forMs * options.speed });
  const dataDir = options.dataDir ?? join(folder, 'data');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });

  // 2. The past is in the files before anybody looks.
  const feed = stack.use(new DemoFeed(plan, join(folder, 'logs')));
  feed.advance(plan.start);

  // 3. From here on time runs.
  const clock = scaledClock({ origin: plan.start, speed: options.speed, base: deps.wall });
  const session = new DemoSession(plan, { speed: options.speed, clock, wall: deps.wall });
  const reporter = stack.use(deps.reporter(clock));
  const receivers = stack.use(
    await startReceivers({
      now: () => clock.now(),
      onMessage: (message) => {
        session.message(message);
        reporter.message(message);
      },
    }),
  );
  const pipeline = stack.use(await startOver({ plan, feed, dataDir, clock, session, reporter, receivers }, deps.startPipeline));

  // 4. The attacks happen and are noticed, or not.
  const model = (note?: string) => (): ReturnType<DemoSession['model']> =>
    session.model(pipeline.stats({ top: TOP_KEYS, minutes: TOP_MINUTES }), feed.writtenThrough, note);
  await play({ plan, feed, clock, reporter, model: model() }, deps);

  // 5. What is on its way arrives; then everything is told.
  reporter.finish(model('finishing'));
  if (!deps.signal.aborted) await drain(pipeline, deps);
  reporter.finish(model(options.htmlPath === undefined ? 'done' : 'writing the report'));
  const report = options.htmlPath === undefined || deps.signal.aborted ? undefined : await pipeline.report();
  const outcome = outcomeOf({
    plan,
    session,
    now: Math.min(clock.now(), plan.end),
    requests: feed.written,
    isStopped: deps.signal.aborted,
    folder: options.isKept ? folder : undefined,
  });
  const html = report === undefined || options.htmlPath === undefined ? undefined : writeReport(options.htmlPath, report, demoPart(outcome), reporter);
  return html === undefined ? outcome : { ...outcome, html };
}

type Stage = { readonly plan: DemoPlan; readonly feed: DemoFeed; readonly clock: Clock; readonly reporter: Reporter };

async function startOver(
  stage: Stage & { readonly dataDir: string; readonly session: DemoSession; readonly receivers: Receivers },
  startPipeline: StartDemoPipeline,
): Promise<DemoPipeline> {
  const { plan, session, reporter, receivers } = stage;
  return startPipeline(
    {
      dataDir: stage.dataDir,
      files: stage.feed.files,
      clock: stage.clock,
      keys: plan.population.all().map((key) => ({ credentialId: key.credentialId, label: key.consumer, plan: key.plan })),
      slackWebhook: new Secret(receivers.slackUrl),
      smtp: { ...receivers.smtp, from: 'keywatch@example.test', to: 'on-call@example.test' },
    },
    {
      onAlert: (alert) => {
        const entry = session.alert(alert);
        if (entry !== undefined) reporter.alert(entry);
      },
      onProblem: (message) => reporter.problem(message),
    },
  );
}

/** Writes lines as the clock passes until the end of the plan, or until somebody stops it. */
async function play(stage: Stage & { readonly model: () => ReturnType<DemoSession['model']> }, deps: DemoDeps): Promise<void> {
  const { plan, feed, clock, reporter, model } = stage;
  const waiting = [...plan.attacks];
  while (!deps.signal.aborted) {
    const now = clock.now();
    feed.advance(Math.min(now, plan.end));
    while (waiting[0] !== undefined && waiting[0].start <= now) {
      const begun = waiting.shift();
      if (begun !== undefined) reporter.attackBegan(begun);
    }
    reporter.tick(model);
    if (now >= plan.end) return;
    await deps.wall.sleep(TICK_MS, deps.signal);
  }
}

async function drain(pipeline: DemoPipeline, deps: DemoDeps): Promise<void> {
  const enough = new AbortController();
  const limit = AbortSignal.any([enough.signal, deps.signal]);
  const deadline = deps.wall.sleep(DRAIN_MS, limit).then(() => enough.abort());
  await pipeline.drain(limit);
  enough.abort();
  await deadline;
}

/** A report that cannot be written is no reason to lose the rest. */
function writeReport(path: string, report: AnalyzeReport, demo: DemoPart, reporter: Reporter): string | undefined {
  const target = resolve(path);
  try {
    writeFileSync(target, renderHtml(report, { title: 'Keywatch demo', demo }));
    return target;
  } catch (error) {
    reporter.problem(`the report was not written to ${target}: ${systemReason(error)}; choose another place with --html`);
    return undefined;
  }
}
