import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type ReceivedMail = { readonly to: readonly string[]; readonly raw: string };

/** An SMTP reply other than yes. */
export function smtpError(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

/** A mail server on loopback that remembers what it took; `options` decide what it takes. */
export class SmtpReceiver implements AsyncDisposable {
  readonly mails: ReceivedMail[] = [];
  readonly #server: SMTPServer;

  constructor(options: SMTPServerOptions = {}) {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      disableReverseLookup: true,
      logger: false,
      onData: (stream, session, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          this.mails.push({ to: session.envelope.rcptTo.map((to) => to.address), raw: Buffer.concat(chunks).toString('latin1') });
          callback();
        });
      },
      ...options,
    });
    // Clients that hang up in the middle of a conversation are what these tests are about.
    this.#server.on('error', () => undefined);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  /** Cuts every open connection. */
  drop(): void {
    for (const connection of this.#server.connections) connection._socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#server.connections) connection.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

export type MimePart = { readonly type: string; readonly headers: ReadonlyMap<string, string>; readonly body: string };
export type ParsedMail = { readonly headers: ReadonlyMap<string, string>; readonly parts: readonly MimePart[] };

/** Takes a mail apart: unfolded and decoded headers, decoded leaves in order. Enough of MIME for what mail libraries write. */
export function parseMail(raw: string): ParsedMail {
  const { headers, body } = splitHeaders(raw);
  return { headers, parts: leaves(headers, body) };
}

function leaves(headers: ReadonlyMap<string, string>, body: string): readonly MimePart[] {
  const contentType = headers.get('content-type') ?? 'text/plain';
  const boundary = /boundary="([^"]+)"/.exec(contentType)?.[1];
  if (boundary === undefined)
    return [{ type: contentType.split(';', 1)[0] ?? '', headers, body: decodeBody(body, headers.get('content-transfer-encoding') ?? '7bit') }];
  const inner = body.split(`--${boundary}`).slice(1, -1);
  return inner.flatMap((part) => {
    const { headers: own, body: rest } = splitHeaders(part.replace(/^\r\n/, ''));
    return leaves(own, rest);
  });
}

function splitHeaders(text: string): { readonly headers: ReadonlyMap<string, string>; readonly body: string } {
  const end = text.indexOf('\r\n\r\n');
  const lines = text
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')).toLowerCase(), decodeWords(line.slice(line.indexOf(':') + 1).trim())]),
  );
  return { headers, body: text.slice(end + 4) };
}

function decodeWords(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?q\?([^?]*)\?=/gi, (_all, word: string) => quotedPrintable(word.replaceAll('_', ' ')))
    .replace(/=\?utf-8\?b\?([^?]*)\?=/gi, (_all, word: string) => Buffer.from(word, 'base64').toString());
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding === 'quoted-printable') return quotedPrintable(body.replace(/=\r\n/g, '')).replaceAll('\r\n', '\n');
  return Buffer.from(body, 'latin1').toString().replaceAll('\r\n', '\n');
}

function quotedPrintable(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
