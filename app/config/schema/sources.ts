import { isIP } from 'node:net';
import { z } from 'zod';
import { ENVELOPE_NAMES } from '../../../ingest/envelope/envelope.ts';
import { PRIVATE_RANGES } from '../../../ingest/parse/address.ts';
import { FORMAT_NAMES } from '../../../ingest/parse/detect.ts';
import { KEY_NAMES } from '../../../ingest/parse/key-names.ts';
import { ROLES, type Role } from '../../../ingest/parse/tokens.ts';
import { count, text, texts } from './fields.ts';
import { kafkaSchema } from './kafka.ts';

export const KEY_BY = ['auto', 'key', 'user', 'client'] as const;

const LATENCY_UNITS = ['ns', 'us', 'ms', 's'] as const;

const ROLE_ABOUT: Partial<Record<Role, string>> = {
  time: 'Time of the event.',
  secret: 'The API key itself; only its fingerprint is kept.',
  credentialId: 'The public id that the gateway gives to a key.',
  target: 'Path with or without query.',
  request: 'The whole request line.',
  forwarded: 'X-Forwarded-For or Forwarded.',
};

const mapSchema = z
  .strictObject(
    Object.fromEntries(
      ROLES.map((role) => [
        role,
        text()
          .describe(ROLE_ABOUT[role] ?? `Field that holds ${role}.`)
          .optional(),
      ]),
    ) as Record<Role, z.ZodOptional<z.ZodString>>,
  )
  .describe('Names of the fields of flat JSON lines. A dot reaches into nested objects. What is not named is guessed from the usual names.');

const latencyUnit = z.enum(LATENCY_UNITS).describe('Unit of the latency field; guessed when absent.');

export const formatSchema = z
  .strictObject({ map: mapSchema.prefault({}), latencyUnit: latencyUnit.optional() })
  .describe('How flat JSON lines are read, for all sources that do not say it themselves.')
  .prefault({});

const keyNames = z.array(text()).describe('Names of headers, fields and query parameters that carry a key. Replaces the built-in list.');
const keyBy = z.enum(KEY_BY).describe('Who owns an event: the best name there is (auto), or always the key, the user or the client.');

export const sourceSchema = z
  .strictObject({
    file: texts('expected a path, a glob such as /var/log/nginx/access*.log, or a list of them')
      .describe('Path, glob or list of them, relative to this file.')
      .optional(),
    stdin: z.literal(true).describe('Read standard input.').optional(),
    kafka: kafkaSchema.optional(),
    format: z
      .enum(['auto', ...FORMAT_NAMES])
      .describe('Format of the lines; auto looks at the first ones.')
      .prefault('auto'),
    envelope: z
      .enum(['auto', 'none', ...ENVELOPE_NAMES])
      .describe('What a shipper or a container runtime put around each line; auto looks at the first ones.')
      .prefault('auto'),
    map: mapSchema.optional(),
    latencyUnit: latencyUnit.optional(),
    keyNames: keyNames.optional(),
    keyBy: keyBy.optional(),
  })
  .check((context) => {
    const { file, stdin, kafka, format, map, latencyUnit } = context.value;
    const complain = (message: string, path: string[] = []): void => void context.issues.push({ code: 'custom', input: context.value, message, path });
    if ([file, stdin, kafka].filter((kind) => kind !== undefined).length !== 1) complain('a source needs exactly one of file, stdin: true and kafka');
    if (map !== undefined && format !== 'json' && format !== 'auto') complain(`a map is for format json, not for ${format}`, ['map']);
    if (latencyUnit !== undefined && format !== 'json' && format !== 'auto') complain(`latencyUnit is for format json, not for ${format}`, ['latencyUnit']);
  });

export const sourcesSchema = z.array(sourceSchema).describe('Logs to follow and topics to read.').prefault([]);

export const keyNamesSchema = keyNames.prefault([...KEY_NAMES]);
export const keyBySchema = keyBy.prefault('auto');

const cidr = z.string().check((context) => {
  const [address = '', bits] = context.value.split('/');
  const family = isIP(address);
  const isRange =
    family !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))) && context.value.split('/').length <= 2;
  if (!isRange) context.issues.push({ code: 'custom', input: context.value, message: 'expected an address or a range such as 10.0.0.0/8' });
});

export const clientsSchema = z
  .strictObject({
    trustedProxies: z
      .array(cidr)
      .describe('Proxies whose X-Forwarded-For or Forwarded is believed. Replaces the default, which is loopback and the private ranges.')
      .prefault([...PRIVATE_RANGES]),
    depth: count().describe('How many hops of X-Forwarded-For are believed at most; 0 is no limit.').prefault(0),
  })
  .describe('How the address of a client is found behind proxies.')
  .prefault({});
