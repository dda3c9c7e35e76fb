import type { Clock } from '../../core/clock.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import type { EpochMs } from '../../core/types.ts';
import { judgeHealth, readHealth } from '../../storage/elasticsearch/health.ts';
import { openJournal } from '../../storage/elasticsearch/journal.ts';
import { openMetricStore } from '../../storage/elasticsearch/metric-store.ts';
import { areTemplatesInstalled } from '../../storage/elasticsearch/templates.ts';
import { checkDrift } from '../../storage/elasticsearch/setup.ts';
import { formatNumber } from '../cli/format.ts';
import { printable } from '../cli/text.ts';
import type { Config, ElasticsearchConfig } from '../config/config.ts';
import { checkPepper } from '../pepper.ts';
import { newestEvent } from '../stored.ts';
import { connectElasticsearch, judgeRetention } from '../wire/stores.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

const DRIFT_MAX = 3;

/** The cluster, whether its templates are as setup made them, and what is stored there. */
export async function checkElasticsearch(
  config: Config,
  elasticsearch: ElasticsearchConfig,
  clock: Clock,
): Promise<{ readonly rows: readonly CheckRow[]; readonly newest: EpochMs | undefined }> {
  const rows: CheckRow[] = [];
  let newest: EpochMs | undefined;
  try {
    await using client = await connectElasticsearch(elasticsearch, clock);
    const { prefix, shards, replicas, ilm } = elasticsearch;
    rows.push(...judgeHealth(await readHealth(client, prefix)));
    const drift = await checkDrift(client, { prefix, shards, replicas, ilm, retention: judgeRetention(config.store.retention) });
    const missing = drift.filter(({ isChanged }) => !isChanged);
    const changed = drift.filter(({ isChanged }) => isChanged);
    if (drift.length === 0) rows.push(ok('index templates', 'as keywatch setup made them'));
    if (missing.length > 0)
      rows.push(
        warn(
          'index templates',
          `missing: ${missing
            .slice(0, DRIFT_MAX)
            .map(({ what }) => what)
            .join(', ')}${more(missing.length)}`,
          'run keywatch setup',
        ),
      );
    if (changed.length > 0)
      rows.push(
        warn(
          'index templates',
          `changed since setup: ${changed
            .slice(0, DRIFT_MAX)
            .map(
              ({ what, drift: [first] }) =>
                `${what}${first === undefined ? '' : ` (${first.path} is ${first.installed ?? 'not set'}, wanted ${first.wanted ?? 'not set'})`}`,
            )
            .join(', ')}${more(changed.length)}`,
          'run keywatch setup, which puts them back',
        ),
      );
    // Looking must not make anything.
    if (!(await areTemplatesInstalled(client, { prefix, shards, replicas }))) {
      rows.push(ok('store', 'nothing stored yet'));
      return { rows, newest };
    }
    await using store = await openMetricStore({ prefix, shards, replicas }, { elasticsearch: client });
    const sources = await store.sources();
    rows.push(
      ok(
        'store',
        `${formatNumber(sources.reduce((sum, { records }) => sum + records, 0))} records of ${formatNumber(sources.length)} ${sources.length === 1 ? 'source' : 'sources'} counted`,
      ),
    );
    newest = await newestEvent(store);
    if (config.pepper !== undefined) {
      await checkPepper(store, new Fingerprinter(config.pepper), { isReadOnly: true });
      rows.push(ok('stored pepper', 'the stored keys were made with it'));
    }
    await using journal = await openJournal({ elasticsearch: client, prefix, readOnly: true });
    const chain = await journal.verifyChain();
    rows.push(
      chain.isIntact
        ? ok('journal', `${formatNumber(chain.entries)} entries, chain of hashes intact`)
        : fail(
            'journal',
            `entry ${chain.seq} does not follow from the one before: ${printable(chain.reason)}`,
            `somebody or something changed ${prefix}-journal; restore a snapshot and find out who`,
          ),
    );
  } catch (error) {
    rows.push(
      fail(
        'elasticsearch',
        printable(error instanceof Error ? error.message : String(error)),
        'check the addresses, the credentials and ca under store.elasticsearch',
      ),
    );
  }
  return { rows, newest };
}

function more(count: number): string {
  return count > DRIFT_MAX ? ` and ${count - DRIFT_MAX} more` : '';
}
