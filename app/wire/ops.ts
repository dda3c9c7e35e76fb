import type { PartitionPosition } from '../../core/ports.ts';
import type { Clock } from '../../core/clock.ts';
import type { Severity } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { Config } from '../config/config.ts';
import { CliError } from '../cli/errors.ts';
import { type MetricsStats, createMetrics } from '../http/metrics.ts';
import { type HealthCheck, serveOps, spoolCheck } from '../http/ops.ts';
import { version } from '../main.ts';
import type { FlowStats } from '../pipeline/flow-stats.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { HttpIngest } from './http.ts';

/** Windows older than this although records come: something holds the judge back. */
const JUDGE_LAG_MAX_MS = 20 * MINUTE_MS;

export type OpsDeps = {
  /** Undefined while it is not open yet: a server that it needs may be away. */
  readonly pipeline: () => Pipeline | undefined;
  /** What it waits for meanwhile. */
  readonly waitsFor: () => string | undefined;
  readonly flow: () => FlowStats | undefined;
  readonly http: HttpIngest | undefined;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  /** Nobody asked for this address: another process on this machine may have it. */
  readonly isDefault: boolean;
};

/** Health and metrics of this process. */
export async function startOps(config: Config, deps: OpsDeps): Promise<AsyncDisposable> {
  const { listen } = config.ops;
  if (listen === null) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const { clock, onProblem } = deps;
  const metrics = createMetrics({ stats: () => statsOf(deps) }, { version: version() });
  try {
    return await serveOps({ listen }, { clock, onProblem, metrics, health: { checks: () => checksOf(deps) } });
  } catch (error) {
    if (!deps.isDefault || !(error instanceof CliError)) throw error;
    onProblem(`no health and metrics of this process: ${error.message}`);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
}

export function checksOf({ pipeline: current, waitsFor, http, clock }: Omit<OpsDeps, 'flow' | 'onProblem' | 'isDefault'>): readonly HealthCheck[] {
  const pipeline = current();
  if (pipeline === undefined) return [{ name: 'start', ok: false, text: waitsFor() ?? 'not everything is open yet' }];
  const partitions = pipeline.partitions();
  const trouble = partitions.find((partition) => partition.trouble !== undefined)?.trouble;
  const checks: HealthCheck[] = [{ name: 'store', ok: trouble === undefined, text: trouble ?? 'takes what is read' }];
  if (pipeline.reads) {
    const refused = partitions.filter(({ isRefused }) => isRefused).length;
    checks.push({ name: 'partitions', ok: refused === 0, text: `${partitions.length} assigned${refused > 0 ? `, ${refused} not read: see the log` : ''}` });
  }
  checks.push(...haltedCheck(pipeline.positions()));
  const { judging } = pipeline;
  if (judging !== undefined) {
    const behind = clock.now() - judging.judgedThrough;
    const isIdle = judging.judgedThrough === 0;
    checks.push({
      name: 'judge',
      ok: isIdle || pipeline.desk === undefined || behind < JUDGE_LAG_MAX_MS,
      text:
        pipeline.desk === undefined
          ? 'stands by'
          : isIdle
            ? 'nothing judged yet'
            : `judged through ${new Date(judging.judgedThrough).toISOString().slice(11, 16)} UTC`,
    });
  }
  const spool = http?.stats();
  if (spool !== undefined) checks.push(spoolCheck(spool.spool));
  return checks;
}

/** A partition that waits for a person does not mend itself: whoever watches must hear of it, and why. */
export function haltedCheck(positions: readonly PartitionPosition[]): readonly HealthCheck[] {
  if (positions.length === 0) return [];
  const halted = positions.filter(({ halt }) => halt !== undefined);
  const [first] = halted;
  if (first === undefined) return [{ name: 'halted', ok: true, text: 'no partition' }];
  const more = halted.length > 1 ? ` (and ${halted.length - 1} more)` : '';
  return [{ name: 'halted', ok: false, text: `topic ${first.topic}/${first.partition}: ${first.halt}${more}` }];
}

/** Halted ones that nothing was read of yet have no other place to tell their lag. */
export function positionStats(
  positions: readonly PartitionPosition[],
  known: ReadonlySet<string>,
): { readonly halted: NonNullable<MetricsStats['halted']>; readonly behind: NonNullable<MetricsStats['partitions']> } {
  return {
    halted: positions.map(({ topic, partition, halt }) => ({ topic, partition: String(partition), value: halt === undefined ? 0 : 1 })),
    behind: positions
      .filter(({ source, partition, halt }) => halt !== undefined && !known.has(`${source}/${partition}`))
      .map(({ source, partition, position, end }) => ({ source, partition: String(partition), lagRecords: Math.max(0, end - position) })),
  };
}

function statsOf({ pipeline: current, flow: counters, http }: OpsDeps): MetricsStats {
  const pipeline = current();
  if (pipeline === undefined) return {};
  const flow = counters();
  const partitions = pipeline.partitions();
  const names = new Map(partitions.map((partition) => [partition.sourceId, partition.sourceName]));
  const nameOf = (id: number): string => names.get(id) ?? String(id);
  const flows = [...(flow?.flows ?? [])];
  const health = pipeline.desk?.health() ?? [];
  const alertsOpen: Partial<Record<Severity, number>> = {};
  for (const { state, severity } of pipeline.desk?.alerts() ?? [])
    if (state === 'firing' || state === 'recovering') alertsOpen[severity] = (alertsOpen[severity] ?? 0) + 1;
  const { halted, behind } = positionStats(pipeline.positions(), new Set(partitions.map(({ name }) => name)));
  const spool = http?.stats();
  const store = pipeline.storeStats();
  return {
    received: flows.map(([id, { received }]) => ({ source: nameOf(id), value: received })),
    counted: flows.map(([id, { received, dropped, rejects }]) => ({
      source: nameOf(id),
      value: received - dropped - [...rejects.values()].reduce((sum, count) => sum + count, 0),
    })),
    discarded: flows.flatMap(([id, { dropped, rejects }]) => [
      { source: nameOf(id), reason: 'dropped', value: dropped },
      ...[...rejects].map(([reason, value]) => ({ source: nameOf(id), reason, value })),
    ]),
    ...(store === undefined ? {} : { store }),
    partitions: [
      ...partitions.map(({ name, sourceId, number, segmentAgeMs }) => ({
        source: nameOf(sourceId),
        partition: String(number),
        lagRecords: pipeline.lag(name),
        segmentAgeMs,
      })),
      ...behind,
    ],
    ...(halted.length === 0 ? {} : { halted }),
    ...(flow === undefined ? {} : { eventDelaySeconds: flow.delays.stats() }),
    ...(pipeline.judging === undefined
      ? {}
      : {
          isJudge: pipeline.desk !== undefined,
          judgedThrough: pipeline.judging.judgedThrough,
          ...(pipeline.judging.watermark === undefined ? {} : { watermark: pipeline.judging.watermark }),
        }),
    alertsOpen,
    outboxPending: health.map(({ channel, queued }) => ({ channel, value: queued })),
    notifications: [...pipeline.deliveries],
    ...(spool === undefined ? {} : { http: spool.events, spool: spool.spool }),
  };
}
