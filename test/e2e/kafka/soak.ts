import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../../app/simulate/random.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { isBuilt } from '../../../bin/sources.mjs';
import { startElasticsearch } from '../../services/elasticsearch.ts';
import { startKafka } from '../../services/kafka.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { ROOT } from '../support/command.ts';
import { Installation, until } from './installation.ts';
import { type Difference, compare, storedCells } from './ledger.ts';
import { type AlertResult, checkAlerts, expectedAlerts } from './soak-alerts.ts';
import { Fleet } from './soak-processes.ts';
import { FAILURE_LIMIT, REQUEST_LIMIT, SoakTraffic } from './soak-traffic.ts';
import { windowDocuments } from './window-documents.ts';

export type SoakOptions = {
  readonly eventsPerSecond: number;
  readonly keys: number;
  readonly partitions: number;
  readonly kills: number;
  /** Joins and leaves of a fourth process; each is one rebalance, beside those that the kills bring. */
  readonly rebalances: number;
  readonly outageMs: number;
  /** Between two kills, on average. */
  readonly killEveryMs: number;
  readonly rebalanceEveryMs: number;
  readonly seed: number;
  readonly onStep: (step: Step) => void;
};

export type Step = {
  readonly what: string;
  readonly seconds: number;
  readonly produced: number;
  readonly stored: number;
  readonly kills: number;
  readonly rebalances: number;
};

export type SoakResult = {
  readonly isBuilt: boolean;
  readonly seconds: number;
  readonly producingSeconds: number;
  readonly produced: number;
  readonly eventsPerSecond: number;
  readonly kills: number;
  readonly rebalances: number;
  readonly outageSeconds: number;
  readonly gaveUpDuringOutage: number;
  /** Until everything that was sent was stored. */
  readonly drainSeconds: number;
  readonly segments: number;
  /** Merged windows of the metric store. */
  readonly store: Difference;
  /** Documents of the judge, which dashboards read. */
  readonly documents: Difference;
  readonly alerts: AlertResult;
  readonly faults: readonly string[];
};

const PROCESSES = 3;
const DRAIN_MS_MAX = 300_000;
const JUDGED_MS_MAX = 300_000;
const TOLD_MS_MAX = 180_000;
/** After an outage processes that were waiting may still give up. */
const AFTER_OUTAGE_MS = 45_000;
const LOOK_MS_MAX = 2000;
const WARM_UP_MS = 10_000;

