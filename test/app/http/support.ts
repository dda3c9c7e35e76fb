import { hash } from 'node:crypto';
import { request } from 'node:http';
import { systemClock } from '../../../core/clock.ts';
import { type EventsConfig, type EventsDeps, type EventsServer, serveEvents } from '../../../app/http/events.ts';
import type { RequestLine } from '../../../app/http/server.ts';
import { SpoolWriter, type SpoolConfig } from '../../../ingest/spool/spool-writer.ts';
import { ids, tempDirectory } from '../../ingest/source/support.ts';
import { readSpool } from '../../ingest/spool/support.ts';

export const TOKEN = 'kwt_not-a-real-token-of-anybody';
export const TOKENS = [
  { name: 'other', sha256: hash('sha256', 'something-else', 'hex') },
  { name: 'edge', sha256: hash('sha256', TOKEN, 'hex') },
];

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: unknown;
};

export type Intake = AsyncDisposable & {
  readonly server: EventsServer;
  readonly writer: SpoolWriter;
  readonly directory: string;
  readonly url: string;
  readonly log: readonly RequestLine[];
  readonly problems: readonly string[];
  post(body: string | Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** The lines that are in the spool now. */
  lines(): Promise<readonly string[]>;
};

/** The real server on a free port, with a real spool. */
export async function intake(
  config: Partial<EventsConfig> = {},
  options: { readonly spool?: Partial<SpoolConfig>; readonly deps?: Partial<EventsDeps>; readonly token?: string | undefined } = {},
): Promise<Intake> {
  const directory = tempDirectory();
  const log: RequestLine[] = [];
  const problems: string[] = [];
  const onProblem = (message: string): void => void problems.push(message);
  const writer = await SpoolWriter.open({ directory: directory.root, bytesMax: 2 ** 30, ...options.spool }, { clock: systemClock, newId: ids(), onProblem });
  const server = await serveEvents(
    { listen: { host: '127.0.0.1', port: 0 }, tokens: TOKENS, maxBody: 2 ** 20, maxEvents: 1000, maxRate: null, graceMs: 2000, ...config },
    { spool: writer, clock: systemClock, onProblem, onRequest: (line) => void log.push(line), ...options.deps },
  );
  const url = `http://127.0.0.1:${server.address.port}/v1/events`;
  const token = 'token' in options ? options.token : TOKEN;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    server,
    writer,
    directory: directory.root,
    url,
    log,
    problems,
    post: (body, headers = {}) => send(url, { body, headers: { ...authorization, ...headers } }),
    lines: async () => (await readSpool(directory.root, { writer })).lines.map(({ text }) => text),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

/** One request on a connection of its own, so that nothing is left open. */
export function send(
  url: string,
  options: { readonly method?: string; readonly body?: string | Uint8Array; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const { method = 'POST', body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.startsWith('application/json') === true && text !== '';
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: isJson ? (JSON.parse(text) as unknown) : undefined });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
