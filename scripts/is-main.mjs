// @ts-check
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Whether a script was started, and not imported. Node 24 has `import.meta.main`; bootstrap also runs on 20. The real
 * path is compared, because a module's address is real while the command line may name a symbolic link.
 *
 * @param {string} moduleUrl `import.meta.url`
 */
export function isMain(moduleUrl) {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(moduleUrl);
}
