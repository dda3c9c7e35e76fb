import { z } from 'zod';
import { isLoopback } from '../../http/listen.ts';
import { ROLES } from '../../http/roles.ts';
import { count, openText } from './fields.ts';
import { listen, sha256 } from './http.ts';
import { serverTlsSchema } from './tls.ts';

const tokenSchema = z
  .strictObject({
    name: openText().describe('Who uses it; shown in the history of an alert and in the audit log.'),
    sha256: sha256.describe('SHA-256 of the token, in hex; the token itself is stored nowhere. Made by keywatch token --role.'),
    role: z.enum(ROLES).describe('viewer reads; operator also acknowledges, resolves, silences and excepts; admin also reloads the configuration.'),
  })
  .describe('Who may use the API.');

/** `api:`, the way in for people and their tools. Absent: off. */
export const apiSchema = z
  .strictObject({
    listen: listen().describe('Where /v1 is served. Any other address than loopback needs a token.').prefault('127.0.0.1:9422'),
    tokens: z
      .array(tokenSchema)
      .describe('Tokens that callers show as Authorization: Bearer. Without any, programs on this machine may read and nobody may write.')
      .prefault([]),
    maxRequests: count({ min: 1 }).describe('Requests per second that one token may make on average; more get 429.').prefault(50),
    tls: serverTlsSchema.optional(),
  })
  .check((context) => {
    const { listen: address, tokens } = context.value;
    const complain = (path: (string | number)[], message: string): void => void context.issues.push({ code: 'custom', input: context.value, path, message });
    if (tokens.length === 0 && !isLoopback(address.host))
      complain(['tokens'], `${address.host} can be reached by others: name a token (keywatch token --role makes one), or listen on 127.0.0.1`);
    const names = tokens.map(({ name }) => name);
    for (const [index, name] of names.entries()) if (names.indexOf(name) < index) complain(['tokens', index, 'name'], 'there is a token of that name already');
    const hashes = tokens.map(({ sha256: hash }) => hash.toLowerCase());
    for (const [index, hash] of hashes.entries())
      if (hashes.indexOf(hash) < index) complain(['tokens', index, 'sha256'], 'this is the token of another name too');
  })
  .describe('The API for people and their tools: alerts, incidents, silences, maintenance, exceptions.');
