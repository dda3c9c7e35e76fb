import { z } from 'zod';
import { alertSchema } from './alert.ts';
import { auditSchema, incidentSchema, messageSchema } from './operator.ts';

const time = z.iso.datetime();
const seconds = z.int().nullable();

/** `incidents export`: one incident as a record. What is null nobody has said; `notKnown` names what Keywatch cannot know yet. */
export const dossierSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    id: z.string(),
    title: z.string(),
    status: incidentSchema.shape.state,
    severity: incidentSchema.shape.severity,
    auditHead: z.strictObject({ seq: z.int() }).nullable().describe('Newest entry of the chain of hashes that is about it.'),
    times: z.strictObject({
      firstSuspicious: time,
      detectedAt: time,
      notifiedAt: time.nullable(),
      triagedAt: time.nullable(),
      closedAt: time.nullable(),
      secondsToDetect: seconds,
      secondsToNotify: seconds,
      secondsToTriage: seconds,
      secondsToClose: seconds,
    }),
    incident: incidentSchema,
    detection: z.array(
      alertSchema.extend({
        peak: z.number(),
        unit: z.string(),
        windows: z.int().describe('That breached.'),
        evidence: z.strictObject({ from: time, to: time, sources: z.array(z.strictObject({ dimension: z.string(), value: z.string(), share: z.number() })) }),
      }),
    ),
    key: z.strictObject({ entity: z.string(), label: z.string(), keys: z.int() }),
    actions: z.array(auditSchema),
    notifications: z.array(messageSchema),
    verdict: z.strictObject({ verdict: z.enum(['expected', 'false', 'true']), by: z.string(), note: z.string().nullable() }).nullable(),
    notKnown: z.array(z.string()),
  })
  .meta({ title: 'Keywatch incident dossier' });
export type Dossier = z.infer<typeof dossierSchema>;
