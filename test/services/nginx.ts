import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inFreshFolder } from './account.ts';
import { findProgram } from './choice.ts';
import { local } from './local.ts';
import { freePort } from './ports.ts';
import { type Server, serve } from './server.ts';

export type Gateway = Server & { readonly origin: string; /** Its access log. */ readonly accessLog: string };

/** The format that the manual recommends, and the oldest one. */
const FORMATS = {
  json: `log_format keywatch escape=json
    '{"msec":$msec,"remote_addr":"$remote_addr","xff":"$http_x_forwarded_for","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"request_length":$request_length,"bytes_sent":$bytes_sent,"request_time":$request_time,'
    '"user_agent":"$http_user_agent","api_key":"$http_x_api_key"}';`,
  combined: `log_format keywatch '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';`,
} as const;

export const HAS_NGINX: boolean = findProgram('nginx') !== undefined;

/** A path is answered with the status that it ends in: `/v1/orders/7/404` is not found. All else is 200. */
const STATUSES = [201, 301, 400, 401, 403, 404, 429, 500, 503] as const;

/** A real NGINX on loopback, as a gateway that knows nothing of Keywatch. */
export function startNginx(options: { readonly format: keyof typeof FORMATS }): Promise<Gateway> {
  const program = findProgram('nginx');
  if (program === undefined) throw new Error('this test needs nginx: install the package nginx-light');
  return inFreshFolder(undefined, 'keywatch-nginx-', async (folder) => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const accessLog = join(folder, 'access.log');
    await mkdir(join(folder, 'tmp'));
    const config = join(folder, 'nginx.conf');
    await writeFile(config, configuration({ folder, port, accessLog, format: FORMATS[options.format] }));
    const runner = local({ program, folder, args: ['-p', folder, '-c', config, '-e', join(folder, 'error.log')] });
    const answers = (): Promise<boolean> =>
      fetch(`${origin}/ready`).then(
        (response) => response.ok,
        () => false,
      );
    const server = await serve({ name: 'nginx', port, runner, answers });
    const dispose = async (): Promise<void> => {
      // In order: a worker whose master was killed stays a zombie where nobody adopts it, as in many containers.
      await server.stop();
      await server[Symbol.asyncDispose]();
    };
    return { ...server, origin, accessLog, [Symbol.asyncDispose]: dispose };
  });
}

function configuration(options: { readonly folder: string; readonly port: number; readonly accessLog: string; readonly format: string }): string {
  const { folder, port, accessLog, format } = options;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, 'tmp')};`).join(' ');
  return `daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 256; }
http {
  ${temporary}
  ${format}
  access_log ${accessLog} keywatch;
  server {
    listen 127.0.0.1:${port};
    location = /ready { access_log off; return 204; }
    ${STATUSES.map((status) => `location ~ "/${status}$" { return ${status}${status === 301 ? ' /elsewhere' : ''}; }`).join('\n    ')}
    location / { return 200 "ok\\n"; }
  }
}
`;
}
