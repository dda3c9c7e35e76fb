import type { OperatorCommand } from '../core/operator.ts';

/** As many as one call of `pending` gives: the judge applies them in one tick. */
export const PENDING_MAX = 500;

/** What was stored by `submit`; undefined for what a damaged or newer store holds. What is in a command the judge checks. */
export function commandOf(json: string): OperatorCommand | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('id' in value) || !('kind' in value) || !('actor' in value)) return undefined;
  return typeof value.id === 'string' && typeof value.kind === 'string' && typeof value.actor === 'object' ? (value as OperatorCommand) : undefined;
}
