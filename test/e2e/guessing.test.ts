import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../app/simulate/random.ts';
import { entityId } from '../../core/types.ts';
import { testFingerprinter } from '../support/ingest.ts';
import { keywatch, runKeywatch, scratch } from './support/command.ts';
import { writePepper } from './support/pepper.ts';
import { storedCounts, storedRecords } from './support/store.ts';

/** `npm run soak:law` sends ten million. */
const GUESSES = Number(process.env['KEYWATCH_GUESSES'] ?? 200_000);
/** Among them, the requests of a customer: one in so many lines, few enough to raise no alert. */
const CUSTOMER_EVERY = Math.ceil(GUESSES / 2000);
const CUSTOMERS = Math.ceil(GUESSES / CUSTOMER_EVERY);
const CUSTOMER = 'customer-key-not-real';
const SPAN_MS = 8 * 60_000;
/** Of the whole process with its threads: flat, whatever the number of guesses. To remember ten million would take three times as much. */
const RSS_MAX_MB = 600;

test(
  `${GUESSES.toLocaleString('en-US')} guessed keys make no entity, one alert a rule on their network, and no memory`,
  { timeout: 60_000 + GUESSES / 10 },
  async () => {
    using folder = scratch();
    const data = folder.join('data');
    writePepper(data);
    const log = folder.join('access.json');
    await using run = keywatch(['run', log, '--data-dir', data]);
    await run.says('watching');
    writeGuesses(log);
    const total = GUESSES + CUSTOMERS;
    const memory: number[] = [];
    for (let stored = 0; stored < total;) {
      await delay(100);
      stored = await storedRecords(data);
      memory.push(peakMb(run.pid));
    }
    const ended = await run.stop('SIGTERM');
    expect(ended).toMatchObject({ code: 0, signal: null });

    const stored = await storedCounts(data);
    expect(stored).toMatchObject({ records: total, requests: total, rejected: 0 });
    expect(new Map(stored.owners)).toEqual(
      new Map([
        [entityId('key', testFingerprinter.fingerprint(CUSTOMER)), CUSTOMERS],
        ['refused:', GUESSES],
      ]),
    );
    // The customer, `refused` and the network: no guess became an entity.
    using database = new DatabaseSync(`${data}/metrics.db`, { readOnly: true });
    expect(database.prepare('select count(*) as count from entity').get()).toEqual({ count: 3 });

    const listed = await runKeywatch(['alerts', 'list', '--state', 'all', '--json', '--data-dir', data]);
    const { alerts } = JSON.parse(listed.stdout) as { alerts: { rule: string; entity: string; severity: string }[] };
    expect(alerts.map(({ rule, entity, severity }) => `${rule} ${entity} ${severity}`).toSorted()).toEqual([
      'failed_auth network:203.0.113.0/24 critical',
      'guessing network:203.0.113.0/24 critical',
    ]);

    const peak = memory.at(-1) ?? 0;
    const steps = memory.filter((_, index) => index % Math.ceil(memory.length / 10) === 0);
    process.stderr.write(`guessed keys: ${GUESSES.toLocaleString('en-US')}, peak memory ${peak} MB (on the way: ${steps.join(', ')})\n`);
    expect(peak).toBeLessThan(RSS_MAX_MB);
  },
);

const LINES_PER_WRITE = 2000;

/** Every line another key, from one network; all of it is in the last eight minutes. */
function writeGuesses(path: string): void {
  const random = new Random(1, 'guesses');
  const end = Date.now();
  const file = openSync(path, 'a');
  for (let i = 0; i < GUESSES;) {
    let text = '';
    for (const stop = Math.min(GUESSES, i + LINES_PER_WRITE); i < stop; i++) {
      const at = Math.floor(end - SPAN_MS + (SPAN_MS * i) / GUESSES);
      text += `{"ts":${at},"key":"kw_live_${random.base62(24)}","ip":"203.0.113.${i % 200}","method":"GET","path":"/v1/orders","status":401,"bytes":23,"ms":0.7,"ua":"python-requests/2.31.0"}\n`;
      if (i % CUSTOMER_EVERY === 0) {
        text += `{"ts":${at},"key":"${CUSTOMER}","ip":"198.18.0.10","method":"GET","path":"/v1/orders","status":200,"bytes":900,"ms":5,"ua":"acme/2.4"}\n`;
      }
    }
    writeSync(file, text);
  }
  closeSync(file);
}

/** The most memory that the process ever had, in MB; 0 where the system does not say. */
function peakMb(pid: number): number {
  try {
    return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}
