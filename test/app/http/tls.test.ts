import { request } from 'node:https';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type ServerConfig, closeServer, createServer, listenAt } from '../../../app/http/server.ts';
import { type ServerTls, certificateTrouble } from '../../../app/http/tls.ts';
import { systemClock } from '../../../core/clock.ts';
import { Secret } from '../../../core/secret.ts';
import { selfSigned } from '../../support/self-signed.ts';

const own = selfSigned();
const client = selfSigned();
const stranger = selfSigned();

type Secure = AsyncDisposable & { readonly port: number; readonly problems: readonly string[] };

async function secure(tls: Partial<ServerTls> = {}): Promise<Secure> {
  const problems: string[] = [];
  const config: ServerConfig = { setting: 'api', addresses: 'GET /here', tls: { cert: own.cert, key: new Secret(own.key), clientCa: undefined, ...tls } };
  const app = createServer({ clock: systemClock, onProblem: (message) => void problems.push(message) }, config);
  app.get('/here', () => ({ ok: true }));
  const { port } = await listenAt(app, { host: '127.0.0.1', port: 0 }, 'api.listen');
  return { port, problems, [Symbol.asyncDispose]: () => closeServer(app, systemClock, 1000) };
}

type Answer = { readonly status: number; readonly hsts: string | undefined; readonly protocol: string | null };

function get(port: number, path: string, options: { readonly cert?: string; readonly key?: string; readonly maxVersion?: 'TLSv1.2' } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: 'localhost', port, path, ca: own.cert, agent: false, ...options }, (response) => {
      const protocol = 'getProtocol' in response.socket && typeof response.socket.getProtocol === 'function' ? String(response.socket.getProtocol()) : null;
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, hsts: response.headers['strict-transport-security'], protocol }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

describe('a server with a certificate', () => {
  test('speaks TLS 1.3, and every answer says for a year that nothing less will do', async () => {
    await using server = await secure();
    expect(await get(server.port, '/here')).toEqual({ status: 200, hsts: 'max-age=31536000', protocol: 'TLSv1.3' });
    expect(await get(server.port, '/nowhere')).toEqual({ status: 404, hsts: 'max-age=31536000', protocol: 'TLSv1.3' });
    expect(server.problems).toEqual([]);
  });

  test('speaks nothing older, and no plain HTTP', async () => {
    await using server = await secure();
    await expect(get(server.port, '/here', { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/i);
    await expect(fetch(`http://127.0.0.1:${server.port}/here`)).rejects.toThrow(/fetch failed/);
  });

  test('with an authority of clients only their certificates get as far as a request', async () => {
    await using server = await secure({ clientCa: client.cert });
    expect(await get(server.port, '/here', client)).toMatchObject({ status: 200 });
    await expect(get(server.port, '/here')).rejects.toThrow(/certificate required|reset|hang up/i);
    await expect(get(server.port, '/here', stranger)).rejects.toThrow(/alert|reset|hang up/i);
  });

  test('a key of another certificate is said in one line that shows neither', async () => {
    const wrong = secure({ key: new Secret(stranger.key) });
    await expect(wrong).rejects.toThrow(/^the certificate, its key or the authority of clients cannot be used: .*\(api\.tls\)$/);
    await expect(secure({ cert: 'no pem' })).rejects.toThrow(/cannot be used/);
  });

  test('who hangs up in the handshake disturbs nobody', async () => {
    await using server = await secure();
    const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    socket.destroy();
    expect(await get(server.port, '/here')).toMatchObject({ status: 200 });
  });

  test('a certificate that ended, begins later or ends soon is told of', () => {
    // The certificates of these tests are of 2020 to 2049.
    expect(certificateTrouble(own.cert, Date.UTC(2026, 0, 1), 'api.tls')).toBeUndefined();
    expect(certificateTrouble(own.cert, Date.UTC(2050, 0, 1), 'api.tls')).toBe(
      'the certificate ended on 2049-12-31: clients refuse it; renew it and restart (api.tls)',
    );
    expect(certificateTrouble(own.cert, Date.UTC(2049, 11, 25), 'api.tls')).toMatch(/^the certificate ends on 2049-12-31/);
    expect(certificateTrouble(own.cert, Date.UTC(2019, 0, 1), 'api.tls')).toMatch(/^the certificate begins on 2020-01-01 only/);
  });
});
