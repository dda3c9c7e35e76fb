import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { usageError } from '../cli/errors.ts';
import { didYouMean } from '../cli/suggest.ts';
import type { Config } from './config.ts';
import { type Fault, levelFaults, referenceFaults, routeFaults, routeWarnings } from './cross-checks.ts';
import { ConfigError, type Diagnostic, type Path } from './diagnostic.ts';
import { Finish, keyEntries } from './finish.ts';
import type { DirectoryInput } from '../../keys/directory.ts';
import { type Inventory, readInventory } from './inventory.ts';
import { deepFreeze } from './freeze.ts';
import { Layers, valueAt } from './layers.ts';
import { environmentOverrides, flagOverrides } from './overrides.ts';
import { configSchema } from './schema/schema.ts';
import { isSecretPath, namesOf, pathsNamed, shapeAt } from './shape.ts';
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
  readonly secrets?: 'all' | 'store' | 'pepper' | 'none' | undefined;
};

export type LoadedConfig = { readonly config: Config; readonly layers: Layers; readonly file: string | undefined; readonly warnings: readonly Diagnostic[] };

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
  const placed = (fault: Fault): Diagnostic => ({ ...fault, place: layers.place(fault.path, 'value') });
  const parsed = configSchema.safeParse(layers.tree, { error: wordingOf });
  // A file that is no YAML has no settings to complain about.
  if (file === undefined || file.faults.length === 0) {
    if (!parsed.success) faults.push(...parsed.error.issues.flatMap((issue) => fromIssue(issue, layers)));
    const references = referenceFaults(layers.tree);
    faults.push(...[...references, ...(parsed.success ? levelFaults(parsed.data) : [])].map(placed));
  }
  const directories = { file: path === undefined ? cwd : dirname(resolve(cwd, path.path)), cwd };
  const finish = new Finish(layers, options, directories);
  const finished = parsed.success ? finish.config(parsed.data) : undefined;
  const inventory = finished === undefined ? undefined : inventoryOf(finished);
  const config = finished === undefined || inventory === undefined ? finished : withInventory(finished, inventory);
  faults.push(...finish.faults, ...(inventory?.faults ?? []), ...routeFaults(config?.alerts.routes).map(placed));
  if (config === undefined || faults.length > 0) throw new ConfigError(faults, file, inventory?.source);
  return { config: deepFreeze(config), layers, file: path?.path, warnings: routeWarnings(config.alerts.routes).map(placed) };
}

function inventoryOf({ inventory, directory }: Config): Inventory | undefined {
  return inventory === undefined ? undefined : readInventory(inventory.name, inventory.path, Object.keys(directory.plans));
}

function withInventory(config: Config, { keys }: Inventory): Config {
  return { ...config, directory: { ...config.directory, keys: keyEntries(keys) } };
}

/** The keys of the inventory as they are now. Throws a `ConfigError` with everything that is wrong, or a fault of the file. */
export function readKeys(config: Config): DirectoryInput {
  const inventory = inventoryOf(config);
  if (inventory === undefined) return config.directory;
  if (inventory.faults.length > 0) throw new ConfigError(inventory.faults, inventory.source);
  return deepFreeze(withInventory(config, inventory).directory);
}

function configPath(options: LoadOptions, cwd: string): { readonly shown: string; readonly path: string } | undefined {
  const named = options.file ?? (options.env['KEYWATCH_CONFIG'] === '' ? undefined : options.env['KEYWATCH_CONFIG']);
  if (named === '') throw usageError('--config is empty; give the name of a file');
  if (named !== undefined) return { shown: named, path: resolve(cwd, named) };
  const found = DEFAULT_FILES.find((name) => existsSync(join(cwd, name)));
  return found === undefined ? undefined : { shown: found, path: join(cwd, found) };
}

function fromIssue(issue: z.core.$ZodIssue, layers: Layers): Diagnostic[] {
  if (issue.code === 'invalid_union' && issue.path.length === 1 && issue.path[0] === 'keys') {
    // Of the two ways to write it the one that was meant.
    const isList = Array.isArray(valueAt(layers.tree, ['keys']));
    return (issue.errors[isList ? 0 : 1] ?? []).flatMap((inner) => fromIssue({ ...inner, path: ['keys', ...inner.path] }, layers));
  }
  const path: Path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: layers.place([...path, key], 'key'),
      path: [...path, key],
      message: `unknown setting${settingHint(path, key, layers)}`,
    }));
  }
  const hidesValue = (issue.code === 'custom' && issue.params?.['hidesValue'] === true) || (isSecretPath(path) && valueAt(layers.tree, path) !== undefined);
  return [{ place: layers.place(path, 'value'), path, message: issue.message, hidesValue }];
}

/** What may have been meant: a similar name here, the same name elsewhere, else the names that there are. */
function settingHint(path: Path, key: string, layers: Layers): string {
  const names = namesOf(shapeAt(path));
  const similar = didYouMean(key, names);
  if (similar !== '') return similar;
  const everywhere = pathsNamed(key);
  // Of several the one in the same section is meant.
  const below = everywhere.filter((other) => path.every((part, index) => other[index] === part));
  const [elsewhere, ...more] = below.length > 0 ? below : everywhere;
  if (elsewhere !== undefined && more.length === 0) return ` here (did you mean '${elsewhere.join('.')}'?)`;
  const free = names.filter((name) => valueAt(layers.tree, [...path, name]) === undefined);
  return free.length > 0 && free.length <= 10 ? `; there are also ${free.join(', ')}` : '';
}
