/**
 * What `keywatch run --roles ingest` assembles (app/pipeline), with what a bench must be able to leave out. Stops at the ends of the
 * topic and prints one line of JSON. For profiles: `node --cpu-prof … test/bench/kafka/main.ts …`.
 * node --single-threaded-gc test/bench/kafka/main.ts --config FILE --ends N,N,… [--sketches none|window] [--store es|none] [--bus kafka|none]
 */
import { randomBytes } from 'node:crypto';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../../../app/config/config.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { MetricStore } from '../../../core/ports.ts';

// As bin/keywatch.mjs: before what it is for.
module.enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'keywatch', 'compiled'));
const [{ loadConfig }, { loadPepper, checkPepper }, { claimInterpretation }, { kafkaPipelineSource, kafkaOf, openKafkaBus }, { openStores }] =
  await Promise.all([
    import('../../../app/config/load.ts'),
    import('../../../app/pepper.ts'),
    import('../../../app/pipeline/interpretation.ts'),
    import('../../../app/wire/kafka.ts'),
    import('../../../app/wire/stores.ts'),
  ]);
const [{ systemClock }, { Fingerprinter }, { OK }, { Normaliser }, { Pump }, { SEGMENT_BYTES }, { quietBus }] = await Promise.all([
  import('../../../core/clock.ts'),
  import('../../../core/fingerprint.ts'),
  import('../../../core/types.ts'),
  import('../../../ingest/parse/normaliser.ts'),
  import('../../../ingest/pump.ts'),
  import('../../../ingest/source/segment-grid.ts'),
  import('../../support/bus.ts'),
]);

const { values } = parseArgs({
  options: {
    config: { type: 'string', default: '' },
    ends: { type: 'string', default: '' },
    sketches: { type: 'string', default: 'window' },
    store: { type: 'string', default: 'es' },
    bus: { type: 'string', default: 'kafka' },
  },
});
const ends = values.ends.split(',').map(Number);
const started = performance.now();

function sourceOf(config: Config): Extract<Config['sources'][number], { kind: 'kafka' }> {
  const [source] = config.sources;
  if (source?.kind !== 'kafka') throw new Error('the first source must be kafka');
  return source;
}

/** Takes everything and keeps nothing. */
function forgetful(store: MetricStore): MetricStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'put') return () => Promise.resolve(OK);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const { config } = loadConfig({ env: process.env, file: values.config });
const kafka = kafkaOf(config);
if (kafka === undefined) throw new Error('the configuration has no source kafka');
const { pepper } = loadPepper({ configured: config.pepper, directory: config.store.directory });
const onProblem = (message: string): void => void process.stderr.write(`${message}\n`);
const deps = { clock: systemClock, pepper, holder: `bench-${process.pid}-${randomBytes(4).toString('hex')}`, onProblem };
const source = sourceOf(config);

await using stack = new AsyncDisposableStack();
const stores = stack.use(await openStores(config, deps));
const fingerprinter = new Fingerprinter(pepper);
await checkPepper(stores.store, fingerprinter);
await claimInterpretation(stores.store, config);
const written = { rows: 0, batches: 0, cellBytes: 0 };
const count = (batch: PartialBatch): void => {
  written.rows += batch.rows.length;
  written.batches++;
  for (const row of batch.rows) written.cellBytes += row.cells.length;
};
const bus = values.bus === 'none' ? quietBus(count) : stack.use(await openKafkaBus(kafka, deps)).publisher;
const pipelineSource = kafkaPipelineSource(source, config, deps);
const store = values.store === 'none' ? forgetful(stores.store) : stores.store;
const events = stack.use(await pipelineSource.open(await store.sources(), store));
const naming = { keyNames: source.keyNames, keyBy: source.keyBy, trustedProxies: config.clients.trustedProxies, forwardedDepth: config.clients.depth };
const pump = new Pump(
  {
    segmentBytes: SEGMENT_BYTES,
    detect: { format: source.format, envelope: source.envelope, map: source.map, keyNames: source.keyNames },
    limits: { entities: config.limits.entities, dictionary: config.limits.dictionary },
    flushMs: 1000,
    normaliser: () => new Normaliser({ fingerprinter, ...naming }),
    sketches: values.sketches === 'none' ? 'none' : 'window',
    ...pipelineSource.pump,
  },
  { source: events, store, bus, clock: systemClock, onProblem, origin: pipelineSource.tag, deadLetters: pipelineSource.deadLetters },
);
const stop = new AbortController();
const running = pump.run(stop.signal);
const isThere = (): boolean => {
  const places = new Map(pump.partitions().map(({ number, next }) => [number, next]));
  return ends.every((end, partition) => (places.get(partition) ?? 0) >= end);
};
/** Resolves when everything is stored, or when the pump ended by itself. */
async function allStored(): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  void running.then(end, end);
  while (!isThere() && !over.signal.aborted) await systemClock.sleep(50, over.signal);
}
await allStored();
const usage = process.resourceUsage();
const result = {
  seconds: (performance.now() - started) / 1000,
  cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
  rssMb: usage.maxRSS / 1024,
  ...written,
};
stop.abort();
await running;
process.stdout.write(`${JSON.stringify(result)}\n`);
