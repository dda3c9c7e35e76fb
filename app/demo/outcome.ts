import type { Alert } from '../../core/alert.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { formatDuration, formatNumber, formatTime, UNKNOWN } from '../cli/format.ts';
import type { Paint, Style } from '../cli/style.ts';
import { renderTable, type Column } from '../cli/table.ts';
import { printable } from '../cli/text.ts';
import { alertJson } from '../json/alert.ts';
import { isoTime } from '../json/time.ts';
import type { DemoPart } from '../report/report.ts';
import { NOT_VISIBLE } from '../simulate/attacks.ts';
import { emptyTruth, countInto } from '../simulate/truth.ts';
import type { AttackLine } from './ledger.ts';
import type { DemoPlan } from './plan.ts';
import type { DemoSession } from './session.ts';
import { clock } from './screen-model.ts';
import type { ReceivedMessage } from './types.ts';

/** What a demo showed. */
export type DemoOutcome = {
  readonly seed: number;
  readonly start: EpochMs;
  readonly end: EpochMs;
  /** Lines written, history included. */
  readonly requests: number;
  readonly lines: readonly AttackLine[];
  /** Alerts that people were told of, each with the attack it belongs to. */
  readonly alerts: readonly { readonly alert: Alert; readonly attack: string | undefined }[];
  readonly falseAlerts: readonly Alert[];
  /** Titles of attacks that a threshold should have seen. */
  readonly missed: readonly string[];
  readonly messages: readonly ReceivedMessage[];
  readonly isStopped: boolean;
  /** All caught that can be, and nothing else raised. */
  readonly isGood: boolean;
  /** Kept on request. */
  readonly folder: string | undefined;
  readonly html?: string;
};

export function outcomeOf(given: {
  readonly plan: DemoPlan;
  readonly session: DemoSession;
  readonly now: EpochMs;
  readonly requests: number;
  readonly isStopped: boolean;
  readonly folder: string | undefined;
}): DemoOutcome {
  const { plan, session } = given;
  const { ledger } = session;
  const missed = ledger.missed().map((attack) => attack.title);
  const falseAlerts = ledger.falseAlerts();
  return {
    seed: plan.seed,
    start: plan.start,
    end: given.now,
    requests: given.requests,
    lines: ledger.lines(given.now),
    alerts: ledger.alerts().map(({ alert, attack }) => ({ alert, attack: attack?.title })),
    falseAlerts,
    missed,
    messages: session.messages,
    isStopped: given.isStopped,
    isGood: !given.isStopped && missed.length === 0 && falseAlerts.length === 0,
    folder: given.folder,
  };
}

/** For the HTML report. */
export function demoPart(outcome: DemoOutcome): DemoPart {
  return {
    attacks: outcome.lines.map(({ attack, caught }) => ({
      name: attack.title,
      label: attack.label,
      startedAt: attack.start,
      caughtBy: caught?.rule ?? null,
      afterMs: caught?.afterMs ?? null,
      ...(attack.expectedRules.length === 0 ? { note: NOT_VISIBLE } : {}),
    })),
    falseAlerts: outcome.falseAlerts.length,
    messages: outcome.messages,
  };
}

/** The table at the end and one line of judgement. */
export function renderOutcome(outcome: DemoOutcome, look: { readonly width: number; readonly paint: Paint }): string {
  const { paint } = look;
  // Of a demo that was stopped only what had begun counts.
  const visible = outcome.lines.filter(({ attack, status }) => attack.expectedRules.length > 0 && status !== 'pending');
  const caught = visible.filter((line) => line.caught !== undefined).length;
  const channels = (channel: ReceivedMessage['channel']): number => outcome.messages.filter((message) => message.channel === channel).length;
  const rows = [
    `\n${formatNumber(outcome.requests)} requests, ${formatDuration(outcome.end - outcome.start)} of event time from ${formatTime(outcome.start)}, seed ${outcome.seed}\n\n`,
    renderTable(
      COLUMNS,
      outcome.lines.map((line) => ({ line, alerts: outcome.alerts.filter((entry) => entry.attack === line.attack.title).length })),
      look,
    ),
    '\n',
    paint(
      outcome.isGood ? 'green' : outcome.isStopped && outcome.falseAlerts.length === 0 ? 'yellow' : 'red',
      `${caught} of ${visible.length} attacks that thresholds can see were caught, ${outcome.falseAlerts.length === 0 ? 'no false alert' : `${outcome.falseAlerts.length} false alerts`}`,
    ),
    '\n',
    ...outcome.falseAlerts.map((alert) => `  false: ${printable(`${alert.severity} ${alert.label}: ${alert.finding.why} [${alert.rule}]`)}\n`),
    `${formatNumber(channels('slack'))} Slack messages and ${formatNumber(channels('email'))} mails were received on loopback\n`,
    ...(outcome.isStopped ? ['stopped before the end\n'] : []),
    ...(outcome.html === undefined ? [] : [`report: ${outcome.html}\n`]),
    ...(outcome.folder === undefined ? [] : [`kept: ${outcome.folder}\n`]),
  ];
  return rows.join('');
}

