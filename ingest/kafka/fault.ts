import { type Outcome, failed } from '../../core/types.ts';

/** A fault of the world behind a call to Kafka, where the port has no `Outcome`. It does not keep the exception of the client. */
export class KafkaFault extends Error {
  override readonly name = 'KafkaFault';
  /** True when the same call may succeed later without anybody changing the configuration. */
  readonly isRetryable: boolean;

  constructor(message: string, options: { readonly isRetryable: boolean }) {
    super(message);
    this.isRetryable = options.isRetryable;
  }
}

/** Codes of node:tls and OpenSSL that say: the far side is there, but its certificate or ours is not right. */
const CERTIFICATE_CODES = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** Answers of a broker that go away by themselves, though kafkajs calls some of them final. */
const PASSING_TYPES = new Set(['BROKER_NOT_AVAILABLE', 'STALE_CONTROLLER_EPOCH', 'UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS']);

/** What kafkajs and node put on their errors. */
type Facts = {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly type: string;
  readonly broker: string;
  readonly isRetriable: boolean | undefined;
};

/**
 * One line of what a failed call to Kafka means, and whether trying again can help. kafkajs wraps the cause when its own retries are used up,
 * and calls the wrapper final: what counts is the innermost error that says something.
 */
export function faultOf(error: unknown): Outcome & { readonly ok: false } {
  const chain = causes(error);
  const broker = chain.find((facts) => facts.broker !== '')?.broker;
  const place = broker === undefined ? 'kafka' : `kafka broker ${broker}`;
  for (const facts of chain) {
    const known = knownFault(facts, place);
    if (known !== undefined) return known;
  }
  const inner = chain.at(-1);
  if (inner === undefined) return fault(`kafka: ${oneLine(String(error))}`, false);
  // Two ways to tell a bug of ours or of kafkajs from the world: these never get better.
  const isBug = chain.some(({ name }) => name === 'TypeError' || name === 'RangeError' || name === 'ReferenceError' || name === 'SyntaxError');
  return fault(`kafka: ${oneLine(inner.message)}`, !isBug && inner.isRetriable !== false);
}

function knownFault(facts: Facts, place: string): (Outcome & { readonly ok: false }) | undefined {
  const { name, code, type, message } = facts;
  // kafkajs calls it a refused login too when the connection broke or timed out in the middle of one.
  if (name === 'KafkaJSSASLAuthenticationError' && /Connection (?:closed|error|timeout)|Not connected|timed out/i.test(message))
    return fault(`${place} closed the connection during the login: ${oneLine(message)}`, true);
  if (name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED')
    return fault(`kafka refused the login: ${oneLine(message)}; check the user name, the password and the mechanism`, false);
  if (type === 'UNSUPPORTED_SASL_MECHANISM' || type === 'ILLEGAL_SASL_STATE')
    return fault(`kafka does not take this SASL mechanism or wants none: ${oneLine(message)}; check which one the listener is set up for`, false);
  if (code === 'ECONNREFUSED' || /ECONNREFUSED/.test(message)) return fault(`${place} refused the connection; check the address and that it runs`, true);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return fault(`${place}: its name does not resolve; check the address`, true);
  if (CERTIFICATE_CODES.has(code))
    return fault(`${place}: its TLS certificate is not accepted (${code}); check the certificate authority and the host name`, false);
  if (code.startsWith('ERR_SSL_TLSV1') || code.startsWith('ERR_SSL_SSLV3') || code.startsWith('ERR_OSSL_'))
    return fault(`${place}: TLS handshake failed (${code}); check the client certificate and its key`, false);
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || code === 'EPROTO')
    return fault(`${place} does not speak TLS on this port (${code}); check the port, or switch TLS off`, false);
  if (name === 'KafkaJSConnectionClosedError' || code === 'ECONNRESET' || code === 'EPIPE')
    return fault(`${place} closed the connection; when this is so at every start, it wants TLS or a login`, true);
  if (name === 'KafkaJSRequestTimeoutError' || /Connection timeout/.test(message) || code === 'ETIMEDOUT')
    return fault(`${place} did not answer in time`, true);
  if (type.endsWith('AUTHORIZATION_FAILED')) return fault(`kafka denied the access: ${oneLine(message)}; grant it to this user`, false);
  if (PASSING_TYPES.has(type)) return fault(`kafka: ${oneLine(message)}`, true);
  if (type !== '') return fault(`kafka: ${oneLine(message)} (${type})`, facts.isRetriable === true);
  return undefined;
}

/** The error and what caused it, innermost last. A list of errors (AggregateError) goes on with its first. */
function causes(error: unknown): readonly Facts[] {
  const chain: Facts[] = [];
  const seen = new Set<unknown>();
  let current: unknown = error;
  while (current instanceof Error && !seen.has(current)) {
    seen.add(current);
    chain.push(factsOf(current));
    const list: unknown = 'errors' in current ? current.errors : undefined;
    const first: unknown = Array.isArray(list) ? list[0] : undefined;
    current = first ?? current.cause ?? ('originalError' in current ? current.originalError : undefined);
  }
  return chain;
}

function factsOf(error: Error): Facts {
  const text = (name: string): string => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' ? value : '';
  };
  const retriable: unknown = Reflect.get(error, 'retriable');
  return {
    name: error.name,
    message: error.message,
    code: text('code'),
    type: text('type'),
    broker: text('broker'),
    isRetriable: typeof retriable === 'boolean' ? retriable : undefined,
  };
}

function fault(reason: string, isRetryable: boolean): Outcome & { readonly ok: false } {
  const outcome = failed(reason, isRetryable);
  return { ...outcome, ok: false, retryable: isRetryable, reason };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
}
