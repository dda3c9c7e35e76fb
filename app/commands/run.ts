import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Command, InvalidArgumentError, Option } from 'commander';
import { openGeo } from '../../ingest/enrich/mmdb-geo.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, usageError } from '../cli/errors.ts';
import type { Io } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples } from '../cli/options.ts';
import { stopOnSignals } from '../cli/signals.ts';
import type { Config, SourceConfig } from '../config/config.ts';
import { printPath, printPlace } from '../config/diagnostic.ts';
import { loadPepper } from '../pepper.ts';
import { FlowStats } from '../pipeline/flow-stats.ts';
import { isWorldFault } from '../pipeline/judge-seat.ts';
import { openPatiently } from '../pipeline/patient-open.ts';
import { Pipeline, ROLES, type Role } from '../pipeline/pipeline.ts';
import { runLog } from '../pipeline/run-log.ts';
import { housekeeping, startSchedule } from '../pipeline/schedule.ts';
import { startApi } from '../wire/api.ts';
import { httpIngest } from '../wire/http.ts';
import { isAway } from '../wire/away.ts';
import { canSplitRoles, isShared, sharedBusOf } from '../wire/kafka.ts';
import { startOps } from '../wire/ops.ts';
import { sourceNames, sourcesOf } from '../wire/sources.ts';
import { LiveConfig } from '../wire/live-config.ts';
import { startUpkeep } from '../wire/upkeep.ts';
import { openStores } from '../wire/stores.ts';

type Options = ConfigOptions & { readonly roles: ReadonlySet<Role> };

export function command(io: Io): Command {
  const run = withConfigOptions(new Command('run'))
    .description('Watch logs and topics for ever: count every key exactly, judge it, tell people on Slack and by email. Stops cleanly on SIGTERM and Ctrl-C.')
    .argument('[logs...]', 'files, globs or directories to follow, or - for standard input, instead of the configured sources')
    .addOption(
      new Option(
        '--roles <list>',
        'what this process does: ingest, judge, http, by commas. Any number of processes may have each role; one of those with judge judges',
      )
        .argParser(parseRoles)
        .default(new Set(ROLES), 'all of them'),
    )
    .action((logs: readonly string[], options: Options) => start(io, logs, options));
  return withExamples(run, [
    ['keywatch run /var/log/nginx/access.log', 'no configuration needed'],
    ['keywatch run -c keywatch.yml', 'sources, limits and channels from a file; start it again elsewhere for more speed'],
    ['keywatch run -c keywatch.yml --roles ingest', 'only reads and counts: others judge'],
    ['journalctl -fu gateway -o cat | keywatch run -', 'from a pipe'],
  ]);
}

