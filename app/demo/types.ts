import type { Alert } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { Secret } from '../../core/secret.ts';
import type { DurationMs, EntityId, EpochMs } from '../../core/types.ts';
import type { AnalyzeReport } from '../report/report.ts';

/** What the demo asks of the composition root: the real pipeline over two growing files. */
export type DemoPipelineOptions = {
  /** Exists, empty, and is removed by the demo. */
  readonly dataDir: string;
  /** Followed for ever; both exist and hold ten minutes of history. Their formats are to be detected. */
  readonly files: readonly string[];
  /** Runs faster than the wall. Everything that asks for time must ask this one. */
  readonly clock: Clock;
  /** The inventory: what the demo's keys are called. */
  readonly keys: readonly { readonly credentialId: string; readonly label: string; readonly plan: string }[];
  /** The receivers on loopback. Every alert goes to both; nothing is surveyed first. */
  readonly slackWebhook: Secret;
  readonly smtp: { readonly host: string; readonly port: number; readonly from: string; readonly to: string };
};

export type DemoPipelineHandlers = {
  /** An alert changed its state or its severity. Called after the change is durable. */
  readonly onAlert: (alert: Alert) => void;
  /** One clear line for a person. */
  readonly onProblem: (message: string) => void;
};

/** What the screen shows of one moment. Cheap: asked for up to ten times a second. */
export type DemoStats = {
  /** Counted since the start. */
  readonly events: number;
  readonly rejected: number;
  /** Event time of the newest event counted; 0 before the first. */
  readonly newest: EpochMs;
  /** Bytes written to the files that are not counted yet. */
  readonly behindBytes: number;
  /** Entities seen. */
  readonly entities: number;
  /** By requests of the last full minute, descending; at least as many as asked for, when there are so many. */
  readonly top: readonly DemoKey[];
};

export type DemoKey = {
  readonly entity: EntityId;
  /** From the directory. */
  readonly label: string;
  /** Requests of each of the last minutes of event time, oldest first; the last one is still growing. */
  readonly minutes: readonly number[];
  /** Over those minutes, 0..1; undefined without requests. */
  readonly errorShare: number | undefined;
  /** Distinct addresses over those minutes. */
  readonly addresses: number;
};

export interface DemoPipeline extends AsyncDisposable {
  stats(query: { readonly top: number; readonly minutes: number }): DemoStats;
  /** Resolves when everything in the files is counted and judged up to the clock's now, and every message was tried. Never rejects; ends early when `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>;
  /** Everything that was seen, for the HTML report. */
  report(): Promise<AnalyzeReport>;
}

export type StartDemoPipeline = (options: DemoPipelineOptions, handlers: DemoPipelineHandlers) => Promise<DemoPipeline>;

/** A message as a receiver on loopback got it. */
export type ReceivedMessage = {
  readonly channel: 'slack' | 'email';
  /** Clock of the demo. */
  readonly at: EpochMs;
  /** For Slack the notification text. */
  readonly subject: string;
  /** Plain lines as a person reads them. */
  readonly text: string;
};

/** When the first alert of an attack came. */
export type Catch = {
  readonly rule: string;
  readonly alert: Alert;
  /** Event time from the start of the attack. */
  readonly afterMs: DurationMs;
  /** The same on the wall. */
  readonly afterWallMs: DurationMs;
};
