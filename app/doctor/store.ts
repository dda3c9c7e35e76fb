import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fingerprinter } from '../../core/fingerprint.ts';
import type { Secret } from '../../core/secret.ts';
import type { EpochMs } from '../../core/types.ts';
import { STATE_FILE, openJournal } from '../../storage/sqlite/journal.ts';
import { METRICS_FILE } from '../../storage/sqlite/files.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';
import { formatAgo, formatDuration, formatNumber, formatTime } from '../cli/format.ts';
import { printable } from '../cli/text.ts';
import { checkPepper, readPepper } from '../pepper.ts';
import { newestEvent } from '../stored.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

const BACKUP = 'stop keywatch, move the file away and start again; it reads the logs that are still there';

export type StoreFindings = { readonly rows: readonly CheckRow[]; readonly newest: EpochMs | undefined };

/** The metrics: they open, their file is sound, they were made with this pepper. */
export async function checkStore(options: { readonly directory: string; readonly configuredPepper: Secret | undefined }): Promise<StoreFindings> {
  const { directory } = options;
  if (!existsSync(join(directory, METRICS_FILE))) return { rows: [ok('store', 'nothing stored yet')], newest: undefined };
  const rows: CheckRow[] = [];
  try {
    await using store = await openMetricStore({ directory, readOnly: true });
    const [damage, ...more] = await store.check();
    if (damage !== undefined) {
      return {
        rows: [fail('store', `${store.path} is damaged: ${printable(damage)}${more.length > 0 ? ` (and ${more.length} more)` : ''}`, BACKUP)],
        newest: undefined,
      };
    }
    const sources = await store.sources();
    const records = sources.reduce((sum, source) => sum + source.records, 0);
    rows.push(ok('store', `sound; ${formatNumber(records)} lines of ${formatNumber(sources.length)} ${sources.length === 1 ? 'source' : 'sources'} counted`));
    rows.push(...(await checkStoredPepper(store, options)));
    return { rows, newest: await newestEvent(store) };
  } catch (error) {
    return { rows: [...rows, fail('store', `${join(directory, METRICS_FILE)}: ${reasonOf(error)}`, BACKUP)], newest: undefined };
  }
}

async function checkStoredPepper(
  store: Parameters<typeof checkPepper>[0],
  options: { readonly directory: string; readonly configuredPepper: Secret | undefined },
): Promise<readonly CheckRow[]> {
  try {
    const pepper = options.configuredPepper ?? readPepper(options.directory);
    // Missing, although something was stored: a new one would be made, and every key would look new.
    if (pepper === undefined) {
      if ((await store.sources()).length === 0) return [];
      return [
        fail(
          'stored pepper',
          'the pepper that the stored keys were made with is gone',
          'put the file pepper back into the data directory, or name it by pepper: in the configuration',
        ),
      ];
    }
    await checkPepper(store, new Fingerprinter(pepper), { isReadOnly: true });
    return [ok('stored pepper', 'the stored keys were made with it')];
  } catch (error) {
    return [fail('stored pepper', reasonOf(error), 'put the old pepper back, or start with an empty data directory')];
  }
}

/** Older undelivered messages mean that a channel does not work. */
const UNDELIVERED_WARN_MS = 600_000;

/** The journal: nobody changed what was decided, and messages leave. */
export async function checkJournal(directory: string, now: EpochMs): Promise<readonly CheckRow[]> {
  if (!existsSync(join(directory, STATE_FILE))) return [ok('journal', 'nothing decided yet')];
  try {
    await using journal = await openJournal({ directory, readOnly: true });
    const chain = await journal.verifyChain();
    const rows: CheckRow[] = [
      chain.isIntact
        ? ok('journal', `${formatNumber(chain.entries)} entries, chain of hashes intact`)
        : fail(
            'journal',
            `entry ${chain.seq} does not follow from the one before: ${printable(chain.reason)}`,
            `somebody or something changed ${journal.path}; restore a backup and find out who`,
          ),
    ];
    const waiting = (await journal.pending()).filter(({ row }) => now - row.createdAt > UNDELIVERED_WARN_MS);
    const oldest = Math.min(...waiting.map(({ row }) => row.createdAt));
    const channels = [...new Set(waiting.map(({ row }) => printable(row.channel)))].join(', ');
    rows.push(
      waiting.length === 0
        ? ok('deliveries', 'no message is waiting')
        : warn(
            'deliveries',
            `${formatNumber(waiting.length)} messages to ${channels} wait, the oldest for ${formatDuration(now - oldest)}`,
            'see the rows of the channels below; they are sent as soon as the channel works and keywatch runs',
          ),
    );
    return rows;
  } catch (error) {
    return [fail('journal', `${join(directory, STATE_FILE)}: ${reasonOf(error)}`, BACKUP)];
  }
}

/** Longer silence is unusual for a gateway that is in use. */
const SILENCE_WARN_MS = 3_600_000;

export function checkLastEvent(newest: EpochMs | undefined, now: EpochMs, hasSources: boolean): CheckRow {
  if (newest === undefined)
    return hasSources
      ? warn('last event', 'no event was stored yet', 'start keywatch run and send a request through the gateway')
      : ok('last event', 'none yet');
  const evidence = `${formatTime(newest)}, ${formatAgo(newest, now)}`;
  return now - newest > SILENCE_WARN_MS
    ? warn('last event', evidence, 'is keywatch running, and does the gateway still write to the configured files?')
    : ok('last event', evidence);
}

function reasonOf(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}
