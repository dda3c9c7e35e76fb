import { z } from 'zod';
import { matchesEverything } from '../../../alerts/matchers.ts';
import { RESOLVE_REASONS, VERDICTS } from '../../../core/operator.ts';
import type { EntityId } from '../../../core/types.ts';
import { alertJson, alertSchema } from '../../json/alert.ts';
import { dossierSchema } from '../../json/dossier.ts';
import {
  auditJson,
  auditSchema,
  exceptionJson,
  exceptionSchema,
  incidentJson,
  incidentSchema,
  messageJson,
  messageSchema,
  resultJson,
  resultSchema,
  whyJson,
  whySchema,
} from '../../json/operator.ts';
import { dossierOf } from '../../operate/dossier.ts';
import { restAfter } from '../../operate/cursor.ts';
import { find, previewSilence, whyOf } from '../../operate/find.ts';
import { dossierMarkdown } from '../../report/dossier-markdown.ts';
import { refusal } from '../answer.ts';
import { overlayRoutes } from './overlay-routes.ts';
import {
  ALERT_STATES,
  INCIDENT_STATES,
  alertMark,
  fields,
  idParams,
  incidentMark,
  isAll,
  madeMark,
  matchers,
  missing,
  next,
  note,
  page,
  paged,
  states,
  submit,
  time,
  withNote,
} from './parts.ts';
import { type Route, route } from './route.ts';

