import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { PEPPER_BYTES } from '../../core/fingerprint.ts';
import { SEVERITIES, type Severity, severityRank } from '../../core/types.ts';
import { RULES } from '../../detectors/registry.ts';
import { FORMAT_NAMES } from '../../ingest/parse/detect.ts';
import type { JsonMap } from '../../ingest/parse/json.ts';
import { ROLES, type Role } from '../../ingest/parse/tokens.ts';
import { analyze } from '../analyze/analyze.ts';
import { type GeoBytes, openGeo } from '../../ingest/enrich/mmdb-geo.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, CommandExit, EXIT_FINDINGS, systemReason, usageError } from '../cli/errors.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import {
  type ConfigOptions,
  type TimeOption,
  parseCount,
  resolveTime,
  sinceOption,
  untilOption,
  withConfigOptions,
  withExamples,
  withJsonOption,
} from '../cli/options.ts';
import { createProgress } from '../cli/progress.ts';
import { painter } from '../cli/style.ts';
import { didYouMean } from '../cli/suggest.ts';
import { printable } from '../cli/text.ts';
import type { Config, ReadingConfig } from '../config/config.ts';
import { version } from '../main.ts';
import { loadPepper, readPepper } from '../pepper.ts';
import { renderHtml } from '../report/html/page.ts';
import { analyzeJsonChunks, writeChunks } from '../report/json.ts';
import type { AnalyzeReport } from '../report/report.ts';
import { renderTerminal } from '../report/terminal.ts';

type Options = ConfigOptions & {
  readonly json?: boolean;
  readonly html?: string;
  readonly since?: TimeOption;
  readonly until?: TimeOption;
  readonly top: number;
  readonly format?: string;
  readonly map?: JsonMap;
  readonly keyBy?: ReadingConfig['keyBy'];
  readonly keyNames?: readonly string[];
  readonly plan?: string;
  readonly failOn?: Severity;
  readonly suggest?: boolean;
  readonly threads?: number;
};

const LATENCY_UNITS = ['ns', 'us', 'ms', 's'] as const;
const THREADS_MAX = 64;

export function command(io: Io): Command {
  const analyzeCommand = withJsonOption(withConfigOptions(new Command('analyze')))
    .description('Read access logs once and report: who used which key how, what the thresholds would have said, and what these logs cannot show.')
    .argument('<logs...>', 'files, globs, directories, .gz and .zst files, or - for standard input')
    .option('--html <file>', 'write the report as one self-contained HTML file')
    .addOption(sinceOption('only events from then on, a time or how long ago'))
    .addOption(untilOption())
    .option('--top <n>', 'how many keys to list', parseCount, 10)
    .addOption(new Option('--format <name>', 'format of the lines (default: found by looking)').choices(['auto', ...FORMAT_NAMES]))
    .option(
      '--map <role=field>',
      `field of flat JSON lines for a role, for instance status=code or latency=took:ms (repeatable); roles: ${ROLES.join(', ')}`,
      parseMap,
    )
    .addOption(new Option('--key-by <who>', 'who owns an event (default: auto, the best name there is)').choices(['auto', 'key', 'user', 'client']))
    .option('--key-names <names>', 'names of headers, fields and query parameters that carry a key, separated by commas', (text: string) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    )
    .option('--plan <name>', 'judge by the limits of this plan of the configuration')
    .addOption(new Option('--fail-on <severity>', 'exit with 3 when there is an alert of this severity or above').choices([...SEVERITIES]))
    .option('--suggest', "print limits per key, from each key's own history, as YAML for the configuration")
    .option('--threads <n>', 'threads (default: one per core)', parseCount)
    .action((logs: readonly string[], options: Options) => run(io, logs, options));
  return withExamples(analyzeCommand, [
    ['keywatch analyze access.log*', 'every rotation, also packed ones'],
    ['keywatch analyze /var/log/nginx --html report.html', 'a directory, as a page to show around'],
    ['zcat old.gz | keywatch analyze - --json', 'from a pipe, for programs'],
    ['keywatch analyze api.json --map status=code --suggest', 'JSON with unusual names; limits to start with'],
    ['keywatch analyze access.log --fail-on critical', 'in a scheduled job'],
  ]);
}

