import { schedule } from 'node-cron';
import type { Clock } from '../../core/clock.ts';
import { C, at } from '../../core/counters.ts';
import { DAY_MS, HOUR_MS, minuteOf, startOf } from '../../core/window.ts';
import type { Config } from '../config/config.ts';
import type { Pipeline } from './pipeline.ts';
import type { RunLog } from './run-log.ts';

/** Hours are folded this long after they end: late lines change their minutes until then. */
const FOLD_AFTER_MINUTES = 20;

/** What happens by the clock: hours and days folded and old windows dropped every hour, the digest once a day. node-cron only wakes. */
export function startSchedule(pipeline: Pipeline, config: Config, deps: { readonly clock: Clock; readonly log: RunLog }): Disposable {
  const { clock, log } = deps;
  const failed = (what: string) => (error: unknown) =>
    log.warn(`${what} failed and is tried again at its next time: ${error instanceof Error ? error.message : String(error)}`);
  const tasks = [
    schedule('22 * * * *', () => housekeeping(pipeline, config, clock, log).catch(failed('housekeeping')), { name: 'housekeeping', noOverlap: true }),
  ];
  const { digest } = config.alerts;
  if (digest.enabled) {
    const [hour = '9', minute = '0'] = digest.at.split(':');
    const timezone = digest.timezone === 'local' ? {} : { timezone: digest.timezone };
    tasks.push(
      schedule(`${Number(minute)} ${Number(hour)} * * *`, () => sendDigest(pipeline, clock).catch(failed('the digest')), {
        name: 'digest',
        noOverlap: true,
        ...timezone,
      }),
    );
  }
  return {
    [Symbol.dispose]: () => {
      for (const task of tasks) void task.destroy();
    },
  };
}

/** Folds what is due and drops what is past its retention. */
export async function housekeeping(pipeline: Pipeline, config: Config, clock: Clock, log: RunLog): Promise<void> {
  for (const problem of pipeline.reloadGeo()) log.warn(problem);
  // Of many processes the one that judges does it.
  if (pipeline.desk === undefined) return;
  const now = clock.now();
  const rows = await pipeline.store.fold(minuteOf(now) - FOLD_AFTER_MINUTES);
  const report = await pipeline.store.retain(config.store.retention, now);
  const dropped = [...report.droppedMinuteDays, ...report.droppedHourMonths, ...(await pipeline.retainDerived(now))];
  log.info(`folded ${rows} hour and day rows; the store takes ${Math.round(report.bytes / 2 ** 20)} MB`, { rows, bytes: report.bytes });
  if (dropped.length > 0) log.info(`dropped by retention: ${dropped.join(', ')}`);
  if (report.isOverCap) log.warn(`the store is over store.retention.bytesMax: the oldest minutes were dropped early; raise it or shorten the retention`);
}

/** The digest of the last day, also when nothing happened: that it arrives is the news then. */
export async function sendDigest(pipeline: Pipeline, clock: Clock): Promise<void> {
  const { desk, judging } = pipeline;
  if (desk === undefined || judging === undefined) return;
  const now = clock.now();
  const totals = await pipeline.store.totals({ from: Math.floor((now - DAY_MS) / HOUR_MS) * HOUR_MS, to: now });
  const sources = await pipeline.store.sources();
  const rejected = sources.reduce((sum, source) => sum + Object.values(source.rejects).reduce((count, reject) => count + reject.count, 0), 0);
  const { judgedThrough } = desk;
  const stats = judging.judge.stats();
  await desk.digest({
    name: new Date(now).toISOString().slice(0, 10),
    coverage: {
      active: totals.length,
      judged: stats.entities > 0 || totals.length === 0 ? totals.length : 0,
      ...(judgedThrough > 0 ? { judgedThrough: startOf(judgedThrough) } : {}),
      gaps: stats.tooLate,
      events: totals.reduce((sum, { counters }) => sum + at(counters, C.requests), 0),
      rejected,
    },
  });
}
