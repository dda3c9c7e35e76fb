import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../app/cli/commands.ts';
import { CliError, CommandExit, usageError } from '../../../app/cli/errors.ts';
import { runCommand } from '../../../app/cli/program.ts';
import { runCli, sink, stillClock } from './capture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch cli '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const env = { HOME: directory, XDG_STATE_HOME: directory };

function oneLine(text: string): void {
  expect(text.trimEnd().split('\n')).toHaveLength(1);
}

describe('usage', () => {
  test('--help lists every command, exit codes and examples, on stdout', async () => {
    const ran = await runCli(['--help'], { env });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    for (const entry of COMMANDS) expect(ran.stdout).toContain(`  ${entry.name} `);
    for (const word of ['Examples:', 'Exit codes:', 'NO_COLOR']) expect(ran.stdout).toContain(word);
  });

  test('without a command the help goes to stderr and the exit code is 2', async () => {
    const ran = await runCli([], { env });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain('Usage: keywatch <command>');
  });

  test('--version prints the version of package.json', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^keywatch \d+\.\d+\.\d+ \(node 24\./);
  });

  test.each([
    [['analyse'], "did you mean 'analyze'"],
    [['doctr'], "did you mean 'doctor'"],
    [['finger'], "did you mean 'fingerprint'"],
    [['--json', 'run'], 'options stand after it'],
    [['config', 'chck'], 'did you mean check'],
    [['config', 'show', '--orign'], 'did you mean --origin'],
    [['config', 'check', 'a', 'b'], 'too many arguments'],
    [['config', 'check', '-c'], 'argument missing'],
    [['fingerprint', '--config='], '--config is empty'],
  ])('%s is answered with one line, a hint and exit code 2', async (argv, hint) => {
    const ran = await runCli(argv, { env });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(hint);
    oneLine(ran.stderr);
  });

  test('a secret in the wrong place of the command line is not repeated', async () => {
    const secret = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';
    for (const argv of [
      [secret],
      [`--key=${secret}`],
      ['config', secret],
      ['fingerprint', secret],
      ['fingerprint', `--key=${secret}`],
      ['config', 'check', 'a', secret],
    ]) {
      const ran = await runCli(argv, { env });
      expect(ran.code).toBe(2);
      expect(ran.stdout + ran.stderr).not.toContain(secret);
    }
  });

  test.each(COMMANDS.map((entry) => [entry.name, entry] as const))('%s has a help with examples and the name of the table', async (name, entry) => {
    const command = (await entry.load()).command({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: {}, clock: stillClock });
    expect(command.name()).toBe(name);
    const ran = await runCli([name, '--help'], { env });
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain(`Usage: keywatch ${name}`);
    expect(ran.stdout).toContain('Examples:');
    for (const child of command.commands) {
      const help = await runCli(['help', name, child.name()], { env });
      expect(help.stdout).toContain(`Usage: keywatch ${name} ${child.name()}`);
      expect(help.stdout).toContain('Examples:');
    }
  });
});

describe('failures', () => {
  const io = (isDebug: boolean) => {
    const stderr = sink();
    return {
      io: { stdin: process.stdin, stdout: sink().stream, stderr: stderr.stream, env: isDebug ? { KEYWATCH_DEBUG: '1' } : {}, clock: stillClock },
      text: stderr.text,
    };
  };
  const failing = (error: unknown): Command =>
    new Command('boom').action(() => {
      throw error;
    });

  test.each([
    [new CliError('cannot open x: permission denied; run it as its owner'), 1, 'keywatch boom: cannot open x: permission denied; run it as its owner\n'],
    [usageError('nonsense'), 2, 'keywatch boom: nonsense\n'],
    [new CommandExit(3), 3, ''],
    [
      Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES', path: '/x' }),
      1,
      'keywatch boom: /x: permission denied\nset KEYWATCH_DEBUG=1 to see where\n',
    ],
    [new Error('oops'), 1, 'keywatch boom: this should not have happened: oops\nset KEYWATCH_DEBUG=1 to see where\n'],
  ])('%s', async (error, code, want) => {
    const run = io(false);
    expect(await runCommand(failing(error), [], run.io)).toBe(code);
    expect(run.text()).toBe(want);
  });

  test('a stack is shown only with KEYWATCH_DEBUG=1', async () => {
    const run = io(true);
    await runCommand(failing(new Error('oops')), [], run.io);
    expect(run.text()).toContain('main.test.ts');
  });

  test('an error message from outside cannot drive the terminal', async () => {
    const run = io(false);
    await runCommand(failing(new Error('a\u001b[2Jb')), [], run.io);
    expect(run.text()).not.toContain('\u001b');
  });
});

