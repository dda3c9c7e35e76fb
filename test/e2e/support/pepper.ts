import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The pepper of `testFingerprinter`, as the data directory holds it: fingerprints of a test are those of the command. */
export const TEST_PEPPER = Buffer.alloc(32, 7).toString('base64');

/** Makes a data directory with that pepper in it. */
export function writePepper(directory: string, pepper: string = TEST_PEPPER): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'pepper'), `${pepper}\n`, { mode: 0o600 });
}
