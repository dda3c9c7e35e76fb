import { z } from 'zod';
import type { Maintenance, Silence } from '../../../core/incident.ts';
import { restAfter } from '../../operate/cursor.ts';
import { overlayJson, overlaySchema, resultSchema } from '../../json/operator.ts';
import { idParams, isAll, madeMark, matchers, next, overlayBody, page, paged, submit, time } from './parts.ts';
import { type Route, route } from './route.ts';

/** Silences and maintenance windows are the same but for what they are for. */
export function overlayRoutes(noun: 'silence' | 'maintenance'): readonly Route[] {
  const path = noun === 'silence' ? '/v1/silences' : '/v1/maintenance';
  const name = noun === 'silence' ? 'silences' : 'maintenances';
  return [
    route({
      method: 'GET',
      path,
      role: 'viewer',
      summary: noun === 'silence' ? 'Silences that hold or will' : 'Maintenance windows that hold or will',
      query: z.object({ all: isAll, ...page }),
      answer: z.strictObject({ [name]: z.array(overlaySchema), next }),
      handle: async ({ context, query }) => {
        const now = context.clock.now();
        const asked = query.all === 'true' ? {} : { inForceAt: now };
        const { views } = context.operator;
        return paged(
          query,
          name,
          async (_, after) =>
            restAfter<Silence | Maintenance>(noun === 'silence' ? await views.silences(asked) : await views.maintenances(asked), madeMark, after),
          { mark: madeMark, json: (each) => overlayJson(each, now) },
        );
      },
    }),
    noun === 'silence'
      ? route({
          method: 'POST',
          path,
          role: 'operator',
          summary: 'Keep people from being told, at most for 30 days. What would match everything is refused',
          body: z.strictObject({
            matchers: matchers.min(1),
            start: time.optional(),
            end: time.optional().describe('Default: two hours after the start.'),
            ...overlayBody,
          }),
          example: { matchers: [{ label: 'key', op: '=~', value: 'billing-.*' }], end: '2030-01-01T00:00:00Z', reason: 'load test' },
          answer: resultSchema,
          handle: async (asked) => {
            const { start, end, includeCritical, ...rest } = asked.body;
            return submit(asked, {
              kind: 'add_silence',
              ...rest,
              ...(start === undefined ? {} : { startsAt: Date.parse(start) }),
              ...(end === undefined ? {} : { endsAt: Date.parse(end) }),
              ...(includeCritical === undefined ? {} : { includeCritical }),
            });
          },
        })
      : route({
          method: 'POST',
          path,
          role: 'operator',
          summary: 'Plan a window in which nobody is told; no matchers are everything',
          body: z.strictObject({ matchers, start: time, end: time, ...overlayBody }),
          example: { matchers: [], start: '2030-01-01T00:00:00Z', end: '2030-01-01T02:00:00Z', reason: 'gateway upgrade' },
          answer: resultSchema,
          handle: async (asked) => {
            const { start, end, includeCritical, ...rest } = asked.body;
            return submit(asked, {
              kind: 'add_maintenance',
              ...rest,
              startsAt: Date.parse(start),
              endsAt: Date.parse(end),
              ...(includeCritical === undefined ? {} : { includeCritical }),
            });
          },
        }),
    route({
      method: 'DELETE',
      path: `${path}/{id}`,
      role: 'operator',
      summary: `End a ${noun} before its time`,
      params: idParams,
      answer: resultSchema,
      handle: async (asked) =>
        submit(asked, noun === 'silence' ? { kind: 'end_silence', silence: asked.params.id } : { kind: 'end_maintenance', maintenance: asked.params.id }),
    }),
  ];
}
