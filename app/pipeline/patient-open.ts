import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';

const FIRST_WAIT_MS: DurationMs = 1000;
const LONGEST_WAIT_MS: DurationMs = 30_000;
/** What an open that nobody waits for any more may need to close what it has open. */
const ROLLBACK_MS: DurationMs = 2000;

export type PatientOpen = {
  readonly clock: Clock;
  /** Aborted: nobody waits any more. */
  readonly signal: AbortSignal;
  /** True for a server that is away and comes back without anybody changing the configuration. */
  readonly isAway: (error: unknown) => error is Error;
  /** Once per reason, not per attempt. */
  readonly onWait: (reason: string) => void;
  /** It was waited for, and it is there. */
  readonly onOver: () => void;
};

/**
 * Opens what needs servers that may not be there yet: after a power cut everything starts at once, and who gives up
 * would have to be started by hand. Every attempt is a whole one; what it opened before it failed is closed by it.
 * Undefined when `signal` aborted first.
 */
export async function openPatiently<T extends AsyncDisposable>(open: () => Promise<T>, options: PatientOpen): Promise<T | undefined> {
  const { clock, signal, isAway, onWait, onOver } = options;
  let told = '';
  for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
    try {
      const opened = await unlessAborted(open(), { clock, signal });
      if (opened !== undefined && told !== '') onOver();
      return opened;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isAway(error)) throw error;
      if (error.message !== told) onWait(error.message);
      told = error.message;
    }
    await clock.sleep(waitMs, signal);
  }
  return undefined;
}

/** What is opened too late is closed again; a server that does not even answer to that is not waited for. */
async function unlessAborted<T extends AsyncDisposable>(opening: Promise<T>, { clock, signal }: Pick<PatientOpen, 'clock' | 'signal'>): Promise<T | undefined> {
  const done = new AbortController();
  const aborted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true, signal: done.signal }));
  try {
    const opened = await Promise.race([opening, aborted]);
    if (opened !== undefined && !signal.aborted) return opened;
    const closed = opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
    await Promise.race([closed, clock.sleep(ROLLBACK_MS, done.signal)]);
    return undefined;
  } finally {
    done.abort();
  }
}
