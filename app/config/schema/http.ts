import { z } from 'zod';
import { type Listen, isLoopback, parseListen } from '../../http/listen.ts';
import { HIDES_VALUE, count, openText, orOff, size } from './fields.ts';
import { serverTlsSchema } from './tls.ts';

const LISTEN = 'expected an address and a port such as 127.0.0.1:9421, 0.0.0.0:9421 or [::1]:9421';

/** An address and a port. */
export function listen(): z.ZodType<Listen, string> {
  return z.string({ error: LISTEN }).transform((input, context) => {
    const parsed = parseListen(input);
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', input, message: LISTEN });
    return z.NEVER;
  });
}

/** `off` as well as an address: null when it is off. YAML reads a bare `off` as text, `false` as a boolean. */
function listenOrOff(): z.ZodType<Listen | null, string | false> {
  return z.union([z.string(), z.literal(false)], { error: `${LISTEN}, or off` }).transform((input, context) => {
    if (input === false || /^(?:off|none)$/i.test(input.trim())) return null;
    const parsed = parseListen(input);
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', input, message: `${LISTEN}, or off` });
    return z.NEVER;
  });
}

/** Nothing else is taken for the hash of a token; a token pasted here by mistake is not repeated. */
export const sha256 = z.string().check((context) => {
  if (/^[0-9a-f]{64}$/i.test(context.value)) return;
  context.issues.push({
    code: 'custom',
    input: context.value,
    message: 'expected the SHA-256 of a token, 64 hex digits: keywatch token makes a token and prints this line',
    params: HIDES_VALUE,
  });
});

const tokenSchema = z
  .strictObject({
    name: openText().describe('Who uses it; shown in logs.'),
    sha256: sha256.describe('SHA-256 of the token, in hex; the token itself is stored nowhere. Made by keywatch token.'),
  })
  .describe('Who may send events.');

/** Spool files that are too few for a few requests of the largest size would refuse them for ever. */
const BODIES_IN_SPOOL = 8;

/** `http:`, the way in for senders that push. Absent: off. */
export const httpSchema = z
  .strictObject({
    listen: listen().describe('Where POST /v1/events is served. Any other address than loopback needs a token.').prefault('127.0.0.1:9421'),
    tokens: z.array(tokenSchema).describe('Tokens that senders show as Authorization: Bearer.').prefault([]),
    maxBody: size().describe('Largest body of a request, also when unpacked; larger ones get 413.').prefault('16MB'),
    maxEvents: count({ min: 1 }).describe('Events in one request at most; more get 413.').prefault(100_000),
    maxRate: orOff(count({ min: 1 }))
      .describe('Events per second that one token may send on average; more get 429.')
      .prefault('off'),
    tls: serverTlsSchema.optional(),
    spool: z
      .strictObject({
        bytesMax: size().describe('Accepted events that are not stored yet wait on disk in up to this much; then requests get 429.').prefault('2GB'),
      })
      .describe('Where accepted events wait for the store: the directory spool in the data directory.')
      .prefault({}),
  })
  .check((context) => {
    const { listen: address, tokens, maxBody, spool } = context.value;
    const complain = (path: (string | number)[], message: string): void => void context.issues.push({ code: 'custom', input: context.value, path, message });
    if (tokens.length === 0 && !isLoopback(address.host))
      complain(['tokens'], `${address.host} can be reached by others: name a token (keywatch token makes one), or listen on 127.0.0.1`);
    const names = tokens.map(({ name }) => name);
    for (const [index, name] of names.entries()) if (names.indexOf(name) < index) complain(['tokens', index, 'name'], 'there is a token of that name already');
    if (maxBody < 1024) complain(['maxBody'], 'must be at least 1KB');
    if (maxBody > 128 * 2 ** 20) complain(['maxBody'], 'must be at most 128MB, since a body is held in memory');
    if (spool.bytesMax < BODIES_IN_SPOOL * maxBody) complain(['spool', 'bytesMax'], `must be at least ${BODIES_IN_SPOOL} times maxBody`);
  })
  .describe('Events that senders push: POST /v1/events with JSON, NDJSON or log lines.');

/** `ops:`, health and metrics; no key data. */
export const opsSchema = z
  .strictObject({ listen: listenOrOff().describe('Where /livez, /readyz and /metrics are served; off for nowhere.').prefault('127.0.0.1:9420') })
  .describe('Health and metrics of Keywatch itself. They show no key and need no token.')
  .prefault({});

export type OpsConfig = z.output<typeof opsSchema>;
