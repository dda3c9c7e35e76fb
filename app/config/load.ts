import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { z } from 'zod';
import { Secret } from '../../core/secret.ts';
import { didYouMean } from '../cli/suggest.ts';
import { defaultDataDirectory } from '../data-dir.ts';
import type { Config, EmailChannelConfig, ReadingConfig, RuleConfig, SlackChannelConfig, SourceConfig } from './config.ts';
import { levelFaults, referenceFaults } from './cross-checks.ts';
import { ConfigError, type Diagnostic, type Path } from './diagnostic.ts';
import { deepFreeze } from './freeze.ts';
import { Layers, valueAt } from './layers.ts';
import { environmentOverrides, flagOverrides } from './overrides.ts';
import type { SecretRef } from './schema/fields.ts';
import { type ParsedConfig, configSchema } from './schema/schema.ts';
import { readSecret } from './secrets.ts';
import { namesOf, pathsNamed, shapeAt } from './shape.ts';
import { wordingOf } from './wording.ts';
import { readConfigFile } from './yaml-file.ts';

export type LoadOptions = {
  /** `--config`. Without it $KEYWATCH_CONFIG, else keywatch.yml in the working directory if there is one. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--set`. */
  readonly sets?: readonly string[] | undefined;
  /** `--data-dir`. */
  readonly dataDir?: string | undefined;
  readonly cwd?: string | undefined;
  /** Which secrets are read; a report needs the pepper but no webhook. The others are empty. Default: all. */
  readonly secrets?: 'all' | 'pepper' | 'none' | undefined;
};

export type LoadedConfig = { readonly config: Config; readonly layers: Layers; readonly file: string | undefined };

const DEFAULT_FILES = ['keywatch.yml', 'keywatch.yaml'];

/** Loads the configuration: defaults < file < environment < flags. Throws a `ConfigError` with everything that is wrong. Keeps no state. */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const cwd = options.cwd ?? process.cwd();
  const path = configPath(options, cwd);
  const file = path === undefined ? undefined : readConfigFile(path.shown, path.path);
  const environment = environmentOverrides(options.env);
  const flags = flagOverrides(options.sets ?? []);
  const dataDir =
    options.dataDir === undefined ? [] : [{ path: ['store', 'directory'], value: options.dataDir, place: { kind: 'flag', flag: '--data-dir' } } as const];
  const layers = new Layers(file, [...environment.overrides, ...flags.overrides, ...dataDir]);
  const faults: Diagnostic[] = [...environment.faults, ...flags.faults, ...layers.faults];
  const parsed = configSchema.safeParse(layers.tree, { error: wordingOf });
  // A file that is no YAML has no settings to complain about.
  if (file === undefined || file.faults.length === 0) {
    if (!parsed.success) faults.push(...parsed.error.issues.flatMap((issue) => fromIssue(issue, layers)));
    const references = referenceFaults(layers.tree);
    faults.push(
      ...[...references, ...(parsed.success ? levelFaults(parsed.data) : [])].map((fault) => ({ ...fault, place: layers.place(fault.path, 'value') })),
    );
  }
  const directories = { file: path === undefined ? cwd : dirname(resolve(cwd, path.path)), cwd };
  const finish = new Finish(layers, options, directories);
  const config = parsed.success ? finish.config(parsed.data) : undefined;
  faults.push(...finish.faults);
  if (config === undefined || faults.length > 0) throw new ConfigError(faults, file);
  return { config: deepFreeze(config), layers, file: path?.path };
}

function configPath(options: LoadOptions, cwd: string): { readonly shown: string; readonly path: string } | undefined {
  const named = options.file ?? (options.env['KEYWATCH_CONFIG'] === '' ? undefined : options.env['KEYWATCH_CONFIG']);
  if (named !== undefined) return { shown: named, path: resolve(cwd, named) };
  const found = DEFAULT_FILES.find((name) => existsSync(join(cwd, name)));
  return found === undefined ? undefined : { shown: found, path: join(cwd, found) };
}

function fromIssue(issue: z.core.$ZodIssue, layers: Layers): Diagnostic[] {
  const path: Path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: layers.place([...path, key], 'key'),
      path: [...path, key],
      message: `unknown setting${settingHint(path, key, layers)}`,
    }));
  }
  const hidesValue = (issue.code === 'custom' && issue.params?.['hidesValue'] === true) || isSecretPath(path);
  return [{ place: layers.place(path, 'value'), path, message: issue.message, hidesValue }];
}

/** What may have been meant: a similar name here, the same name elsewhere, else the names that there are. */
function settingHint(path: Path, key: string, layers: Layers): string {
  const names = namesOf(shapeAt(path));
  const similar = didYouMean(key, names);
  if (similar !== '') return similar;
  const [elsewhere, ...more] = pathsNamed(key);
  if (elsewhere !== undefined && more.length === 0) return ` here (did you mean '${elsewhere.join('.')}'?)`;
  const free = names.filter((name) => valueAt(layers.tree, [...path, name]) === undefined);
  return free.length > 0 && free.length <= 10 ? `; there are also ${free.join(', ')}` : '';
}

