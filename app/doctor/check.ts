/** ok: as it should be · warn: works, but somebody should look · fail: something does not work. */
export type CheckState = 'ok' | 'warn' | 'fail';

/** One row of `keywatch doctor`. Nothing in it is secret. */
export type CheckRow = {
  readonly name: string;
  readonly state: CheckState;
  /** What was seen. */
  readonly evidence: string;
  /** What to do; empty when there is nothing to do. */
  readonly fix: string;
};

export function ok(name: string, evidence: string): CheckRow {
  return { name, state: 'ok', evidence, fix: '' };
}

export function warn(name: string, evidence: string, fix: string): CheckRow {
  return { name, state: 'warn', evidence, fix };
}

export function fail(name: string, evidence: string, fix: string): CheckRow {
  return { name, state: 'fail', evidence, fix };
}

/** What a check could not look at, because something before it failed. */
export function skipped(name: string, reason: string): CheckRow {
  return { name, state: 'warn', evidence: `not checked: ${reason}`, fix: 'mend that first' };
}
