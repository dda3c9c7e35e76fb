import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkPepper, loadPepper, readPepper } from '../../app/pepper.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import { Secret } from '../../core/secret.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keywatch pepper '));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('loadPepper', () => {
  test('makes 32 random bytes at the first need, readable by the owner only, and finds them again', () => {
    const data = join(directory, 'a/b');
    const first = loadPepper({ configured: undefined, directory: data });
    expect(first.origin).toBe('created');
    expect(Buffer.from(first.pepper.reveal(), 'base64')).toHaveLength(32);
    expect(statSync(join(data, 'pepper')).mode & 0o777).toBe(0o600);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(readdirSync(data)).toEqual(['pepper']);
    const second = loadPepper({ configured: undefined, directory: data });
    expect(second.origin).toBe('file');
    expect(second.pepper.reveal()).toBe(first.pepper.reveal());
    const other = loadPepper({ configured: undefined, directory: join(directory, 'c') });
    expect(other.pepper.reveal()).not.toBe(first.pepper.reveal());
  });

  test('a configured pepper is used and nothing is written', () => {
    const configured = new Secret(Buffer.alloc(32, 7).toString('base64'));
    expect(loadPepper({ configured, directory }).origin).toBe('configured');
    expect(readdirSync(directory)).toEqual([]);
    expect(() => loadPepper({ configured: new Secret('too short'), directory })).toThrow('not base64 of at least 16 bytes');
  });

  test.each([0o644, 0o640, 0o604, 0o660])('a pepper with mode %o is refused with the command that mends it', (mode) => {
    loadPepper({ configured: undefined, directory });
    chmodSync(join(directory, 'pepper'), mode);
    expect(() => loadPepper({ configured: undefined, directory })).toThrow(`chmod 600 ${join(directory, 'pepper')}`);
  });

  test('a damaged pepper is refused, not replaced', () => {
    writeFileSync(join(directory, 'pepper'), 'x\n', { mode: 0o600 });
    expect(() => loadPepper({ configured: undefined, directory })).toThrow('not base64');
    expect(readFileSync(join(directory, 'pepper'), 'utf8')).toBe('x\n');
  });

  test('a data directory that cannot be made is one clear line', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => loadPepper({ configured: undefined, directory: join(directory, 'file', 'x') })).toThrow('a part of its path is not a directory');
    expect(readPepper(join(directory, 'nowhere'))).toBeUndefined();
  });
});

describe('checkPepper', () => {
  const fingerprinter = (byte: number): Fingerprinter => new Fingerprinter(new Secret(Buffer.alloc(32, byte).toString('base64')));

  test('the first pepper is remembered; another one is refused before it mixes up all keys', async () => {
    await using store = await openMetricStore({ directory });
    await checkPepper(store, fingerprinter(1), { isReadOnly: true });
    await checkPepper(store, fingerprinter(1));
    await checkPepper(store, fingerprinter(1));
    await expect(checkPepper(store, fingerprinter(2))).rejects.toThrow('this is not the pepper that the store was filled with');
    await expect(checkPepper(store, fingerprinter(2), { isReadOnly: true })).rejects.toThrow('this is not the pepper');
  });
});

test('a pepper that is gone from a directory with counted keys is asked for, not made anew', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch-pepper-'));
  try {
    writeFileSync(join(directory, 'metrics.db'), '');
    expect(() => loadPepper({ configured: undefined, directory })).toThrow(/is missing, but keys were counted here with it: put it back from your backup/);
    expect(existsSync(join(directory, 'pepper'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