function parseRoles(text: string): ReadonlySet<Role> {
  const roles = text.split(',').map((role) => role.trim());
  const unknown = roles.find((role) => !ROLES.some((known) => known === role));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no role "${unknown}"; there are ${ROLES.join(', ')}`);
  return new Set(ROLES.filter((role) => roles.includes(role)));
}

/**
 * V8 lets the heap of a program that lives on garbage grow to several times its size; this keeps it near what is used.
 * It costs 5 % with one thread and 40 % with several (npm run bench), so it is for machines with one core.
 */
const HEAP_FLAG = '--optimize-for-size';
/** The store is one writer: more threads would wait for it. */
const BACKLOG_THREADS_MAX = 4;

/** Told to stop, it tries so long to have stored what was read; whoever stops processes kills them after half a minute. */
const STORE_GRACE_MS = 5000;

async function start(io: Io, logs: readonly string[], options: Options): Promise<void> {
  const { config, file, layers, warnings } = configuredBy(options, io);
  const { roles } = options;
  const isOneOfMany = isShared(config);
  const threads = isOneOfMany ? 1 : Math.min(availableParallelism(), BACKLOG_THREADS_MAX);
  if (threads < 2 && !isOneOfMany) setFlagsFromString(HEAP_FLAG);
  const log = runLog(io, config.log.level);
  for (const { place, path, message } of warnings) log.warn(`${printPlace(place)} ${printPath(path)}: ${message}`);
  let unstored: readonly string[] = [];
  const sources = roles.has('ingest') ? sourcesFor(logs, config, roles) : [];
  checkRoles(config, roles);
  const directory = config.store.directory;
  const { pepper, origin } = loadPepper({ configured: config.pepper, directory });
  if (origin === 'created') log.info(`made a pepper in ${directory}; back it up: without it, fingerprints of the same keys change`);
  const { clock } = io;
  const places = openGeo(config.enrich.databases);
  if (places.geo === undefined) throw usageError(`enrich.databases: ${places.why}`);
  const geo = config.enrich.databases.length === 0 ? undefined : places.geo;
  // Names one start of one process: in the lease, on the bus and among the members of the group.
  const holder = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  let pipeline: Pipeline | undefined;
  /** The last thing in the way of a start that is not over. */
  let waitsFor: string | undefined;
  const onProblem = (message: string): void => {
    if (pipeline === undefined) waitsFor = message;
    log.warn(message);
  };
  using stop = stopOnSignals((signal) => log.info(`${signal}: storing what was read, then stopping`));
  const deps = { clock, pepper, holder, onProblem, stdin: io.stdin, signal: stop.signal };
  try {
    await using stack = new AsyncDisposableStack();
    const http = roles.has('http') ? httpIngest(config, deps) : undefined;
    let flow: FlowStats | undefined;
    const isDefault = layers.origin(['ops', 'listen']).kind === 'default';
    const ops = (): ReturnType<typeof startOps> =>
      startOps(config, { pipeline: () => pipeline, waitsFor: () => waitsFor, flow: () => flow, http, clock, onProblem, isDefault });
    // Before there are servers to wait for, so that whoever watches hears what a start waits for.
    if (isOneOfMany) stack.use(await ops());
    if (http !== undefined) stack.use(http);
    const open = (): Promise<Pipeline> => {
      // What an attempt that failed has counted is counted again.
      flow = undefined;
      return Pipeline.open({
        config,
        pepper,
        holder,
        roles,
        openStores: () => openStores(config, { clock, signal: delayed(stop.signal, STORE_GRACE_MS) }),
        openBus: sharedBusOf(config, deps),
        sources: [...sourcesOf(sources, config, deps), ...(http === undefined ? [] : [http.source])],
        clock,
        geo,
        threads,
        // All sources of this process go through the same counters.
        tap: (bus) => (flow ??= new FlowStats(bus, clock)),
        onProblem,
        onEvent: (event) => log.desk(event),
        onLead: (isLeading) => {
          if (isOneOfMany) log.info(isLeading ? 'this process judges now' : 'this process does not judge any more');
        },
      });
    };
    pipeline = await openPatiently(open, {
      clock,
      signal: stop.signal,
      isAway,
      onWait: (reason) => onProblem(`${reason}; waiting for it: nothing is read yet, tried again after 1 s, then less often, at most 30 s apart`),
      onOver: () => log.info('it answers now; going on'),
    });
    if (pipeline === undefined) {
      log.info('stopped before the start was over; nothing was read');
      return;
    }
    // A second process on one directory has one thing to say, and that is not that a port is taken.
    if (!isOneOfMany) stack.use(await ops());
    const running = stack.use(pipeline);
    using live = new LiveConfig(config, { load: () => configuredBy(options, io).config, pipeline: running, clock, log });
    const api = await startApi(config, { clock, onProblem, current: () => live.current, onReload: (actor) => live.reload(actor) });
    if (api !== undefined) log.info(`the API is at ${config.api?.tls === undefined ? 'http' : 'https'}://${stack.use(api).address}/v1`);
    using schedule = startSchedule(running, config, { clock, log });
    const channels = config.alerts.channels.map(({ name }) => name);
    const names = [...sources.flatMap(sourceNames), ...(http?.address === undefined ? [] : [`http://${http.address}/v1/events`])];
    log.info(
      `${names.length === 0 ? `waiting to judge` : `watching ${names.join(', ')}`}; data in ${config.store.elasticsearch === undefined ? directory : config.store.elasticsearch.nodes.join(', ')}; ` +
        `${channels.length === 0 ? 'no channel is configured, so alerts are only logged here' : `telling ${channels.join(', ')}`}${file === undefined ? '; no configuration file' : ''}`,
    );
    await http?.listen(() => running.partitions());
    using upkeep = startUpkeep(config, { pipeline: running, flow: () => flow, clock, log });
    await running.run(stop.signal);
    unstored = running.unstored;
    upkeep[Symbol.dispose]();
    schedule[Symbol.dispose]();
    if (!isOneOfMany) await housekeeping(running, config, clock, log);
  } catch (error) {
    if (isWorldFault(error) && error instanceof Error) throw new CliError(error.message, undefined, { cause: error });
    throw error;
  }
  if (unstored.length === 0) log.info('stopped; everything that was read is stored');
  else
    log.warn(
      `stopped; not everything that was read is stored, since the store refused it: ${unstored.join(', ')}; nothing is lost, the next process reads it again`,
    );
}

/** Aborts so long after `signal`. */
function delayed(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController();
  signal.addEventListener('abort', () => void setTimeout(() => controller.abort(), ms).unref(), { once: true });
  return controller.signal;
}

/** A process that only reads, or only judges, needs the others to be able to hear it. */
function checkRoles(config: Config, roles: ReadonlySet<Role>): void {
  if ((roles.has('judge') && roles.has('ingest')) || canSplitRoles(config)) return;
  throw usageError('--roles splits the work over processes: that needs a source kafka and store.elasticsearch in the configuration');
}

function sourcesFor(logs: readonly string[], config: Config, roles: ReadonlySet<Role>): readonly SourceConfig[] {
  if (logs.length > 0) {
    const files = logs.filter((name) => name !== '-').map((name) => resolve(name));
    const sources: SourceConfig[] = [];
    if (files.length > 0) sources.push({ ...config.reading, kind: 'file', patterns: files });
    if (logs.includes('-')) sources.push({ ...config.reading, kind: 'stdin' });
    return sources;
  }
  if (config.sources.length === 0 && (config.http === undefined || !roles.has('http'))) {
    throw usageError('nothing to watch: name log files, for instance keywatch run /var/log/nginx/access.log, or put them under sources: in keywatch.yml');
  }
  return config.sources;
}
