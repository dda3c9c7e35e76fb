import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** The folder of real data beside the checkout, when there is one. */
export const SHARED_DATA: string | undefined = [process.env['KEYWATCH_TEST_DATA'], resolve(import.meta.dirname, '../../../shared/data')].find(
  (path) => path !== undefined && existsSync(path),
);
