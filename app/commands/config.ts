import { Command } from 'commander';
import { stringify as stringifyYaml } from 'yaml';
import { configuredBy } from '../cli/configured.ts';
import { CommandExit, usageError } from '../cli/errors.ts';
import { type Io, widthOf, write } from '../cli/io.ts';
import { type ConfigOptions, withConfigOptions, withExamples, withJsonOption } from '../cli/options.ts';
import { painter } from '../cli/style.ts';
import { renderTable } from '../cli/table.ts';
import { ConfigError, type Diagnostic, printPath, printPlace, renderDiagnostics } from '../config/diagnostic.ts';
import { configJsonSchema } from '../config/shape.ts';
import { type Setting, effectiveTree, settings } from '../config/show.ts';

type CheckOptions = ConfigOptions & { readonly secrets: boolean; readonly json?: boolean };
type ShowOptions = ConfigOptions & { readonly origin?: boolean; readonly json?: boolean };

export function command(io: Io): Command {
  const config = new Command('config').description('Check, show or describe the configuration.');

  withExamples(
    withJsonOption(withConfigOptions(config.command('check')))
      .description('Check the configuration and say everything that is wrong with it. Exit code 2 when something is.')
      .argument('[file]', 'configuration file, instead of --config')
      .option('--no-secrets', 'do not look whether secrets can be read, for machines that do not have them')
      .action((file: string | undefined, options: CheckOptions) => check(io, file, options)),
    [
      ['keywatch config check keywatch.yml', 'before a restart'],
      ['keywatch config check --no-secrets', 'in a pipeline that must not know the secrets'],
    ],
  );

  withExamples(
    withJsonOption(withConfigOptions(config.command('show')))
      .description('Print the settings in force: defaults, then the file, then the environment, then flags. Secrets are never shown.')
      .option('--origin', 'one setting per line, with the place that it came from')
      .action((options: ShowOptions) => show(io, options)),
    [
      ['keywatch config show -c keywatch.yml', 'everything in force, as YAML'],
      ['keywatch config show --origin', 'why is this value not what I wrote?'],
    ],
  );

  withExamples(
    config
      .command('schema')
      .description('Print the JSON Schema of the configuration file, for editors.')
      .action(() => write(io.stdout, schemaText())),
    [
      ['keywatch config schema > config.schema.json', 'then put this line on top of keywatch.yml:'],
      ['# yaml-language-server: $schema=config.schema.json', ''],
    ],
  );

  return withExamples(config, [
    ['keywatch config check keywatch.yml', 'is it right?'],
    ['keywatch config show --origin', 'what is in force, and why'],
    ['keywatch config schema', 'for editors'],
  ]);
}

/** What `docs/schema/config.schema.json` holds. */
export function schemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

async function check(io: Io, file: string | undefined, options: CheckOptions): Promise<void> {
  if (file !== undefined && options.config !== undefined) throw usageError('the configuration file is given twice; leave out --config');
  const given: ConfigOptions = file === undefined ? options : { ...options, config: file };
  try {
    const loaded = configuredBy(given, io, { secrets: options.secrets ? 'all' : 'none' });
    if (options.json === true)
      await write(io.stdout, `${JSON.stringify({ ok: true, file: loaded.file ?? null, problems: [], warnings: loaded.warnings.map(diagnosticJson) })}\n`);
    else {
      const { warnings } = loaded;
      if (warnings.length > 0)
        await write(
          io.stdout,
          `${renderDiagnostics(warnings, loaded.layers.file === undefined ? new Map() : new Map([[loaded.layers.file.name, loaded.layers.file.text]]))}\n`,
        );
      await write(
        io.stdout,
        `${loaded.layers.file?.name ?? 'no configuration file, defaults only'}: ok${options.secrets ? '' : ' (secrets were not read)'}${warnings.length === 0 ? '' : `, with ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`}\n`,
      );
    }
  } catch (error) {
    if (error instanceof ConfigError && options.json === true) {
      await write(io.stdout, `${JSON.stringify({ ok: false, file: error.file ?? null, problems: error.diagnostics.map(diagnosticJson) })}\n`);
      throw new CommandExit(error.exitCode);
    }
    throw error;
  }
}

function diagnosticJson({ place, path, message }: Diagnostic): object {
  return {
    place: printPlace(place),
    line: place.kind === 'file' ? place.line : null,
    column: place.kind === 'file' ? place.column : null,
    path: printPath(path),
    message,
  };
}

async function show(io: Io, options: ShowOptions): Promise<void> {
  const { layers } = configuredBy(options, io, { secrets: 'none' });
  if (options.origin !== true) {
    const tree = effectiveTree(layers);
    await write(io.stdout, options.json === true ? `${JSON.stringify(tree, null, 2)}\n` : stringifyYaml(tree, { lineWidth: 0 }));
    return;
  }
  const rows = settings(layers);
  if (options.json === true) {
    await write(io.stdout, `${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const table = renderTable<Setting>(
    [
      { title: 'setting', value: (row) => row.path, shrinkTo: 24, isMiddleCut: true },
      { title: 'value', value: (row) => printValue(row.value), shrinkTo: 12 },
      { title: 'from', value: (row) => row.origin, shrinkTo: 16, isMiddleCut: true, style: (row) => (row.origin === 'default' ? 'dim' : 'cyan') },
    ],
    rows,
    { width: widthOf(io), paint: painter(io.stdout) },
  );
  await write(io.stdout, table);
}

function printValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.map(String).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
