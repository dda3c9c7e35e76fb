import type { Clock } from '../../core/clock.ts';
import type { Config } from '../config/config.ts';
import { DeadMan } from '../pipeline/dead-man.ts';
import type { FlowStats } from '../pipeline/flow-stats.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { PipelineWatch } from '../pipeline/pipeline-watch.ts';
import type { WatchSample } from '../pipeline/watch-conditions.ts';

export type UpkeepDeps = {
  readonly pipeline: Pipeline;
  readonly flow: () => FlowStats | undefined;
  readonly clock: Clock;
  readonly log: { info(message: string): void; warn(message: string): void };
};

/** Who watches Keywatch itself, for as long as it runs. */
export function startUpkeep(config: Config, deps: UpkeepDeps): Disposable {
  const { pipeline, flow, clock, log } = deps;
  const stop = new AbortController();
  const { deadManUrl, silentAfterMs } = config.alerts.watch;
  const onProblem = (message: string): void => log.warn(message);
  const ended = (what: string) => (error: unknown) => onProblem(`${what} has ended: ${error instanceof Error ? error.message : String(error)}`);
  if (pipeline.judging !== undefined && deadManUrl !== undefined)
    new DeadMan({ url: deadManUrl, clock, isAlive: () => pipeline.desk !== undefined, onProblem, onOver: (message) => log.info(message) })
      .run(stop.signal)
      .catch(ended('the sign of life'));
  new PipelineWatch({
    clock,
    silentAfterMs,
    onProblem,
    desk: () => pipeline.desk,
    notifiers: () => pipeline.notifiers,
    sample: () => sampleOf(pipeline, flow()),
  })
    .run(stop.signal)
    .catch(ended('the watch over Keywatch itself'));
  return { [Symbol.dispose]: () => stop.abort() };
}

function sampleOf(pipeline: Pipeline, flow: FlowStats | undefined): WatchSample {
  const partitions = pipeline.partitions();
  const names = new Map(partitions.map(({ sourceId, sourceName }) => [sourceId, sourceName]));
  const stats = pipeline.judging?.judge.stats();
  return {
    storeTrouble: partitions.find(({ trouble }) => trouble !== undefined)?.trouble,
    sources: [...(flow?.flows ?? [])].map(([id, { received, rejects }]) => ({
      name: names.get(id) ?? String(id),
      received,
      rejected: [...rejects.values()].reduce((sum, count) => sum + count, 0),
    })),
    halted: pipeline.positions().flatMap(({ topic, partition, halt }) => (halt === undefined ? [] : [{ name: `${topic}/${partition}`, why: halt }])),
    unjudged: pipeline.desk === undefined || stats === undefined ? 0 : stats.ahead + stats.tooLate,
  };
}