describe('colours', () => {
  test('are for terminals, and not when NO_COLOR is set', async () => {
    const argv = ['doctor', '--data-dir', join(directory, 'none')];
    const before = process.env['NO_COLOR'];
    // Node takes a CI for a terminal without colours.
    const ci = process.env['CI'];
    try {
      delete process.env['CI'];
      delete process.env['NO_COLOR'];
      process.env['TERM'] = 'xterm-256color';
      expect((await runCli(argv, { env, columns: 80 })).stdout).toContain('\u001b[');
      expect((await runCli(argv, { env })).stdout).not.toContain('\u001b[');
      process.env['NO_COLOR'] = '1';
      expect((await runCli(argv, { env, columns: 80 })).stdout).not.toContain('\u001b[');
    } finally {
      if (ci !== undefined) process.env['CI'] = ci;
      if (before === undefined) delete process.env['NO_COLOR'];
      else process.env['NO_COLOR'] = before;
    }
  });
});

describe('fingerprint', () => {
  test('prints one id a line in order, the same ids every time, and never a secret', async () => {
    const secrets = ['kw_live_alpha', 'kw_live_beta', 'kw_live_alpha'];
    const first = await runCli(['fingerprint'], { env, stdin: `${secrets.join('\n')}\n` });
    const lines = first.stdout.trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^kf1_[0-9a-f]{32}$/);
    expect(lines[0]).toBe(lines[2]);
    expect(lines[0]).not.toBe(lines[1]);
    const again = await runCli(['fingerprint'], { env, stdin: ` kw_live_alpha \r\n\nkw_live_beta` });
    expect(again.stdout.trim().split('\n')).toEqual(lines.slice(0, 2));
    for (const secret of secrets) expect(first.stdout + first.stderr + again.stdout + again.stderr).not.toContain(secret);
  });

  test('takes the pepper of the configuration', async () => {
    const file = join(directory, 'peppered.yml');
    writeFileSync(file, 'pepper: {env: MY_PEPPER}\n');
    const run = (pepper: string) => runCli(['fingerprint', '-c', file], { env: { ...env, MY_PEPPER: pepper }, stdin: 'k' });
    // HMAC-SHA256 with 32 zero bytes, by: printf k | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '0%.0s' $(seq 64))
    expect((await run(Buffer.alloc(32).toString('base64'))).stdout).toBe('kf1_40fc241f23ecd34159c8de2c16831b11\n');
    const short = await run('c2hvcnQ=');
    expect(short.code).toBe(2);
    expect(short.stderr).toContain('base64');
    expect(short.stderr).not.toContain('c2hvcnQ=');
  });

  test('on a terminal it says how to use it and shows nothing of what is typed; without a secret it fails', async () => {
    const ran = await runCli(['fingerprint'], { env, isTerminal: true, stdin: 'kw_live_alpha\r' });
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('one secret a line, then Enter; it is not shown');
    expect(ran.stdout).toMatch(/^kf1_[0-9a-f]{32}\n$/);
    expect(ran.stdout).toBe((await runCli(['fingerprint'], { env, stdin: 'kw_live_alpha' })).stdout);
    const none = await runCli(['fingerprint'], { env, isTerminal: true });
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('no secret came from standard input');
  });

  test('a secret as an argument is refused with the reason', async () => {
    const ran = await runCli(['fingerprint', 'abc'], { env });
    expect(ran.stderr).toContain('never from the command line');
    expect(ran.code).toBe(2);
  });
});
