import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Secret } from '../../core/secret.ts';
import { safeText } from '../../core/text.ts';
import { type DurationMs, type EpochMs, OK, type Outcome, failed } from '../../core/types.ts';
import { networkReason } from './network-reason.ts';

/** Bytes of an answer that are read, unless the caller wants more: most say a word or two. */
const ANSWER_BYTES_MAX = 1024;
/** How much of an answer a reason repeats. */
const SAID_CHARS_MAX = 60;

export type HttpAnswer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Its beginning. */
  readonly body: string;
};

export type HttpPost = {
  /** As a secret: most of these addresses carry a token. */
  readonly url: Secret;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: DurationMs;
  readonly signal: AbortSignal;
  /** PEM of the authority of the other side, where it is not a public one. */
  readonly ca?: string | undefined;
  readonly answerBytesMax?: number;
};

/**
 * One POST. Redirects are not followed: a message goes where the configuration says and nowhere else. Each post is a
 * connection of its own: between two alerts an idle one would have been cut by the other side, and fail the next message.
 */
export function post(options: HttpPost): Promise<HttpAnswer> {
  const url = new URL(options.url.reveal());
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  const body = Buffer.from(options.body);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestTls : requestPlain)(url, {
      method: 'POST',
      signal,
      headers: { 'user-agent': 'keywatch', accept: '*/*', ...options.headers, 'content-length': String(body.length), connection: 'close' },
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      minVersion: 'TLSv1.2',
    });
    const fail = (error: unknown): void => {
      request.destroy();
      // The signal knows better than the error of the socket why it ended.
      const reason: unknown = signal.aborted ? signal.reason : error;
      reject(reason instanceof Error ? reason : new DOMException('aborted', 'AbortError'));
    };
    request.once('error', fail);
    request.once('response', (response) => {
      readStart(response, options.answerBytesMax ?? ANSWER_BYTES_MAX).then((text) => {
        request.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      }, fail);
    });
    request.end(body);
  });
}

async function readStart(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= bytesMax) break;
  }
  return Buffer.concat(chunks).subarray(0, bytesMax).toString();
}

export type Meaning = {
  /** How reasons call the other side: `Slack`, `the webhook`. */
  readonly who: string;
  readonly now: EpochMs;
  /** Texts that no reason may repeat, whatever the other side answers. */
  readonly secrets: readonly Secret[];
  /** What the other side says of its own answer, where it is not the whole body. */
  readonly said?: string | undefined;
};

/** Whether the other side took it: any 2xx. 408, 429 and 5xx may pass; everything else needs a person. */
export function outcomeOf(answer: HttpAnswer, meaning: Meaning): Outcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return OK;
  const isRetryable = status >= 500 || status === 429 || status === 408;
  const said = safeText(withoutSecrets(meaning.said ?? answer.body, meaning.secrets), SAID_CHARS_MAX);
  const hint = status >= 300 && status < 400 ? ', a redirect, which is not followed' : '';
  const reason = `${meaning.who} answered HTTP ${status}${hint}${said === '' ? '' : `: ${said}`}`;
  return failed(reason, isRetryable, isRetryable ? retryAfterMs(answer.headers['retry-after'], meaning.now) : undefined);
}

/** What no answer at all means: it may pass. */
export function unreached(who: string, error: unknown): Outcome {
  return failed(`${who} was not reached: ${networkReason(error)}`, true);
}

/** Seconds, or a date. Undefined when it says nothing that can be obeyed. */
export function retryAfterMs(header: string | undefined, now: EpochMs): DurationMs | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** An answer may repeat the address it was asked under, or the key it was asked with. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  let clean = text;
  for (const secret of secrets) {
    const value = secret.reveal();
    // Two signing keys stand in one text, and a far side may repeat one without its prefix.
    for (const part of value.split(/\s+/).flatMap((word) => [word, word.replace(/^whsec_/, '')])) if (part !== '') clean = clean.replaceAll(part, '<secret>');
    if (!URL.canParse(value)) continue;
    const { href, pathname, search, username, password } = new URL(value);
    // The longest first: a part of what is left would otherwise be known.
    for (const part of [
      href,
      `${pathname}${search}`,
      pathname,
      ...pathname.split('/').filter((piece) => piece.length >= 8),
      search.slice(1),
      username,
      password,
    ])
      if (part.length > 1) clean = clean.replaceAll(part, '<secret>');
  }
  return clean;
}