/** Every operation of the API. */
export const ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/alerts',
    role: 'viewer',
    summary: 'Alerts, newest first',
    query: z.object({
      state: states(ALERT_STATES),
      since: time.optional().describe('Changed since then.'),
      entity: z.string().optional(),
      incident: z.string().optional(),
      ...page,
    }),
    answer: z.strictObject({ alerts: z.array(alertSchema), next }),
    handle: async ({ context, query }) =>
      paged(
        query,
        'alerts',
        (limit, after) =>
          context.operator.views.alerts({
            limit,
            ...(query.state === undefined ? {} : { states: query.state }),
            ...(query.since === undefined ? {} : { since: Date.parse(query.since) }),
            ...(query.entity === undefined ? {} : { entity: query.entity as EntityId }),
            ...(query.incident === undefined ? {} : { incident: query.incident }),
            ...(after === undefined ? {} : { after }),
          }),
        { mark: alertMark, json: alertJson },
      ),
  }),
  route({
    method: 'GET',
    path: '/v1/alerts/{id}',
    role: 'viewer',
    summary: 'One alert',
    params: idParams,
    answer: alertSchema,
    handle: async ({ context, params }) => {
      const [alert] = await context.operator.views.alerts({ ids: [params.id], limit: 1 });
      return alert === undefined ? missing(params.id) : { status: 200, json: alertJson(alert) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/alerts/{id}/why',
    role: 'viewer',
    summary: 'Why each channel was or was not told of an alert or an incident',
    params: idParams,
    answer: z.strictObject({ id: z.string(), incident: z.string().nullable(), channels: z.array(whySchema) }),
    handle: async ({ context, params }) => {
      const found = await find(context.operator.views, params.id);
      if (found === undefined) return missing(params.id);
      const channels = await whyOf(context.operator.views, found, context.channels());
      return { status: 200, json: { id: params.id, incident: found.incident?.id ?? null, channels: channels.map(whyJson) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/alerts/{id}/acknowledge',
    role: 'operator',
    summary: 'Somebody has it: repeats and escalation stop. The id is of an alert or an incident',
    params: idParams,
    body: z.strictObject({
      note: note.optional(),
      seconds: z.int().min(60).max(2_592_000).optional().describe('How long; default 4 h for critical, else 24 h.'),
    }),
    example: { note: 'looking into it', seconds: 7200 },
    answer: resultSchema,
    handle: async (asked) =>
      submit(
        asked,
        withNote(
          { kind: 'acknowledge', target: asked.params.id, ...(asked.body.seconds === undefined ? {} : { forMs: asked.body.seconds * 1000 }) },
          asked.body,
        ),
      ),
  }),
  route({
    method: 'POST',
    path: '/v1/alerts/{id}/unacknowledge',
    role: 'operator',
    summary: 'Give it back: it fires again',
    params: idParams,
    body: fields,
    example: { note: 'handing over' },
    answer: resultSchema,
    handle: async (asked) => submit(asked, withNote({ kind: 'unacknowledge', target: asked.params.id }, asked.body)),
  }),
  route({
    method: 'POST',
    path: '/v1/alerts/{id}/resolve',
    role: 'operator',
    summary: 'End it by hand; it is quiet for 30 minutes, then told again if it still breaches',
    params: idParams,
    body: z.strictObject({ reason: z.enum(RESOLVE_REASONS), note: note.optional() }),
    example: { reason: 'fixed', note: 'rolled back' },
    answer: resultSchema,
    handle: async (asked) => submit(asked, withNote({ kind: 'resolve', target: asked.params.id, reason: asked.body.reason }, asked.body)),
  }),
  route({
    method: 'POST',
    path: '/v1/alerts/{id}/feedback',
    role: 'operator',
    summary: 'Say afterwards what it was',
    params: idParams,
    body: z.strictObject({ verdict: z.enum(VERDICTS), note: note.optional() }),
    example: { verdict: 'false', note: 'health checks' },
    answer: resultSchema,
    handle: async (asked) => submit(asked, withNote({ kind: 'feedback', target: asked.params.id, verdict: asked.body.verdict }, asked.body)),
  }),
  route({
    method: 'GET',
    path: '/v1/incidents',
    role: 'viewer',
    summary: 'Incidents, newest first',
    query: z.object({ state: states(INCIDENT_STATES), since: time.optional(), entity: z.string().optional(), ...page }),
    answer: z.strictObject({ incidents: z.array(incidentSchema), next }),
    handle: async ({ context, query }) =>
      paged(
        query,
        'incidents',
        (limit, after) =>
          context.operator.views.incidents({
            limit,
            ...(query.state === undefined ? {} : { states: query.state }),
            ...(query.since === undefined ? {} : { since: Date.parse(query.since) }),
            ...(query.entity === undefined ? {} : { lineage: query.entity as EntityId }),
            ...(after === undefined ? {} : { after }),
          }),
        { mark: incidentMark, json: incidentJson },
      ),
  }),
  route({
    method: 'GET',
    path: '/v1/incidents/{id}',
    role: 'viewer',
    summary: 'One incident',
    params: idParams,
    answer: incidentSchema,
    handle: async ({ context, params }) => {
      const [incident] = await context.operator.views.incidents({ ids: [params.id], limit: 1 });
      return incident === undefined ? missing(params.id) : { status: 200, json: incidentJson(incident) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/incidents/{id}/dossier',
    role: 'viewer',
    summary: 'Everything that is stored of an incident, as JSON or Markdown',
    params: idParams,
    query: z.object({ format: z.enum(['json', 'markdown']).default('json') }),
    answer: dossierSchema,
    handle: async ({ context, params, query }) => {
      const [incident] = await context.operator.views.incidents({ ids: [params.id], limit: 1 });
      if (incident === undefined) return missing(params.id);
      const dossier = await dossierOf(context.operator.views, incident);
      return query.format === 'json' ? { status: 200, json: dossier } : { status: 200, text: dossierMarkdown(dossier), type: 'text/markdown; charset=utf-8' };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/incidents/{id}/messages',
    role: 'viewer',
    summary: 'Every message of an incident and what became of it, newest first',
    params: idParams,
    query: z.object(page),
    answer: z.strictObject({ messages: z.array(messageSchema), next }),
    handle: async ({ context, params, query }) =>
      paged(query, 'messages', (limit, after) => context.operator.views.messages({ incident: params.id, limit, ...(after === undefined ? {} : { after }) }), {
        mark: madeMark,
        json: messageJson,
      }),
  }),
  ...overlayRoutes('silence'),
  ...overlayRoutes('maintenance'),
  route({
    method: 'POST',
    path: '/v1/silences/preview',
    role: 'viewer',
    summary: 'What a silence would cover now, and would have covered within 7 days. Changes nothing',
    body: z.strictObject({ matchers: matchers.min(1) }),
    example: { matchers: [{ label: 'key', op: '=~', value: 'billing-.*' }] },
    answer: z.strictObject({
      matchesEverything: z.boolean().describe('Such a silence is refused.'),
      now: z.array(alertSchema),
      lastWeek: z.array(alertSchema),
    }),
    handle: async ({ context, body }) => {
      const found = await previewSilence({ views: context.operator.views, directory: context.directory() }, body.matchers, context.clock.now());
      return {
        status: 200,
        json: { matchesEverything: matchesEverything(body.matchers), now: found.now.map(alertJson), lastWeek: found.lastWeek.map(alertJson) },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/exceptions',
    role: 'viewer',
    summary: 'What is expected of keys',
    query: z.object({ all: isAll, ...page }),
    answer: z.strictObject({ exceptions: z.array(exceptionSchema), next }),
    handle: async ({ context, query }) => {
      const now = context.clock.now();
      const asked = query.all === 'true' ? {} : { inForceAt: now };
      return paged(query, 'exceptions', async (_, after) => restAfter(await context.operator.views.exceptions(asked), madeMark, after), {
        mark: madeMark,
        json: (each) => exceptionJson(each, now),
      });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/exceptions',
    role: 'operator',
    summary: 'Say that this much is expected of a key under a rule until a time',
    body: z.strictObject({
      entity: z
        .string()
        .regex(/^[a-z]+:./)
        .max(500),
      rule: z.string().min(1).max(100),
      upTo: z.number(),
      until: time,
      reason: z.string().min(1).max(2000),
    }),
    example: { entity: 'key:kf1_9f3c12ab', rule: 'error_rate', upTo: 0.12, until: '2030-01-01T00:00:00Z', reason: 'retries of the batch job' },
    answer: resultSchema,
    handle: async (asked) => {
      const { entity, until, ...rest } = asked.body;
      return submit(asked, { kind: 'add_exception', entity: entity as EntityId, until: Date.parse(until), ...rest });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/exceptions/{id}',
    role: 'operator',
    summary: 'End an exception before its time',
    params: idParams,
    answer: resultSchema,
    handle: async (asked) => submit(asked, { kind: 'end_exception', exception: asked.params.id }),
  }),
  route({
    method: 'GET',
    path: '/v1/commands/{id}',
    role: 'viewer',
    summary: 'What the judge answered to a write',
    params: idParams,
    answer: resultSchema,
    handle: async ({ context, params }) => {
      const result = await context.operator.views.commandResult(params.id);
      return result === undefined
        ? refusal(404, 'the judge has not answered a command of this id', 'ask again later; it is obeyed as soon as a judge runs')
        : { status: 200, json: resultJson(result) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    role: 'viewer',
    summary: 'Every act with its actor, newest first',
    query: z.object({ subject: z.string().optional(), ...page }),
    answer: z.strictObject({ audit: z.array(auditSchema), next }),
    handle: async ({ context, query }) =>
      paged(
        query,
        'audit',
        (limit, after) =>
          context.operator.views.audit({
            limit,
            ...(query.subject === undefined ? {} : { subject: query.subject }),
            ...(after === undefined ? {} : { after: { seq: after.at, index: Number(after.id) } }),
          }),
        { mark: ({ seq, index }) => ({ at: seq, id: String(index) }), isMark: ({ id }) => /^\d{1,9}$/.test(id), json: auditJson },
      ),
  }),
  route({
    method: 'POST',
    path: '/v1/reload',
    role: 'admin',
    summary: 'Read the configuration again; an invalid one changes nothing',
    answer: z.strictObject({ ok: z.literal(true), messages: z.array(z.string()) }),
    handle: async ({ context, actor }) => {
      if (context.onReload === undefined) return refusal(409, 'this process cannot read its configuration again', 'restart keywatch run');
      const { ok, messages } = await context.onReload(actor);
      return ok
        ? { status: 200, json: { ok, messages } }
        : refusal(409, `the configuration is not valid, the old one goes on: ${messages.join('; ')}`, 'run keywatch config check');
    },
  }),
];
