import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { EpochMs } from '../../core/types.ts';
import { readMail } from './mime.ts';
import { slackLines } from './slack-text.ts';
import type { ReceivedMessage } from './types.ts';

/** A message over this size is refused: ours are a few kilobytes. */
const MESSAGE_BYTES_MAX = 1_048_576;

export type Receivers = AsyncDisposable & {
  /** Where a Slack client posts to. Only that path is answered. */
  readonly slackUrl: string;
  readonly smtp: { readonly host: string; readonly port: number };
  /** In the order of arrival. */
  readonly messages: readonly ReceivedMessage[];
};

/**
 * Stands for Slack and for a mail server on loopback, so that the demo sends real requests and shows what arrived.
 * Listens on free ports of 127.0.0.1 only, and keeps messages in memory.
 */
export async function startReceivers(options: { readonly now: () => EpochMs; readonly onMessage: (message: ReceivedMessage) => void }): Promise<Receivers> {
  const messages: ReceivedMessage[] = [];
  const keep = (message: ReceivedMessage): void => {
    messages.push(message);
    options.onMessage(message);
  };
  await using stack = new AsyncDisposableStack();
  const http = createServer(
    (request, response) => void answerSlack(request, response, (subject, text) => keep({ channel: 'slack', at: options.now(), subject, text })),
  );
  stack.defer(() => closeHttp(http));
  const httpPort = await listen(http);
  const mail = startMail((subject, text) => keep({ channel: 'email', at: options.now(), subject, text }));
  stack.defer(() => new Promise<void>((resolve) => mail.close(() => resolve())));
  const smtpPort = await listen(mail.server);
  const owned = stack.move();
  return {
    slackUrl: `http://127.0.0.1:${httpPort}${SLACK_PATH}`,
    smtp: { host: '127.0.0.1', port: smtpPort },
    messages,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The shape of a real webhook's path. */
const SLACK_PATH = '/services/T00000000/B00000000/demo';

async function answerSlack(request: IncomingMessage, response: ServerResponse, keep: (subject: string, text: string) => void): Promise<void> {
  const answer = (status: number, text: string): void => void response.writeHead(status, { 'content-type': 'text/html' }).end(text);
  if (request.url !== SLACK_PATH) return answer(404, 'no_team');
  if (request.method !== 'POST') return answer(405, 'method_not_allowed');
  try {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of request) {
      if (!Buffer.isBuffer(part)) continue;
      size += part.length;
      if (size > MESSAGE_BYTES_MAX) return answer(413, 'payload_too_large');
      parts.push(part);
    }
    const { subject, lines } = slackLines(JSON.parse(Buffer.concat(parts).toString('utf8')));
    if (lines.length === 0) return answer(400, 'no_text');
    keep(subject, lines.join('\n'));
    return answer(200, 'ok');
  } catch {
    // As Slack answers what it cannot read; the client counts it as a failure.
    return answer(400, 'invalid_payload');
  }
}

function startMail(keep: (subject: string, text: string) => void): SMTPServer {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: MESSAGE_BYTES_MAX,
    logger: false,
    onData: (stream, _session, callback) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const mail = readMail(Buffer.concat(parts));
        keep(mail.subject, mail.text);
        callback();
      });
    },
  });
  // A client that goes away in the middle is no failure of the demo.
  server.on('error', () => undefined);
  return server;
}

function listen(server: NetServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('BUG: a TCP server has a port'));
      else resolve(address.port);
    });
  });
}

async function closeHttp(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
