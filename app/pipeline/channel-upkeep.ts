import { type ChannelNotes, type RecordingNotifier, type RefreshingNotifier, isRecording, isRefreshing } from '../../alerts/notify/channel.ts';
import { OPEN_STATES, type JournalEntry, type Notification } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { Incident } from '../../core/incident.ts';
import type { Journal, Notifier } from '../../core/ports.ts';
import type { DurationMs, Outcome } from '../../core/types.ts';

const INCIDENT_PAGE = 500;
const ALERTS_MAX = 20;
const RECORD_ENTRIES_MAX = 200;
const RECORD_POLL_MS: DurationMs = 5000;
const RETRY_FIRST_MS: DurationMs = 5000;
const RETRY_MAX_MS: DurationMs = 5 * 60_000;
const RECORDED = 'recorded';

export type UpkeepDeps = {
  readonly journal: Pick<Journal, 'entries' | 'incidents' | 'alerts' | 'head'>;
  readonly clock: Clock;
  readonly notes: (channel: string) => ChannelNotes;
  readonly onProblem: (message: string) => void;
};

/**
 * What some channels need beside messages, as long as this process judges: a far side that forgets is told again what
 * is open, and one that keeps records gets every entry of the journal. Each has its own loop: one that hangs delays no other.
 */
export async function keepUp(notifiers: readonly Notifier[], deps: UpkeepDeps, signal: AbortSignal): Promise<void> {
  await Promise.all([
    ...notifiers.filter(isRefreshing).map((notifier) => refreshing(notifier, deps, signal)),
    ...notifiers.filter(isRecording).map((notifier) => recording(notifier, deps, signal)),
  ]);
}

async function refreshing(notifier: RefreshingNotifier, { journal, clock, onProblem }: UpkeepDeps, signal: AbortSignal): Promise<void> {
  const problem = toldOnce(notifier.name, 'is not told what is open', onProblem);
  while (!signal.aborted) {
    try {
      problem(await notifier.refresh(await openFor(notifier.name, journal, clock.now()), signal));
    } catch (error) {
      // The store is away: the next round asks again.
      problem({ ok: false, retryable: true, reason: error instanceof Error ? error.message : 'the store did not answer' });
    }
    await clock.sleep(notifier.refreshMs, signal);
  }
}

/** What the channel was told of and is not over, as the journal has it now. */
export async function openFor(channel: string, journal: UpkeepDeps['journal'], now: number): Promise<readonly Notification[]> {
  const open: Notification[] = [];
  const states = OPEN_STATES.filter((state): state is Incident['state'] => state !== 'pending');
  let last: Incident | undefined;
  do {
    const page: readonly Incident[] = await journal.incidents({
      states,
      limit: INCIDENT_PAGE,
      ...(last === undefined ? {} : { after: { at: last.startedAt, id: last.id } }),
    });
    for (const incident of page) {
      const standing = incident.channels[channel];
      if (standing?.status !== 'told') continue;
      const alerts = await journal.alerts({ ids: incident.alerts.slice(0, ALERTS_MAX) });
      const worst = incident.alerts.flatMap((id) => alerts.filter((alert) => alert.id === id));
      if (worst[0] === undefined) continue;
      open.push({
        id: `${incident.id}/${channel}/refresh`,
        kind: 'updated',
        at: now,
        attempt: 1,
        incident,
        alerts: worst,
        alert: worst[0],
        openedAs: standing.openedAs,
      });
    }
    last = page.length < INCIDENT_PAGE ? undefined : page.at(-1);
  } while (last !== undefined);
  return open;
}

/** 1. read, 2. send, 3. note how far: a crash between 2 and 3 sends again, under the same ids. Nothing is ever passed over. */
async function recording(notifier: RecordingNotifier, deps: UpkeepDeps, signal: AbortSignal): Promise<void> {
  const { journal, clock, onProblem } = deps;
  const notes = deps.notes(notifier.name);
  const problem = toldOnce(notifier.name, 'does not take records', onProblem);
  let from: number | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let wait = RECORD_POLL_MS;
    try {
      from ??= Number((await notes.read(RECORDED)) ?? 0) + 1;
      const entries = await nextEntries(journal, from);
      const newest = entries.at(-1);
      if (newest !== undefined) {
        const outcome = await notifier.record(entries, signal);
        problem(outcome);
        if (outcome.ok) {
          await notes.write(RECORDED, String(newest.seq));
          from = newest.seq + 1;
          failures = 0;
          if (entries.length === RECORD_ENTRIES_MAX) wait = 0;
        } else wait = Math.max(outcome.retryAfterMs ?? 0, Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures++, 10)));
      }
    } catch (error) {
      problem({ ok: false, retryable: true, reason: error instanceof Error ? error.message : 'the store did not answer' });
    }
    await clock.sleep(wait, signal);
  }
}

async function nextEntries(journal: UpkeepDeps['journal'], from: number): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const entry of journal.entries(from)) {
    entries.push(entry);
    if (entries.length >= RECORD_ENTRIES_MAX) break;
  }
  return entries;
}

/** Says a fault once, until it is over. */
function toldOnce(name: string, what: string, onProblem: (message: string) => void): (outcome: Outcome) => void {
  let isTold = false;
  return (outcome) => {
    if (!outcome.ok && !isTold) onProblem(`${name} ${what}: ${outcome.reason}`);
    isTold = !outcome.ok;
  };
}
