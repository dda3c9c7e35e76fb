import { describe, expect, test } from 'vitest';
import { httpSchema, opsSchema } from '../../../app/config/schema/http.ts';
import { isLoopback, parseListen, printListen } from '../../../app/http/listen.ts';

const SHA = 'a'.repeat(64);

function problems(schema: typeof httpSchema | typeof opsSchema, input: unknown): readonly string[] {
  const parsed = schema.safeParse(input);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the settings of the listeners', () => {
  test('an empty section is a way in on loopback with bounds', () => {
    expect(httpSchema.parse({})).toEqual({
      listen: { host: '127.0.0.1', port: 9421 },
      tokens: [],
      maxBody: 16 * 2 ** 20,
      maxEvents: 100_000,
      maxRate: null,
      spool: { bytesMax: 2 * 2 ** 30 },
    });
    expect(opsSchema.parse(undefined)).toEqual({ listen: { host: '127.0.0.1', port: 9420 } });
    expect(opsSchema.parse({ listen: 'off' })).toEqual({ listen: null });
    expect(opsSchema.parse({ listen: false })).toEqual({ listen: null });
  });

  test('an address that others reach needs a token', () => {
    expect(problems(httpSchema, { listen: '0.0.0.0:9421' })).toEqual([
      'tokens: 0.0.0.0 can be reached by others: name a token (keywatch token makes one), or listen on 127.0.0.1',
    ]);
    expect(problems(httpSchema, { listen: '0.0.0.0:9421', tokens: [{ name: 'edge', sha256: SHA }] })).toEqual([]);
    expect(problems(opsSchema, { listen: '0.0.0.0:9420' })).toEqual([]);
  });

  test('mistakes are told with what to do, and a token that was pasted is marked not to be shown', () => {
    const pasted = httpSchema.safeParse({ tokens: [{ name: 'edge', sha256: 'kwt_pasted' }] });
    expect(pasted.error?.issues[0]).toMatchObject({ params: { hidesValue: true }, message: expect.stringContaining('keywatch token makes a token') as string });
    expect(
      problems(httpSchema, {
        tokens: [
          { name: 'a', sha256: SHA },
          { name: 'a', sha256: SHA },
        ],
      }),
    ).toEqual(['tokens.1.name: there is a token of that name already']);
    expect(problems(httpSchema, { listen: '9421' })).toEqual([expect.stringContaining('listen: expected an address and a port')]);
    expect(problems(opsSchema, { listen: 'x' })).toEqual([expect.stringContaining(', or off')]);
    expect(problems(httpSchema, { spool: { bytesMax: '100MB' } })).toEqual(['spool.bytesMax: must be at least 8 times maxBody']);
    expect(problems(httpSchema, { maxBody: '1GB', spool: { bytesMax: '20GB' } })).toEqual(['maxBody: must be at most 128MB, since a body is held in memory']);
  });

  test('addresses are read as they are written', () => {
    const cases: [string, string | undefined][] = [
      ['127.0.0.1:0', '127.0.0.1:0'],
      [' localhost:9421 ', 'localhost:9421'],
      ['[::1]:80', '[::1]:80'],
      ['kw-1.example.test:65535', 'kw-1.example.test:65535'],
      ['::1:80', undefined],
      ['[127.0.0.1]:80', undefined],
      ['256.0.0.1:80', undefined],
      ['127.0.0.1', undefined],
      ['127.0.0.1:65536', undefined],
      [':80', undefined],
      ['http://localhost:80', undefined],
    ];
    for (const [text, want] of cases) {
      const parsed = parseListen(text);
      expect([text, parsed === undefined ? undefined : printListen(parsed)]).toEqual([text, want]);
    }
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost', '0.0.0.0', '::', '10.0.0.1', '127.evil.example'].map(isLoopback)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
