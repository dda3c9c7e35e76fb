import { hash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { command } from '../../../app/commands/token.ts';
import { apiSchema } from '../../../app/config/schema/api.ts';
import { httpSchema } from '../../../app/config/schema/http.ts';
import { tokenCheck } from '../../../app/http/tokens.ts';
import { systemClock } from '../../../core/clock.ts';

async function token(...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const io = { stdin: new PassThrough(), stdout, stderr, env: {}, clock: systemClock };
  await command(io)
    .exitOverride()
    .parseAsync([...args], { from: 'user' });
  const text = (stream: PassThrough): string => ((stream.read() as Buffer | null) ?? Buffer.alloc(0)).toString();
  return { stdout: text(stdout), stderr: text(stderr) };
}

describe('keywatch token', () => {
  test('what it prints lets its sender in and is taken by the configuration; every token is another one', async () => {
    const { stdout, stderr } = await token('edge: gateway');
    expect(stderr).toBe('');
    const authorization = /^ {2}Authorization: (Bearer kwt_[A-Za-z0-9_-]{43})$/m.exec(stdout)?.[1];
    const yaml = parse(stdout.slice(stdout.indexOf('  http:'))) as { http: unknown };
    const config = httpSchema.parse(yaml.http);
    expect(config.tokens).toEqual([{ name: 'edge: gateway', sha256: hash('sha256', authorization?.slice(7) ?? '', 'hex') }]);
    expect(tokenCheck(config.tokens)(authorization)?.name).toBe('edge: gateway');
    const other = JSON.parse((await token('edge', '--json')).stdout) as { token: string; sha256: string };
    expect(other.sha256).toBe(hash('sha256', other.token, 'hex'));
    expect(stdout).not.toContain(other.token);
  });

  test('with a role it is a token of the API, with that role; another word is no role', async () => {
    const { stdout } = await token('ada', '--role', 'operator');
    const authorization = /^ {2}Authorization: (Bearer kwt_[A-Za-z0-9_-]{43})$/m.exec(stdout)?.[1];
    const yaml = parse(stdout.slice(stdout.indexOf('  api:'))) as { api: unknown };
    const config = apiSchema.parse(yaml.api);
    expect(tokenCheck(config.tokens)(authorization)).toMatchObject({ name: 'ada', role: 'operator' });
    expect(JSON.parse((await token('ada', '--role', 'viewer', '--json')).stdout)).toMatchObject({ name: 'ada', role: 'viewer' });
    await expect(token('ada', '--role', 'root')).rejects.toThrow(/viewer, operator, admin/);
  });

  test('a secret or nothing is no name', async () => {
    await expect(token(' ')).rejects.toThrow(/the name is empty/);
    await expect(token('sk_live_4eC39HqLyjWDarjtT1zdp7dc')).rejects.toThrow(/^this looks like a secret; give the name/);
  });
});