async function run(io: Io, logs: readonly string[], options: Options): Promise<void> {
  const { config } = configuredBy(options, io, { secrets: 'pepper' });
  const now = io.clock.now();
  const progress = createProgress({ stream: io.stderr, clock: io.clock });
  let report: AnalyzeReport;
  try {
    report = await analyze({
      names: logs,
      config: planned(config, options.plan),
      reading: readingOf(config, options),
      pepper: pepperOf(io, config, options.suggest === true),
      since: options.since === undefined ? undefined : resolveTime(options.since, now),
      until: options.until === undefined ? undefined : resolveTime(options.until, now),
      threads: Math.min(THREADS_MAX, options.threads ?? availableParallelism()),
      geo: geoBytes(config),
      isSuggesting: options.suggest === true,
      limits: limitsName(config, options.plan),
      version: version(),
      clock: io.clock,
      stdin: io.stdin,
      onProgress: ({ note, ...state }) => progress.update(note === '' ? state : { ...state, note }),
    });
  } finally {
    progress.finish();
  }
  if (options.html !== undefined) {
    writeHtml(options.html, renderHtml(report, { madeAt: now }));
    io.stderr.write(`wrote ${options.html}\n`);
  }
  if (options.json === true) {
    const outcome = await writeChunks(analyzeJsonChunks(report), io.stdout);
    if (!outcome.ok) throw new CliError(`the report could not be written: ${outcome.reason}`);
    // The contract has no place for them, and a program that reads it should not be the only one to know.
    for (const problem of report.problems) io.stderr.write(`keywatch analyze: ${printable(problem)}\n`);
  } else await write(io.stdout, renderTerminal(report, { width: widthOf(io), paint: painter(io.stdout), top: options.top }));
  if (report.source.records === 0 && report.problems.length > 0) throw new CommandExit(1);
  const { failOn } = options;
  if (failOn !== undefined && report.alerts.some((alert) => severityRank(alert.severity) >= severityRank(failOn))) throw new CommandExit(EXIT_FINDINGS);
}

function geoBytes(config: Config): readonly GeoBytes[] | undefined {
  const { databases } = config.enrich;
  if (databases.length === 0) return undefined;
  const opened = openGeo(databases);
  if (opened.geo === undefined) throw usageError(`enrich.databases: ${opened.why}`);
  return opened.geo.shared;
}

function readingOf(config: Config, options: Options): ReadingConfig {
  const { reading } = config;
  const map = options.map;
  return {
    format: (options.format as ReadingConfig['format'] | undefined) ?? reading.format,
    envelope: reading.envelope,
    map:
      map === undefined
        ? reading.map
        : {
            fields: { ...reading.map.fields, ...map.fields },
            ...(map.latencyUnit === undefined
              ? reading.map.latencyUnit === undefined
                ? {}
                : { latencyUnit: reading.map.latencyUnit }
              : { latencyUnit: map.latencyUnit }),
          },
    keyNames: options.keyNames ?? reading.keyNames,
    keyBy: options.keyBy ?? reading.keyBy,
  };
}

/** The configuration in which everybody without a plan of their own has this one. */
function planned(config: Config, plan: string | undefined): Config {
  if (plan === undefined) return config;
  const plans = Object.keys(config.directory.plans);
  if (!plans.includes(plan)) {
    throw usageError(
      plans.length === 0
        ? `there is no plan '${plan}': the configuration has no plans`
        : `there is no plan '${plan}'${didYouMean(plan, plans)}; there are ${plans.join(', ')}`,
    );
  }
  return { ...config, directory: { ...config.directory, keys: [...config.directory.keys, { match: '*', plan, rules: {} }] } };
}

function limitsName(config: Config, plan: string | undefined): string {
  if (plan !== undefined) return `plan ${plan}`;
  const isShipped =
    config.directory.keys.length === 0 &&
    RULES.every((rule) => {
      const own = config.rules[rule.id];
      return own === undefined || (own.enabled && own.warning === rule.defaults.warning && own.critical === rule.defaults.critical);
    });
  return isShipped ? 'the shipped thresholds' : 'the configured thresholds';
}

/**
 * The pepper of the installation, so that ids are those of `run`. Without an installation the ids of one
 * report serve only that report; suggested limits are for `run`, so they make one.
 */
function pepperOf(io: Io, config: Config, isSuggesting: boolean): string {
  if (config.pepper !== undefined || isSuggesting || config.store.isDirectoryGiven) {
    const { pepper, origin } = loadPepper({ configured: config.pepper, directory: config.store.directory });
    if (origin === 'created') io.stderr.write(`made a new pepper in ${config.store.directory}: the ids below are valid with this data directory\n`);
    return pepper.reveal();
  }
  return readPepper(config.store.directory)?.reveal() ?? randomBytes(PEPPER_BYTES).toString('base64');
}

function parseMap(text: string, before: JsonMap = { fields: {} }): JsonMap {
  const mark = text.indexOf('=');
  const role = text.slice(0, mark);
  const named = text.slice(mark + 1);
  if (mark < 1 || named === '') throw new InvalidArgumentError('expected role=field, for instance status=code');
  const known = ROLES.find((name) => name.toLowerCase() === role.toLowerCase());
  if (known === undefined) throw new InvalidArgumentError(`there is no role '${role}'${didYouMean(role, [...ROLES])}; there are ${ROLES.join(', ')}`);
  const unit = known === 'latency' ? LATENCY_UNITS.find((name) => named.endsWith(`:${name}`)) : undefined;
  const fields: Partial<Record<Role, string>> = { ...before.fields, [known]: unit === undefined ? named : named.slice(0, -unit.length - 1) };
  const latencyUnit = unit ?? before.latencyUnit;
  return latencyUnit === undefined ? { fields } : { fields, latencyUnit };
}

function writeHtml(path: string, html: string): void {
  try {
    writeFileSync(path, html);
  } catch (error) {
    throw new CliError(`cannot write ${path}: ${systemReason(error)}`, undefined, { cause: error });
  }
}
