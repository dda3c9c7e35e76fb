import { z } from 'zod';
import { alertsSchema } from './alerts.ts';
import { apiSchema } from './api.ts';
import { duration, secretRef, texts, webAddress } from './fields.ts';
import { httpSchema, opsSchema } from './http.ts';
import { keysSchema } from './keys.ts';
import { plansSchema, rulesSchema } from './rules.ts';
import { clientsSchema, formatSchema, keyBySchema, keyNamesSchema, sourcesSchema } from './sources.ts';
import { limitsSchema, storeSchema } from './store.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** The whole file. Everything has a default, so that no file is needed. */
export const configSchema = z
  .strictObject({
    sources: sourcesSchema,
    clients: clientsSchema,
    format: formatSchema,
    keyNames: keyNamesSchema,
    keyBy: keyBySchema,
    pepper: secretRef('Base64 of 32 random bytes that fingerprints are made with. Default: made at the first start and kept in the data directory.').optional(),
    store: storeSchema,
    rules: rulesSchema,
    plans: plansSchema,
    keys: keysSchema,
    limits: limitsSchema,
    enrich: z
      .strictObject({
        databases: texts('expected the path of an .mmdb file, or a list of them')
          .describe('Paths of .mmdb files with countries and networks (ASN).')
          .optional(),
      })
      .describe('Where addresses are: from any database in MMDB form. Without one, countries are unknown.')
      .prefault({}),
    lateness: duration({ min: 1000, max: 900_000 })
      .describe('How late events may come before their minute is judged. Default: what was seen, between 5s and 15m.')
      .optional(),
    http: httpSchema.optional(),
    api: apiSchema.optional(),
    ops: opsSchema,
    alerts: alertsSchema,
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS).prefault('info') })
      .describe('The log of Keywatch itself, on stderr.')
      .prefault({}),
    publicUrl: webAddress('https://keywatch.example.com')
      .describe('Where people reach the API of this installation; links in messages begin with it.')
      .optional(),
  })
  .meta({ title: 'Keywatch configuration' });

export type ParsedConfig = z.output<typeof configSchema>;
