import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Fingerprinter, PEPPER_BYTES } from '../core/fingerprint.ts';
import type { MetricStore } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import { METRICS_FILE } from '../storage/sqlite/files.ts';
import { CliError, errorCode, systemReason, usageError } from './cli/errors.ts';

export const PEPPER_FILE = 'pepper';
const PEPPER_CONTROL = 'pepper.check';
/** Read or write permission for anybody but the owner. */
const OTHERS = 0o077;
const BASE64 = /^[A-Za-z0-9+/_-]{22,}={0,2}$/;

export type LoadedPepper = { readonly pepper: Secret; readonly origin: 'configured' | 'file' | 'created' };

export function pepperPath(directory: string): string {
  return join(directory, PEPPER_FILE);
}

/**
 * The pepper that fingerprints are made with: the configured one, else the one in the data directory, which is made
 * at the first need. Two processes that start together agree on one.
 */
export function loadPepper(options: { readonly configured: Secret | undefined; readonly directory: string }): LoadedPepper {
  if (options.configured !== undefined) return { pepper: checked(options.configured.reveal(), 'the configured pepper'), origin: 'configured' };
  const found = readPepper(options.directory);
  if (found !== undefined) return { pepper: found, origin: 'file' };
  if (existsSync(join(options.directory, METRICS_FILE))) {
    throw new CliError(
      `${pepperPath(options.directory)} is missing, but keys were counted here with it: put it back from your backup; without it they cannot be recognised, so start anew with another --data-dir`,
    );
  }
  const isCreated = createPepper(options.directory);
  const pepper = readPepper(options.directory);
  if (pepper === undefined) throw new CliError(`the pepper ${pepperPath(options.directory)} vanished while it was made; start again`);
  return { pepper, origin: isCreated ? 'created' : 'file' };
}

/** The pepper in the data directory, or undefined when there is none yet. Refuses one that others may read. */
export function readPepper(directory: string): Secret | undefined {
  const path = pepperPath(directory);
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0)
      throw new CliError(
        `${path} can be read by others (mode ${(mode & 0o777).toString(8)}), so fingerprints could be tested against guessed keys; run: chmod 600 ${path}`,
      );
    return checked(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new CliError(`cannot read the pepper ${path}: ${systemReason(error)}`, undefined, { cause: error });
  }
}

function checked(text: string, what: string): Secret {
  const plain = text.trim();
  if (!BASE64.test(plain)) throw usageError(`${what} is not base64 of at least 16 bytes; make one with: openssl rand -base64 ${PEPPER_BYTES}`);
  return new Secret(plain);
}

/** Complete or absent, whatever happens: written beside, flushed, then linked into place unless somebody was faster. */
function createPepper(directory: string): boolean {
  const path = pepperPath(directory);
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, `${randomBytes(PEPPER_BYTES).toString('base64')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      unlinkSync(draft);
      syncDirectory(directory);
    }
  } catch (error) {
    throw new CliError(
      `cannot make the pepper in ${directory}: ${systemReason(error)}; give another directory with --data-dir, or a pepper of your own with pepper: {file: …}`,
      undefined,
      { cause: error },
    );
  }
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Holds the pepper against the one that the store was filled with. With another pepper every key would look new and
 * the inventory would fit nothing, so that is an error. `isReadOnly` looks only.
 */
export async function checkPepper(store: MetricStore, fingerprinter: Fingerprinter, options: { readonly isReadOnly?: boolean } = {}): Promise<void> {
  const mine = fingerprinter.checkValue();
  const stored = options.isReadOnly === true ? ((await store.control(PEPPER_CONTROL)) ?? mine) : await store.claim(PEPPER_CONTROL, mine);
  if (stored !== mine) {
    throw usageError(
      'this is not the pepper that the store was filled with, so every key would look new; put the old pepper back (pepper: in the configuration, or the file pepper in the data directory) or start with an empty store',
    );
  }
}
