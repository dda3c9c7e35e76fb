import { type LoadOptions, type LoadedConfig, loadConfig } from '../config/load.ts';
import type { Io } from './io.ts';
import type { ConfigOptions } from './options.ts';

/** The configuration that a command's own options ask for. */
export function configuredBy(options: ConfigOptions, io: Io, more: Pick<LoadOptions, 'secrets'> = {}): LoadedConfig {
  return loadConfig({ env: io.env, file: options.config, sets: options.set, dataDir: options.dataDir, ...more });
}
