import type { DeskEvent } from '../../alerts/desk.ts';
import type { Alert } from '../../core/alert.ts';
import type { EntityId } from '../../core/types.ts';
import { analyze } from '../analyze/analyze.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { DemoPipeline, DemoPipelineHandlers, DemoPipelineOptions, DemoStats } from '../demo/types.ts';
import { version } from '../main.ts';
import { loadPepper } from '../pepper.ts';
import { LiveStats } from '../pipeline/live-stats.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { sourcesOf } from './sources.ts';
import { openStores } from './stores.ts';
import type { AnalyzeReport } from '../report/report.ts';
import { reportRules } from '../report/rules.ts';
import { RULES } from '../../detectors/registry.ts';

/** Event time that must be judged before the demo counts as drained: the watermark's own lateness and a closing minute. */
const SETTLE_MS = 70_000;
const POLL_MS = 5_000;

/** The real pipeline over the demo's two growing files, with the real channels pointed at receivers on loopback. */
export async function startDemoPipeline(options: DemoPipelineOptions, handlers: DemoPipelineHandlers): Promise<DemoPipeline> {
  const { clock, dataDir } = options;
  const config = demoConfig(options);
  const { pepper } = loadPepper({ configured: undefined, directory: dataDir });
  let stats: LiveStats | undefined;
  // The sources share one screen: every bus goes through the same counters.
  const pipeline = await Pipeline.open({
    config,
    openStores: () => openStores(config, { clock }),
    holder: 'demo',
    pepper,
    sources: sourcesOf(config.sources, config, { clock, stdin: process.stdin, pepper, holder: 'demo', onProblem: handlers.onProblem }),
    clock,
    onProblem: handlers.onProblem,
    onEvent: (event) => tell(event, handlers),
    tap: (bus) => (stats ??= new LiveStats(bus)),
  });
  const stop = new AbortController();
  const running = pipeline.run(stop.signal);
  // A fault of ours ends the demo with it: `drain` and dispose look at it.
  running.catch((error: unknown) => handlers.onProblem(error instanceof Error ? error.message : String(error)));
  const labels = (entity: EntityId): string => pipeline.directory.label(entity);
  return {
    stats: ({ top, minutes }): DemoStats => ({
      events: stats?.events ?? 0,
      rejected: stats?.rejected ?? 0,
      newest: stats?.newest ?? 0,
      behindBytes: pipeline
        .partitions()
        .reduce((sum, partition) => sum + (partition.isAtEnd ? 0 : Math.max(0, (partition.sizeBytes ?? 0) - partition.next)), 0),
      entities: stats?.entities ?? 0,
      top: (stats?.top(top, minutes) ?? []).map((key) => ({ ...key, label: labels(key.entity) })),
    }),
    drain: async (signal) => {
      const until = clock.now();
      while (!signal.aborted) {
        const isRead = pipeline.partitions().length === options.files.length && pipeline.partitions().every((partition) => partition.isAtEnd);
        if (isRead && (pipeline.judging?.judgedThrough ?? 0) >= until - SETTLE_MS) break;
        await clock.sleep(POLL_MS, signal);
      }
      await pipeline.desk?.drain(signal);
    },
    report: () => demoReport(options, config, pepper.reveal(), pipeline),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running.catch(() => undefined);
      await pipeline[Symbol.asyncDispose]();
    },
  };
}

function tell(event: DeskEvent, handlers: DemoPipelineHandlers): void {
  if (event.kind === 'transition' && event.alert !== undefined) handlers.onAlert(event.alert);
  if (event.kind === 'problem') handlers.onProblem(event.error.message);
}

function demoConfig(options: DemoPipelineOptions): Config {
  const { config } = loadConfig({ env: {}, cwd: options.dataDir, dataDir: options.dataDir, secrets: 'none' });
  const { smtp } = options;
  return {
    ...config,
    sources: options.files.map((path) => ({ ...config.reading, kind: 'file', patterns: [path] })),
    directory: {
      keys: options.keys.map(({ credentialId, label, plan }) => ({ id: credentialId, label, plan, rules: {} })),
      plans: Object.fromEntries([...new Set(options.keys.map(({ plan }) => plan))].map((plan) => [plan, { rules: {} }])),
    },
    alerts: {
      ...config.alerts,
      // A demo has no day to look first.
      surveyMs: 0,
      channels: [
        { kind: 'slack', name: 'slack', minSeverity: 'medium', settings: { webhookUrl: options.slackWebhook } },
        { kind: 'email', name: 'email', minSeverity: 'medium', settings: { host: smtp.host, port: smtp.port, tls: 'none', from: smtp.from, to: [smtp.to] } },
      ],
    },
  };
}

/** The demo's logs as `analyze` reports them, with the alerts that were really raised. */
async function demoReport(options: DemoPipelineOptions, config: Config, pepper: string, pipeline: Pipeline): Promise<AnalyzeReport> {
  const report = await analyze({
    names: options.files,
    config,
    reading: config.reading,
    pepper,
    since: undefined,
    until: undefined,
    threads: 1,
    isSuggesting: false,
    limits: 'the shipped thresholds',
    version: version(),
    clock: options.clock,
    stdin: process.stdin,
    onProgress: () => undefined,
  });
  const raised = await pipeline.journal.alerts({ limit: Number.MAX_SAFE_INTEGER });
  const alerts: Alert[] = raised.filter((alert) => alert.firedAt !== undefined);
  return { ...report, alerts, rules: reportRules(RULES, alerts) };
}