/** Real servers, real processes, real kills; at the end every (key, minute) of the store against what was sent. */
export async function soakKafka(options: SoakOptions): Promise<SoakResult> {
  const started = performance.now();
  await using stack = new AsyncDisposableStack();
  const [broker, node] = await Promise.all([startKafka(), startElasticsearch({ heapMb: 1024 })]);
  stack.use(broker);
  stack.use(node);
  const slack = stack.use(await new HttpReceiver().listen());
  const off = { enabled: false };
  const installed = stack.use(
    await Installation.open({
      name: 'soak',
      brokers: broker.brokers,
      elasticsearch: node.url,
      partitions: options.partitions,
      slack: slack.origin,
      isOwn: true,
      config: {
        lateness: '10s',
        rules: {
          request_rate: { warning: 'off', critical: REQUEST_LIMIT },
          failed_auth: { warning: 'off', critical: FAILURE_LIMIT },
          error_rate: off,
          data_transfer: off,
          guessing: off,
        },
      },
    }),
  );
  const traffic = new SoakTraffic({ ...options, topic: installed.topic }, stack.use(kafkaPublisher(installed.client)));
  const fleet = stack.use(new Fleet(PROCESSES, () => installed.run()));
  const random = new Random(options.seed, 'kills');
  const counts = { kills: 0, rebalances: 0 };
  const step = async (what: string): Promise<void> =>
    options.onStep({
      what,
      seconds: Math.round((performance.now() - started) / 1000),
      produced: traffic.ledger.events,
      // Nobody waits for a store that is away.
      stored: await Promise.race([installed.records().catch(() => Number.NaN), delay(LOOK_MS_MAX, Number.NaN)]),
      ...counts,
    });

  const producing = traffic.run();
  producing.catch(() => undefined);
  const began = performance.now();
  await delay(WARM_UP_MS);
  const chaos = [
    (async () => {
      while (counts.kills < options.kills) {
        await delay(options.killEveryMs * (0.3 + random.below(1400) / 1000));
        await fleet.kill(random);
        counts.kills++;
        await step('kill -9');
      }
    })(),
    (async () => {
      while (counts.rebalances < options.rebalances) {
        await delay(options.rebalanceEveryMs);
        await using fourth = installed.run();
        counts.rebalances++;
        await step('joins');
        await delay(options.rebalanceEveryMs);
        const { code, stderr } = await fourth.stop('SIGTERM');
        counts.rebalances++;
        await step('leaves');
        if (code !== 0 && !isAway(stderr)) fleet.faults.push(`the fourth process ended with code ${code}: ${stderr.slice(-1000)}`);
      }
    })(),
    (async () => {
      if (options.outageMs === 0) return;
      await delay((options.kills * options.killEveryMs) / 3);
      fleet.isOutage = true;
      await node.stop();
      await step('Elasticsearch stopped');
      await delay(options.outageMs);
      await node.restart();
      await step('Elasticsearch is back');
      await delay(AFTER_OUTAGE_MS);
      fleet.isOutage = false;
    })(),
  ];
  await Promise.race([Promise.all(chaos), producing.then(() => undefined)]);
  traffic.stop();
  await producing;
  const producingSeconds = (performance.now() - began) / 1000;
  await step('everything is sent');

  const faults: string[] = [];
  const patiently = async (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => void faults.push(error instanceof Error ? error.message : String(error)));
  const draining = performance.now();
  await patiently(until(() => isDrained(installed), 'heads to be at the ends of the logs', DRAIN_MS_MAX));
  const drainSeconds = (performance.now() - draining) / 1000;
  await step('everything is stored');
  const truth = traffic.ledger.byEntity();
  const elasticsearch = await installed.elasticsearch();
  await patiently(
    until(
      async () => isSame(compare(truth, await windowDocuments(elasticsearch, installed.name))),
      'the window documents to hold what was sent',
      JUDGED_MS_MAX,
    ),
  );
  await step('everything is judged');
  const expected = expectedAlerts(traffic.ledger, traffic.failures, { requests: REQUEST_LIMIT, failures: FAILURE_LIMIT });
  const look = (): Promise<AlertResult> => checkAlerts(elasticsearch, installed.name, expected, slack.posts);
  await patiently(until(async () => (await look()).untold === 0, 'all messages to be told', TOLD_MS_MAX));
  if (faults.length > 0) faults.push(...fleet.lastWords());
  await fleet.stop();
  // Only now nobody writes any more: what is there now is what counts.
  const store = compare(truth, await storedCells(await installed.store()));
  const documents = compare(truth, await windowDocuments(elasticsearch, installed.name));
  const alerts = await look();
  return {
    isBuilt: isBuilt(ROOT),
    seconds: Math.round((performance.now() - started) / 1000),
    producingSeconds: Math.round(producingSeconds),
    produced: traffic.ledger.events,
    eventsPerSecond: Math.round(traffic.ledger.events / producingSeconds),
    ...counts,
    outageSeconds: options.outageMs / 1000,
    gaveUpDuringOutage: fleet.gaveUp,
    drainSeconds: Math.round(drainSeconds),
    segments: await segmentCount(installed),
    store,
    documents,
    alerts,
    faults: [...faults, ...fleet.faults, ...alerts.faults],
  };
}

export function isGood({ store, documents, alerts, faults }: SoakResult): boolean {
  return isSame(store) && isSame(documents) && alerts.missing === 0 && alerts.extra === 0 && alerts.untold === 0 && faults.length === 0;
}

function isSame({ lost, doubled, off }: Difference): boolean {
  return lost === 0 && doubled === 0 && off === 0;
}

/** Whether the end is one that a supervisor would answer with another start. */
function isAway(stderr: string): boolean {
  return /elasticsearch/.test(stderr);
}

async function isDrained(installed: Installation): Promise<boolean> {
  const [heads, ranges] = await Promise.all([installed.heads(), installed.reader.ranges(installed.topic)]);
  return [...ranges].every(([partition, { end }]) => end === 0 || heads.find(({ segment }) => segment.partition === partition)?.next === end);
}

async function segmentCount(installed: Installation): Promise<number> {
  const { client } = await installed.elasticsearch();
  return (await client.count({ index: `${installed.name}-segment*` })).count;
}
