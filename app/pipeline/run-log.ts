import { pino } from 'pino';
import type { DeskEvent } from '../../alerts/desk.ts';
import { assertNever } from '../../core/types.ts';
import type { Io } from '../cli/io.ts';
import { SEVERITY_STYLES, painter } from '../cli/style.ts';
import { printable } from '../cli/text.ts';
import type { Config } from '../config/config.ts';

/** The log of a running Keywatch: lines for a person on a terminal, JSON for a collector otherwise. */
export type RunLog = {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  desk(event: DeskEvent): void;
};

export function runLog(io: Io, level: Config['log']['level']): RunLog {
  const lines = io.stderr.isTTY === true ? terminalLines(io, level) : jsonLines(io, level);
  return {
    ...lines,
    desk(event) {
      switch (event.kind) {
        case 'transition': {
          const { transition, alert } = event;
          if (alert === undefined || !TOLD.includes(transition.to)) break;
          const fields = {
            alert: alert.id,
            rule: alert.rule,
            entity: alert.entity,
            severity: alert.severity,
            from: transition.from,
            to: transition.to,
            cause: transition.cause,
          };
          lines.warn(`${alert.severity} ${transition.to}: ${alert.label}: ${alert.finding.why}`, fields);
          break;
        }
        case 'delivery': {
          const { delivery, row } = event;
          if (delivery.result === 'sent') lines.info(`told ${row?.channel ?? '?'}: ${row?.kind ?? '?'}`, { row: delivery.row, attempt: delivery.attempt });
          else if (delivery.result !== 'merged')
            lines.warn(`${row?.channel ?? '?'} did not take a message (${delivery.result}): ${delivery.reason ?? ''}`, {
              row: delivery.row,
              attempt: delivery.attempt,
            });
          break;
        }
        case 'problem':
          lines.warn(event.error.message);
          break;
        case 'queued':
          break;
        default:
          assertNever(event);
      }
    },
  };
}

/** States that a person wants to see pass by. */
const TOLD: readonly string[] = ['firing', 'resolved'];
const RANKS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

function terminalLines(io: Io, level: Config['log']['level']): Omit<RunLog, 'desk'> {
  const paint = painter(io.stderr);
  const say = (rank: (typeof RANKS)[number], message: string, severity: unknown): void => {
    if (RANKS.indexOf(rank) < RANKS.indexOf(level)) return;
    const time = new Date(io.clock.now()).toISOString().slice(11, 19);
    const style =
      typeof severity === 'string' && severity in SEVERITY_STYLES
        ? SEVERITY_STYLES[severity as keyof typeof SEVERITY_STYLES]
        : rank === 'warn'
          ? 'yellow'
          : 'reset';
    io.stderr.write(`${paint('dim', time)} ${paint(style, printable(message))}\n`);
  };
  return { info: (message, fields) => say('info', message, fields?.['severity']), warn: (message, fields) => say('warn', message, fields?.['severity']) };
}

function jsonLines(io: Io, level: Config['log']['level']): Omit<RunLog, 'desk'> {
  const logger = pino({ level, base: null, timestamp: () => `,"time":"${new Date(io.clock.now()).toISOString()}"` }, io.stderr);
  return { info: (message, fields) => logger.info(fields ?? {}, message), warn: (message, fields) => logger.warn(fields ?? {}, message) };
}