/** Anything at or below a secret. */
function isSecretPath(path: Path): boolean {
  return path.some((_, index) => shapeAt(path.slice(0, index + 1))?.['x-secret'] === true);
}

/** Turns what the schema made into what the program uses: reads secrets, resolves paths, fills what falls through. */
class Finish {
  readonly faults: Diagnostic[] = [];
  readonly #layers: Layers;
  readonly #options: LoadOptions;
  readonly #directories: { readonly file: string; readonly cwd: string };

  constructor(layers: Layers, options: LoadOptions, directories: { readonly file: string; readonly cwd: string }) {
    this.#layers = layers;
    this.#options = options;
    this.#directories = directories;
  }

  config(parsed: ParsedConfig): Config {
    const { retention } = parsed.store;
    const reading: ReadingConfig = {
      format: 'auto',
      map: { fields: withoutUndefined(parsed.format.map), ...(parsed.format.latencyUnit === undefined ? {} : { latencyUnit: parsed.format.latencyUnit }) },
      keyNames: parsed.keyNames,
      keyBy: parsed.keyBy,
    };
    return {
      sources: parsed.sources.map((source, index) => this.#source(source, index, reading)),
      reading,
      clients: parsed.clients,
      pepper: parsed.pepper === undefined ? undefined : this.#secret(parsed.pepper, ['pepper']),
      store: {
        directory: parsed.store.directory === undefined ? defaultDataDirectory(this.#options.env) : this.#path(parsed.store.directory, ['store', 'directory']),
        isDirectoryGiven: parsed.store.directory !== undefined,
        retention: {
          partialsMs: retention.partials,
          minutesMs: retention.minutes,
          hoursMs: retention.hours,
          daysMs: retention.days,
          bytesMax: retention.bytesMax ?? 0,
        },
      },
      rules: Object.fromEntries(
        Object.entries(parsed.rules).map(([id, rule]): [string, RuleConfig] => [
          id,
          { enabled: rule.enabled, warning: rule.warning ?? undefined, critical: rule.critical ?? undefined },
        ]),
      ),
      directory: {
        keys: parsed.keys.map(({ publicId: _, id, ...entry }) => ({
          ...withoutUndefined(entry),
          ...(id === undefined ? {} : { id: id.replace(/^key:/, '') }),
          rules: entry.rules,
        })),
        plans: parsed.plans,
      },
      limits: parsed.limits,
      alerts: {
        channels: {
          slack: parsed.alerts.channels.slack.map((channel, index): SlackChannelConfig => ({
            ...channel,
            url: this.#secret(channel.url, ['alerts', 'channels', 'slack', index, 'url']),
          })),
          email: parsed.alerts.channels.email.map((channel, index): EmailChannelConfig => ({
            ...channel,
            password: channel.password === undefined ? undefined : this.#secret(channel.password, ['alerts', 'channels', 'email', index, 'password']),
          })),
        },
        fallback: parsed.alerts.fallback,
        digest: { ...parsed.alerts.digest, timezone: parsed.alerts.digest.timezone === 'local' ? localTimezone() : parsed.alerts.digest.timezone },
      },
      log: parsed.log,
      publicUrl: parsed.publicUrl?.replace(/\/+$/, ''),
    };
  }

  #source(source: ParsedConfig['sources'][number], index: number, reading: ReadingConfig): SourceConfig {
    const latencyUnit = source.latencyUnit ?? reading.map.latencyUnit;
    const own: ReadingConfig = {
      format: source.format,
      map: { fields: { ...reading.map.fields, ...withoutUndefined(source.map ?? {}) }, ...(latencyUnit === undefined ? {} : { latencyUnit }) },
      keyNames: source.keyNames ?? reading.keyNames,
      keyBy: source.keyBy ?? reading.keyBy,
    };
    if (source.file === undefined) return { kind: 'stdin', ...own };
    return { kind: 'file', patterns: source.file.map((pattern) => this.#path(pattern, ['sources', index, 'file'])), ...own };
  }

  /** Relative to the file that says it, else to the working directory. */
  #path(path: string, at: Path): string {
    if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
    return isAbsolute(path) ? path : join(this.#layers.baseDirectory(at, this.#directories), path);
  }

  #secret(ref: SecretRef, at: Path): Secret {
    const wanted = this.#options.secrets ?? 'all';
    if (wanted === 'none' || (wanted === 'pepper' && at[0] !== 'pepper')) return new Secret('');
    const read = readSecret(ref, { env: this.#options.env, resolve: (path) => this.#path(path, [...at, 'file']) });
    if (read.ok) return read.secret;
    this.faults.push({ place: this.#layers.place([...at, ref.kind], 'value'), path: at, message: read.message });
    return new Secret('');
  }
}

function localTimezone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
