import { createTransport } from 'nodemailer';
import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import { safeText } from '../../../core/text.ts';
import { OK, type Outcome, type Severity, failed } from '../../../core/types.ts';
import { EMAIL_MIN_SEVERITY } from '../../route.ts';
import type { KeyCards } from '../facts.ts';
import { networkReason } from '../network-reason.ts';
import { type EmailConfig, tlsOf } from './config.ts';
import { mailMessage } from './message.ts';

/** Mails of which some recipients still wait; more are forgotten, and then every recipient gets the mail again. */
const PARTIAL_MAX = 1000;

/** A refusal as the mail library reports it. `responseCode` is the SMTP reply code. */
type Refusal = { readonly recipient: string; readonly responseCode: number | undefined; readonly said: string };

/** Sends mail over SMTP. It never retries by itself: the outbox does, with the same Message-ID. */
export class EmailNotifier implements Notifier {
  readonly name: string;
  readonly #config: EmailConfig;
  readonly #minSeverity: Severity;
  readonly #cards: KeyCards | undefined;
  readonly #onRefused: ((refused: { readonly recipient: string; readonly reason: string }) => void) | undefined;
  readonly #transport: ReturnType<typeof transportOf>;
  /** By notification: recipients that were put off while others took the mail. */
  readonly #waiting = new Map<string, readonly string[]>();

  constructor(
    config: EmailConfig,
    deps: {
      readonly name?: string;
      readonly minSeverity?: Severity;
      readonly cards?: KeyCards | undefined;
      /** Told when a recipient is refused for good while others take the mail: the mail counts as sent. */
      readonly onRefused?: (refused: { readonly recipient: string; readonly reason: string }) => void;
    } = {},
  ) {
    this.name = deps.name ?? 'email';
    this.#config = config;
    this.#cards = deps.cards;
    this.#minSeverity = deps.minSeverity ?? EMAIL_MIN_SEVERITY;
    this.#onRefused = deps.onRefused;
    this.#transport = transportOf(config);
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { from, fromName, to, replyTo } = this.#config;
    const message = mailMessage(notification, {
      channel: this.name,
      domain: from.slice(from.lastIndexOf('@') + 1),
      minSeverity: this.#minSeverity,
      cards: this.#cards,
    });
    const waiting = this.#waiting.get(notification.id);
    try {
      const info = await this.#transport.sendMail({
        signal,
        from: { name: fromName, address: from },
        to: [...to],
        ...(replyTo === undefined ? {} : { replyTo }),
        envelope: { from, to: [...(waiting ?? to)] },
        subject: message.subject,
        text: message.text,
        html: message.html,
        messageId: message.messageId,
        ...(message.threadRoot === undefined ? {} : { inReplyTo: message.threadRoot, references: message.threadRoot }),
        headers: { ...message.headers },
        attachments: message.attachments.map(({ filename, content }) => ({ filename, content, contentType: 'application/json' })),
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      return this.#partly(notification.id, refusalsOf(info));
    } catch (error) {
      const outcome = outcomeOf(error);
      // The others have the mail already: the last one's refusal does not make it undelivered.
      if (waiting === undefined || outcome.ok || outcome.retryable) return outcome;
      return this.#partly(notification.id, refusalsOf(error));
    }
  }

  /** Some recipients took the mail. Those put off are tried again, those refused for good are reported. */
  #partly(id: string, refusals: readonly Refusal[]): Outcome {
    this.#waiting.delete(id);
    const later = refusals.filter((refusal) => isTemporary(refusal.responseCode));
    for (const { recipient, responseCode, said } of refusals) {
      if (!isTemporary(responseCode)) this.#onRefused?.({ recipient: safeText(recipient), reason: `${responseCode ?? ''} ${said}`.trim() });
    }
    if (later.length === 0) return OK;
    const oldest = this.#waiting.keys().next();
    if (this.#waiting.size >= PARTIAL_MAX && !oldest.done) this.#waiting.delete(oldest.value);
    this.#waiting.set(
      id,
      later.map((refusal) => refusal.recipient),
    );
    return failed(`the mail server put off ${later.length} of the recipients: ${later[0]?.said ?? ''}`, true);
  }
}

function transportOf(config: EmailConfig) {
  const { host, port, ca, auth, dkim, timeout: timeoutMs } = config;
  const tls = tlsOf(config);
  return createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) },
    ...(auth === undefined ? {} : { auth: { user: auth.user, pass: auth.password.reveal() } }),
    ...(dkim === undefined ? {} : { dkim: { domainName: dkim.domain, keySelector: dkim.selector, privateKey: dkim.privateKey.reveal() } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    logger: false,
  });
}

/** Errors of the network and replies 4xx are worth another try; replies 5xx and a wrong configuration are not. */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error;
  const code = replyCode(error);
  if (code !== undefined) return failed(`the mail server answered ${code}: ${saidBy(error)}`, code < 500);
  const isOurs = PERMANENT_CODES.includes(error.code);
  return failed(isOurs ? `the mail was not sent: ${error.code}` : `the mail server was not reached: ${reasonOf(error, error.code)}`, !isOurs);
}

/** The library calls every fault of a connection ESOCKET or ETLS and puts that in place of the code; the words of TLS are left. */
function reasonOf(error: Error, code: string): string {
  const found = TLS_WORDS.find(([words]) => error.message.toLowerCase().includes(words));
  if (found !== undefined) return networkReason(Object.assign(new Error('tls'), { code: found[1] }));
  return code === 'EABORT' ? 'aborted' : code;
}

const TLS_WORDS: readonly (readonly [string, string])[] = [
  ['certificate has expired', 'CERT_HAS_EXPIRED'],
  ['certificate is not yet valid', 'CERT_NOT_YET_VALID'],
  ['self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['unable to get local issuer certificate', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ['unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ["does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID'],
];

/** The library's own codes for what another try cannot mend. */
const PERMANENT_CODES = ['EENVELOPE', 'EMESSAGE', 'ENOAUTH', 'ECONFIG', 'EMAXRECIPIENTS', 'EFILEACCESS', 'EURLACCESS'];

function refusalsOf(source: unknown): readonly Refusal[] {
  if (typeof source !== 'object' || source === null || !('rejectedErrors' in source) || !Array.isArray(source.rejectedErrors)) return [];
  return source.rejectedErrors.flatMap((error: unknown) => {
    if (!(error instanceof Error) || !('recipient' in error) || typeof error.recipient !== 'string') return [];
    return [{ recipient: error.recipient, responseCode: replyCode(error), said: saidBy(error) }];
  });
}

function isTemporary(code: number | undefined): boolean {
  return code !== undefined && code < 500;
}

function replyCode(error: Error): number | undefined {
  return 'responseCode' in error && typeof error.responseCode === 'number' && error.responseCode >= 400 ? error.responseCode : undefined;
}

function saidBy(error: Error): string {
  return 'response' in error && typeof error.response === 'string' ? safeText(error.response) : safeText(error.message);
}
