import { DatabaseSync } from 'node:sqlite';
import { Command } from 'commander';
import { SQLITE_VERSION_MIN } from '../../storage/sqlite/connection.ts';
import { configuredBy } from '../cli/configured.ts';
import { CliError, CommandExit, EXIT_FAILURE } from '../cli/errors.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { type Paint, painter } from '../cli/style.ts';
import { padEnd, printable, wrap } from '../cli/text.ts';
import { ConfigError, printPath, printPlace } from '../config/diagnostic.ts';
import type { LoadedConfig } from '../config/load.ts';
import { checkChannels } from '../doctor/channels.ts';
import { type CheckRow, type CheckState, fail, ok, skipped } from '../doctor/check.ts';
import { checkDirectory, checkDisk, checkOwner, checkPepperFile, spaceOf } from '../doctor/directory.ts';
import { checkElasticsearch } from '../doctor/elasticsearch.ts';
import { checkKafka } from '../doctor/kafka.ts';
import { checkClock, checkNode, checkSqlite } from '../doctor/machine.ts';
import { checkSources } from '../doctor/sources.ts';
import { checkJournal, checkLastEvent, checkStore } from '../doctor/store.ts';
import { stringify } from '../json/stringify.ts';
import { kafkaOf } from '../wire/kafka.ts';

type Options = ConfigOptions & { readonly send?: boolean; readonly json?: boolean };

export function command(io: Io): Command {
  return withExamples(
    withJsonOption(withConfigOptions(new Command('doctor')))
      .description('Check the installation: one row per check with its state, what was seen and what to do. Exit code 1 when a check fails. Changes nothing.')
      .option('--send', 'also send a marked sample message to every channel')
      .action((options: Options) => doctor(io, options)),
    [
      ['keywatch doctor', 'is everything in place?'],
      ['keywatch doctor -c keywatch.yml --send', 'do messages really arrive?'],
      ['keywatch doctor --json', 'for monitoring'],
    ],
  );
}

async function doctor(io: Io, options: Options): Promise<void> {
  const rows = await examine(io, options);
  const failed = rows.filter((row) => row.state === 'fail').length;
  if (options.json === true) await write(io.stdout, `${stringify({ ok: failed === 0, checks: rows })}\n`);
  else await write(io.stdout, report(rows, { width: widthOf(io), paint: painter(io.stdout) }));
  if (failed > 0) throw new CommandExit(EXIT_FAILURE);
}

/** All checks in order; one that cannot be made because of another says so. */
async function examine(io: Io, options: Options): Promise<readonly CheckRow[]> {
  const machine = [checkNode(process.versions.node), checkSqlite(sqliteVersion(), SQLITE_VERSION_MIN)];
  const { loaded, row } = load(io, options);
  if (loaded === undefined) {
    return [
      ...machine,
      row,
      checkClock(io.clock.now(), undefined),
      ...['data directory', 'sources', 'store', 'journal', 'channels'].map((name) => skipped(name, BAD_CONFIG)),
    ];
  }
  const { config } = loaded;
  const { directory } = config.store;
  const now = io.clock.now();
  const hasSecrets = row.state === 'ok';
  const { elasticsearch } = config.store;
  const kafka = kafkaOf(config);
  const store =
    elasticsearch === undefined
      ? await checkStore({ directory, configuredPepper: config.pepper })
      : hasSecrets
        ? await checkElasticsearch(config, elasticsearch, io.clock)
        : { rows: [skipped('elasticsearch', BAD_CONFIG)], newest: undefined };
  return [
    ...machine,
    row,
    checkDirectory(directory),
    checkDisk(spaceOf(directory, config.store.retention.bytesMax)),
    checkOwner(directory),
    hasSecrets || config.pepper === undefined ? checkPepperFile(directory, config.pepper) : skipped('pepper', BAD_CONFIG),
    ...(await checkSources(config.sources)),
    ...(kafka === undefined ? [] : hasSecrets ? await checkKafka(kafka) : [skipped('kafka', BAD_CONFIG)]),
    checkClock(now, store.newest),
    ...(hasSecrets ? store.rows : store.rows.filter(({ name }) => name !== 'stored pepper')),
    ...(elasticsearch === undefined ? await checkJournal(directory, now) : []),
    checkLastEvent(store.newest, now, config.sources.length > 0),
    ...(hasSecrets ? await checkChannels(config.alerts, { isSending: options.send === true, clock: io.clock }) : [skipped('channels', BAD_CONFIG)]),
  ];
}

const BAD_CONFIG = 'the configuration is not right';

/** The configuration and its row. Where only secrets are missing, the rest is checked without them. */
function load(io: Io, options: Options): { readonly loaded: LoadedConfig | undefined; readonly row: CheckRow } {
  try {
    const loaded = configuredBy(options, io);
    return { loaded, row: ok('configuration', loaded.layers.file === undefined ? 'no file, defaults only' : `${loaded.layers.file.name}, without faults`) };
  } catch (error) {
    if (error instanceof ConfigError) return { loaded: withoutSecrets(io, options), row: configRow(error) };
    if (error instanceof CliError) return { loaded: undefined, row: fail('configuration', error.message, 'name the file with --config') };
    throw error;
  }
}

function withoutSecrets(io: Io, options: Options): LoadedConfig | undefined {
  try {
    return configuredBy(options, io, { secrets: 'none' });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function configRow(error: ConfigError): CheckRow {
  const [first] = error.diagnostics;
  const more = error.diagnostics.length - 1;
  const evidence = first === undefined ? 'not right' : `${printPlace(first.place)} ${printPath(first.path)}: ${first.message}`;
  return fail('configuration', `${evidence}${more > 0 ? ` (and ${more} more)` : ''}`, 'keywatch config check shows everything with its place');
}

function sqliteVersion(): string {
  using db = new DatabaseSync(':memory:');
  return String(db.prepare('select sqlite_version() as version').get()?.['version']);
}

const MARKS: Readonly<Record<CheckState, { readonly word: string; readonly style: 'green' | 'yellow' | 'red' }>> = {
  ok: { word: 'ok', style: 'green' },
  warn: { word: 'warn', style: 'yellow' },
  fail: { word: 'FAIL', style: 'red' },
};

function report(rows: readonly CheckRow[], options: { readonly width: number; readonly paint: Paint }): string {
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const indent = ' '.repeat(4 + 2 + nameWidth + 2);
  const room = Math.max(30, options.width - indent.length);
  let out = '';
  for (const row of rows) {
    const { word, style } = MARKS[row.state];
    const [first = '', ...rest] = wrap(printable(row.evidence), room);
    out += `${options.paint(style, word.padEnd(4))}  ${padEnd(printable(row.name), nameWidth)}  ${first}\n`;
    for (const line of rest) out += `${indent}${line}\n`;
    if (row.fix !== '') for (const [index, line] of wrap(row.fix, room - 3).entries()) out += `${indent}${index === 0 ? '-> ' : '   '}${line}\n`;
  }
  const count = (state: CheckState): number => rows.filter((row) => row.state === state).length;
  return `${out}\n${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed\n`;
}