type Row = { readonly line: AttackLine; readonly alerts: number };

/** What stands where no rule does. */
const WITHOUT_CATCH: Readonly<Record<AttackLine['status'], string>> = {
  pending: 'not begun',
  running: 'not yet',
  over: 'nothing',
  caught: '',
  unseen: NOT_VISIBLE,
};

const COLUMNS: readonly Column<Row>[] = [
  { title: 'attack', value: ({ line }) => line.attack.title },
  { title: 'began', value: ({ line }) => clock(line.attack.start), dropOrder: 1 },
  {
    title: 'caught by',
    value: ({ line }) => line.caught?.rule ?? (line.attack.expectedRules.length === 0 ? NOT_VISIBLE : WITHOUT_CATCH[line.status]),
    shrinkTo: 12,
    style: ({ line }): Style => (line.caught !== undefined ? 'green' : line.attack.expectedRules.length === 0 ? 'dim' : 'red'),
  },
  { title: 'after', value: ({ line }) => formatDuration(line.caught?.afterMs), align: 'right' },
  { title: 'on the wall', value: ({ line }) => wall(line.caught?.afterWallMs), align: 'right', dropOrder: 2 },
  { title: 'severity', value: ({ line }) => line.caught?.alert.severity ?? UNKNOWN, dropOrder: 3 },
  { title: 'alerts', value: ({ alerts }) => formatNumber(alerts), align: 'right', dropOrder: 4 },
];

function wall(ms: DurationMs | undefined): string {
  return formatDuration(ms === undefined ? undefined : Math.round(ms));
}

/** `demo --json`. */
export function outcomeJson(outcome: DemoOutcome, version: string): unknown {
  return {
    keywatch: version,
    seed: outcome.seed,
    range: { from: isoTime(outcome.start), to: isoTime(outcome.end) },
    requests: outcome.requests,
    attacks: outcome.lines.map(({ attack, caught }) => {
      const truth = emptyTruth();
      for (const event of attack.events) countInto(truth, event);
      return {
        name: attack.name,
        label: attack.label,
        start: isoTime(attack.start),
        end: isoTime(attack.end),
        keys: attack.labels,
        networks: attack.networks,
        expected: attack.expectedRules,
        truth: {
          requests: truth.requests,
          failedAuth: truth.s401 + truth.s403,
          errors: truth.s4xx + truth.s5xx - truth.s401 - truth.s403 - truth.s429,
          bytesOut: truth.bytesOut,
        },
        caughtBy: caught?.rule ?? null,
        afterMs: caught?.afterMs ?? null,
        afterWallMs: caught === undefined ? null : Math.round(caught.afterWallMs),
        alerts: outcome.alerts.filter((entry) => entry.attack === attack.title).map((entry) => entry.alert.id),
      };
    }),
    alerts: outcome.alerts.map(({ alert }) => alertJson(alert)),
    falseAlerts: outcome.falseAlerts.map((alert) => alert.id),
    messages: outcome.messages.map((message) => ({ channel: message.channel, at: isoTime(message.at), subject: message.subject, text: message.text })),
    stopped: outcome.isStopped,
    html: outcome.html ?? null,
    folder: outcome.folder ?? null,
  };
}
