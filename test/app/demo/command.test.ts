import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCli } from '../cli/capture.ts';

const folder = mkdtempSync(join(tmpdir(), 'keywatch-demo-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('keywatch demo', () => {
  test.each([
    { argv: ['--for', '20s', '--speed', '10'], says: 'use --speed 90 or more' },
    { argv: ['--for', '2s'], says: 'run for 3 s or longer' },
    { argv: ['--for', '60'], says: 'a duration needs a unit' },
    { argv: ['--for', '10ms'], says: 'expected at least 1s' },
    { argv: ['--speed', 'fast'], says: 'expected a number above 0' },
    { argv: ['--seed', '0'], says: 'expected a whole number from 1 up' },
    { argv: ['--spede', '60'], says: 'did you mean --speed' },
    { argv: ['now'], says: 'too many arguments' },
  ])('$argv is refused with one line that says what to do', async ({ argv, says }) => {
    const ran = await runCli(['demo', ...argv]);
    expect(ran.code).toBe(2);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toContain(says);
    expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('a data directory with something in it is left alone', async () => {
    const used = join(folder, 'used');
    mkdirSync(used);
    writeFileSync(join(used, 'metrics.db'), 'mine');
    const ran = await runCli(['demo', '--data-dir', used]);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('is not empty');
    expect(readdirSync(used)).toEqual(['metrics.db']);
  });

  test('help names every option and gives examples', async () => {
    const ran = await runCli(['demo', '--help']);
    expect(ran.code).toBe(0);
    for (const option of ['--for', '--speed', '--seed', '--keep', '--plain', '--json', '--data-dir', '--html']) expect(ran.stdout).toContain(option);
    expect(ran.stdout).toContain('default: 60s');
  });
});
