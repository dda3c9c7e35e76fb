import { z } from 'zod';
import { REJECT_REASONS } from '../../core/types.ts';
import { alertSchema } from '../json/alert.ts';
import { keySchema, statusSchema } from '../json/key.ts';

const count = z.int().nonnegative();
const time = z.iso.datetime();

/** The stable contract of `analyze --json` (DESIGN section 11). Unknown is null, never 0; times are RFC 3339, UTC. */
export const analyzeSchema = z
  .strictObject({
    keywatch: z.string().describe('Version of Keywatch that wrote this.'),
    source: z.strictObject({ files: count, bytes: count.describe('Of the decompressed stream.'), records: count }),
    formats: z.record(z.string(), count).describe('Records per detected format.'),
    range: z.strictObject({ from: time.nullable(), to: time.nullable() }).describe('First and last counted event; null without events.'),
    totals: z.strictObject({
      events: count,
      dropped: count.describe('Records passed over on purpose.'),
      rejected: count.describe('Records that could not be read as an event; see rejects.'),
      requests: count,
      status: statusSchema,
      errors: count,
      failedAuth: count,
      bytesIn: count.nullable(),
      bytesOut: count.nullable(),
    }),
    keys: z.array(keySchema).describe('Every owner of an event, most requests first, then by id. Their requests add up to totals.requests.'),
    alerts: z.array(alertSchema),
    rejects: z.array(
      z.strictObject({
        reason: z.enum(REJECT_REASONS),
        count,
        first: z.strictObject({ source: z.string(), position: count.describe('Byte in the decompressed stream.') }),
      }),
    ),
    coverage: z.array(z.strictObject({ source: z.string(), blind: z.array(z.string()).describe('What this source cannot show, one sentence each.') })),
  })
  .describe('Output of `keywatch analyze --json`.');

export type AnalyzeJson = z.infer<typeof analyzeSchema>;

/** What `docs/schema/analyze.schema.json` holds; a test keeps the file current (`vitest -u` writes it). */
export function analyzeJsonSchema(): string {
  const schema = z.toJSONSchema(analyzeSchema, { target: 'draft-2020-12' });
  return `${JSON.stringify({ $id: 'urn:keywatch:schema:analyze', title: 'keywatch analyze --json', ...schema }, null, 2)}\n`;
}
