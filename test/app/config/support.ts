import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../../app/config/diagnostic.ts';
import { type LoadOptions, type LoadedConfig, loadConfig } from '../../../app/config/load.ts';

export const HOOK = 'https://hooks.slack.com/services/T000/B000/XXXXXXXX';

/** Configuration files in a temporary directory with a blank in its name. */
export function workspace() {
  const root = mkdtempSync(join(tmpdir(), 'keywatch config '));
  let files = 0;
  /** A directory that holds this text as keywatch.yml. */
  const write = (yaml: string): string => {
    const directory = join(root, String(files++));
    mkdirSync(directory);
    writeFileSync(join(directory, 'keywatch.yml'), yaml);
    return directory;
  };
  const load = (yaml: string, more: Partial<LoadOptions> = {}): LoadedConfig => loadConfig({ env: { HOME: '/home/kw' }, cwd: write(yaml), ...more });
  /** All that is printed when the configuration is wrong. */
  const faultsOf = (yaml: string, more: Partial<LoadOptions> = {}): string => {
    try {
      load(yaml, more);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
    return 'nothing is wrong';
  };
  return { root, write, load, faultsOf, remove: () => rmSync(root, { recursive: true, force: true }) };
}
