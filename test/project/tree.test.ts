import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { codeFiles } from '../../scripts/tree.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LINES_MAX = 400;
/** Put together here, so that this file does not name them either. */
const REGISTRY_HOSTS = [
  ['registry', 'npmjs', 'org'],
  ['npmjs', 'com'],
  ['registry', 'yarnpkg', 'com'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['crates', 'io'],
  ['proxy', 'golang', 'org'],
  ['repo1', 'maven', 'org'],
  ['repo', 'maven', 'apache', 'org'],
  ['deb', 'debian', 'org'],
  ['security', 'debian', 'org'],
].map((parts) => parts.join('.'));

/** What git tracks, and what it would if asked; in a folder without git, the code files. */
function trackedFiles(): readonly string[] {
  if (!existsSync(join(ROOT, '.git'))) return codeFiles(ROOT);
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

describe('the tree', () => {
  test('names no host of a package registry', () => {
    const named = trackedFiles().filter((path) => {
      const text = readFileSync(join(ROOT, path), 'latin1');
      return REGISTRY_HOSTS.some((host) => text.includes(host));
    });
    expect(named).toEqual([]);
  });

  test('has a lockfile that works with any registry', () => {
    const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
    expect(lock).not.toContain('"resolved"');
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toContain('omit-lockfile-registry-resolved=true');
  });

  test('has a lockfile in which every package can be verified', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { readonly packages: Record<string, { readonly integrity?: string }> };
    const unverified = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.integrity === undefined);
    expect(unverified.map(([path]) => path)).toEqual([]);
  });

  test('pins every dependency exactly', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });

  test(`has no code file over ${LINES_MAX} lines`, () => {
    const long = [...codeFiles(ROOT), '.ci/run'].flatMap((path) => {
      const lines = readFileSync(join(ROOT, path), 'utf8').trimEnd().split('\n').length;
      return lines > LINES_MAX ? [`${path}: ${lines} lines`] : [];
    });
    expect(long).toEqual([]);
  });

  test('lets the install script of the package node run, which npm 12 would pass over', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly allowScripts: Record<string, boolean> };
    expect(manifest.allowScripts).toEqual({ node: true });
  });
});
