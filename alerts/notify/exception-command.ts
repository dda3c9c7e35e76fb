import { DAY_MS } from '../../core/window.ts';
import type { IncidentNotice } from './facts.ts';

const FOR_MS = 30 * DAY_MS;
const REASON = 'as agreed with the owner';

/**
 * The command that says "this is expected" of one key and one rule, ready to paste: up to a tenth over the peak, for
 * thirty days. Undefined where the names hold what a shell or a person could misread: a command from traffic is never shown.
 */
export function exceptionCommand({ notification, incident, alert }: IncidentNotice): string | undefined {
  if (incident.kind === 'fleet') return undefined;
  const entity: string = alert.entity;
  if (!/^[A-Za-z0-9_:.@/-]{1,120}$/.test(entity) || !/^[a-z0-9_.-]{1,60}$/i.test(alert.rule)) return undefined;
  const until = new Date(notification.at + FOR_MS).toISOString().slice(0, 10);
  return `keywatch exceptions add --key ${entity} --rule ${alert.rule} --up-to ${roundUp(alert.peak * 1.1)} --until ${until} --reason "${REASON}"`;
}

/** To two digits, upwards: people agree on 2600, not on 2541. */
function roundUp(value: number): number {
  if (!Number.isFinite(value) || value <= 0) return 0;
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Number((Math.ceil(value / step) * step).toPrecision(6));
}
