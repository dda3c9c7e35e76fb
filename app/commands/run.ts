import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import { configuredBy } from '../cli/configured.ts';
import { CliError, usageError } from '../cli/errors.ts';
import type { Io } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples } from '../cli/options.ts';
import { stopOnSignals } from '../cli/signals.ts';
import type { Config, SourceConfig } from '../config/config.ts';
import { loadPepper } from '../pepper.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { runLog } from '../pipeline/run-log.ts';
import { housekeeping, startSchedule } from '../pipeline/schedule.ts';
import { sourcesOf } from '../pipeline/sources.ts';
import { StorageFault } from '../../storage/sqlite/fault.ts';

export function command(io: Io): Command {
  const run = withConfigOptions(new Command('run'))
    .description('Watch logs for ever: count every key exactly, judge it, tell people on Slack and by email. Stops cleanly on SIGTERM and Ctrl-C.')
    .argument('[logs...]', 'files, globs or directories to follow, or - for standard input, instead of the configured sources')
    .action((logs: readonly string[], options: ConfigOptions) => start(io, logs, options));
  return withExamples(run, [
    ['keywatch run /var/log/nginx/access.log', 'no configuration needed'],
    ['keywatch run -c keywatch.yml', 'sources, limits and channels from a file'],
    ['journalctl -fu gateway -o cat | keywatch run -', 'from a pipe'],
  ]);
}

/**
 * V8 lets the heap of a program that lives on garbage grow to several times its size; this keeps it near what is used.
 * It costs 5 % with one thread and 40 % with several (npm run bench), so it is for machines with one core.
 */
const HEAP_FLAG = '--optimize-for-size';

async function start(io: Io, logs: readonly string[], options: ConfigOptions): Promise<void> {
  const { config, file } = configuredBy(options, io);
  const threads = Math.min(availableParallelism(), BACKLOG_THREADS_MAX);
  if (threads < 2) setFlagsFromString(HEAP_FLAG);
  const log = runLog(io, config.log.level);
  const sources = sourcesFor(logs, config);
  const directory = config.store.directory;
  const { pepper, origin } = loadPepper({ configured: config.pepper, directory });
  if (origin === 'created') log.info(`made a pepper in ${directory}; back it up: without it, fingerprints of the same keys change`);
  const { clock } = io;
  using stop = stopOnSignals((signal) => log.info(`${signal}: storing what was read, then stopping`));
  try {
    await using pipeline = await Pipeline.open({
      config,
      directory,
      pepper,
      sources: sourcesOf(sources, { clock, stdin: io.stdin, lineBytesMax: config.limits.lineBytes }),
      clock,
      threads,
      onProblem: (message) => log.warn(message),
      onEvent: (event) => log.desk(event),
    });
    using schedule = startSchedule(pipeline, config, { clock, log });
    const channels = [...config.alerts.channels.slack, ...config.alerts.channels.email].map(({ name }) => name);
    log.info(
      `watching ${sources.flatMap((source) => (source.kind === 'stdin' ? ['standard input'] : source.patterns)).join(', ')}; data in ${directory}; ` +
        `${channels.length === 0 ? 'no channel is configured, so alerts are only logged here' : `telling ${channels.join(', ')}`}${file === undefined ? '; no configuration file' : ''}`,
    );
    await pipeline.run(stop.signal);
    schedule[Symbol.dispose]();
    await housekeeping(pipeline, config, clock, log);
  } catch (error) {
    if (error instanceof StorageFault) throw new CliError(error.message, undefined, { cause: error });
    throw error;
  }
  log.info('stopped; everything that was read is stored');
}

/** The store is one writer: more threads would wait for it. */
const BACKLOG_THREADS_MAX = 4;

function sourcesFor(logs: readonly string[], config: Config): readonly SourceConfig[] {
  if (logs.length > 0) {
    const files = logs.filter((name) => name !== '-').map((name) => resolve(name));
    const sources: SourceConfig[] = [];
    if (files.length > 0) sources.push({ ...config.reading, kind: 'file', patterns: files });
    if (logs.includes('-')) sources.push({ ...config.reading, kind: 'stdin' });
    return sources;
  }
  if (config.sources.length === 0) {
    throw usageError('nothing to watch: name log files, for instance keywatch run /var/log/nginx/access.log, or put them under sources: in keywatch.yml');
  }
  return config.sources;
}
