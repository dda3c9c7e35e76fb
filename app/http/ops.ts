import type { DurationMs } from '../../core/types.ts';
import type { SpoolStats } from '../../ingest/spool/spool-writer.ts';
import { formatBytes } from '../cli/format.ts';
import { refusal } from './answer.ts';
import type { Listen } from './listen.ts';
import type { Metrics } from './metrics.ts';
import { type Running, type ServerDeps, type ServerTimes, closeServer, createServer, listenAt, send } from './server.ts';

/** One reason to be ready or not. The text says what was seen; it holds no key and no secret. */
export type HealthCheck = { readonly name: string; readonly ok: boolean; readonly text: string };

export interface Health {
  /** Ready means: all of them are ok. */
  checks(): readonly HealthCheck[] | Promise<readonly HealthCheck[]>;
}

export type OpsDeps = ServerDeps & { readonly health: Health; readonly metrics: Metrics };

/** A probe that waits longer has given up by then. */
const CHECKS_MS: DurationMs = 3000;

/** `/livez`, `/readyz` and `/metrics`, on a listener of their own: they show no key, so that it may be open to a cluster. */
export async function serveOps(config: ServerTimes & { readonly listen: Listen }, deps: OpsDeps): Promise<Running> {
  const app = createServer(deps, { ...config, setting: 'ops', addresses: 'GET /livez, /readyz, /metrics' });
  app.removeAllContentTypeParsers();
  app.get('/livez', (_request, reply) => reply.type('application/json').send('{"ok":true}\n'));
  app.get('/readyz', async (_request, reply) => {
    const checks = await checksOf(deps);
    const isReady = checks.every(({ ok }) => ok);
    return reply
      .code(isReady ? 200 : 503)
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(`${JSON.stringify({ ok: isReady, checks: checks.map(({ name, ok, text }) => ({ name, ok, text })) })}\n`);
  });
  app.get('/metrics', async (_request, reply) => {
    const text = await textOf(deps);
    if (text === undefined) return send(reply, refusal(503, 'the metrics cannot be read now', 'look at /readyz and at the log of keywatch'));
    return reply.type(deps.metrics.contentType).send(text);
  });
  const address = await listenAt(app, config.listen, 'ops.listen');
  return { address, [Symbol.asyncDispose]: () => closeServer(app, deps.clock, config.graceMs) };
}

/** For `Health`: whether accepted events can still be kept. */
export function spoolCheck({ bytes, bytesMax, trouble }: SpoolStats): HealthCheck {
  const share = `${formatBytes(bytes)} of ${formatBytes(bytesMax)}`;
  return { name: 'spool', ok: trouble === undefined && bytes < bytesMax * 0.95, text: trouble ?? share };
}

/** What hangs or fails is a reason too. */
async function checksOf({ health, clock, onProblem }: OpsDeps): Promise<readonly HealthCheck[]> {
  const done = new AbortController();
  const late = clock.sleep(CHECKS_MS, done.signal).then(() => [{ name: 'checks', ok: false, text: `no answer within ${CHECKS_MS / 1000} s` }]);
  try {
    return await Promise.race([(async () => health.checks())(), late]);
  } catch (error) {
    onProblem(`the checks of /readyz failed: ${messageOf(error)}`);
    return [{ name: 'checks', ok: false, text: 'they failed: see the log of keywatch' }];
  } finally {
    done.abort();
  }
}

async function textOf({ metrics, onProblem }: OpsDeps): Promise<string | undefined> {
  try {
    return await metrics.text();
  } catch (error) {
    onProblem(`the metrics cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
