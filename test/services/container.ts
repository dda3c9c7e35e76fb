import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Runner } from './server.ts';

const run = promisify(execFile);
const docker = async (...args: readonly string[]): Promise<string> => (await run('docker', args, { maxBuffer: 1 << 26 })).stdout.trim();

/** The image of a service of docker-compose.yml: what is tested is what a user starts. */
export function imageOf(service: string): string {
  const compose = parse(readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')) as {
    services: Record<string, { image?: string } | undefined>;
  };
  const image = compose.services[service]?.image;
  if (image === undefined) throw new Error(`docker-compose.yml names no image for the service ${service}`);
  return image;
}

/** A server in a container of its own, on a port of loopback. */
export function container(options: {
  readonly image: string;
  readonly port: number;
  readonly inside: number;
  readonly env: Readonly<Record<string, string>>;
}): Runner {
  const { image, port, inside, env } = options;
  let id: string | undefined;
  const isRunning = async (): Promise<boolean> => id !== undefined && (await docker('inspect', '--format', '{{.State.Running}}', id)) === 'true';
  const thaw = async (): Promise<void> => {
    if (id !== undefined && (await docker('inspect', '--format', '{{.State.Paused}}', id)) === 'true') await docker('unpause', id);
  };
  return {
    isRunning,
    thaw,
    start: async () => {
      const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
      id ??= await docker('create', '--label', 'keywatch-test', '--publish', `127.0.0.1:${port}:${inside}`, ...variables, image);
      await docker('start', id);
    },
    end: async (how) => {
      if (!(await isRunning()) || id === undefined) return;
      await thaw();
      await (how === 'orderly' ? docker('stop', '--time', '60', id) : docker('kill', id));
    },
    freeze: async () => {
      if (id !== undefined) await docker('pause', id);
    },
    log: async () => (id === undefined ? '' : await docker('logs', '--tail', '200', id)),
    remove: async () => {
      if (id === undefined) return;
      await docker('rm', '--force', '--volumes', id);
      id = undefined;
    },
  };
}
