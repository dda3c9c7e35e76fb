import { z } from 'zod';
import { matcherFault, matchesEverything } from '../../../alerts/matchers.ts';
import type { Alert } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { type OperatorCommand, RESOLVE_REASONS, VERDICTS, actorText } from '../../../core/operator.ts';
import type { PageMark } from '../../../core/ports.ts';
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
  matcherSchema,
  messageJson,
  messageSchema,
  overlayJson,
  overlaySchema,
  resultJson,
  resultSchema,
  whyJson,
  whySchema,
} from '../../json/operator.ts';
import { NO_ANSWER, ask } from '../../operate/ask.ts';
import { dossierOf } from '../../operate/dossier.ts';
import { find, messagesOf, previewSilence, whyOf } from '../../operate/find.ts';
import { dossierMarkdown } from '../../report/dossier-markdown.ts';
import { type Refusal, refusal } from '../answer.ts';
import { type Ask, type Reply, type Route, route } from './route.ts';

const PAGE = 100;
const PAGE_MAX = 500;

const time = z.iso.datetime({ offset: true });
const note = z.string().min(1).max(2000);
const idParams = z.object({ id: z.string().min(1).max(200) });
const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE),
  cursor: z.string().max(500).optional().describe('`next` of the page before.'),
};
const next = z.string().nullable().describe('Cursor of the next page; null on the last one.');
const isAll = z.enum(['true', 'false']).default('false').describe('Also what is over.');
const fields = z.strictObject({ note: note.optional() });

const ALERT_STATES = ['pending', 'firing', 'acknowledged', 'recovering', 'resolved', 'archived'] as const;
const INCIDENT_STATES = ['firing', 'acknowledged', 'recovering', 'resolved', 'archived'] as const;

function states<T extends string>(known: readonly [T, ...T[]]): z.ZodType<T[] | undefined, string | undefined> {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(known)))
    .optional()
    .meta({ description: `By commas: ${known.join(', ')}.`, type: 'string' }) as unknown as z.ZodType<T[] | undefined, string | undefined>;
}

const matchers = z
  .array(matcherSchema)
  .max(20)
  .check((context) => {
    const fault = matcherFault(context.value);
    if (fault !== undefined) context.issues.push({ code: 'custom', input: context.value, message: fault });
  });

/** The place of a page, opaque to callers. */
function cursorOf({ at, id }: PageMark): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

function markOf(cursor: string | undefined): PageMark | undefined | 'bad' {
  if (cursor === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parsed) && typeof parsed[0] === 'number' && typeof parsed[1] === 'string') return { at: parsed[0], id: parsed[1] };
  } catch {
    // Not one of ours.
  }
  return 'bad';
}

const BAD_CURSOR = refusal(400, 'the cursor is not one of this list', 'take `next` of the page before, or leave it out for the first page');

function missing(id: string): Refusal {
  return refusal(404, `there is no ${JSON.stringify(id.slice(0, 80))}`, 'list them to see which there are');
}

/** A page and the cursor of the next: one more than asked for tells whether there is one. */
async function paged<T>(
  query: { readonly limit: number; readonly cursor?: string | undefined },
  name: string,
  read: (limit: number, after: PageMark | undefined) => Promise<readonly T[]>,
  shape: { readonly mark: (item: T) => PageMark; readonly json: (item: T) => unknown },
): Promise<Reply | Refusal> {
  const after = markOf(query.cursor);
  if (after === 'bad') return BAD_CURSOR;
  const found = await read(query.limit + 1, after);
  const shown = found.slice(0, query.limit);
  const last = shown.at(-1);
  return { status: 200, json: { [name]: shown.map(shape.json), next: found.length > shown.length && last !== undefined ? cursorOf(shape.mark(last)) : null } };
}

type Unsigned<T> = T extends OperatorCommand ? Omit<T, 'id' | 'at' | 'actor'> : never;

/** 200 applied, 202 the judge has not answered yet, 409 refused with its reason. */
async function submit(
  asked: Pick<Ask<unknown, unknown, unknown>, 'context' | 'actor' | 'commandId'>,
  what: Unsigned<OperatorCommand>,
): Promise<Reply | Refusal> {
  const { context, actor, commandId } = asked;
  const command = { ...what, id: commandId, at: context.clock.now(), actor } as OperatorCommand;
  const result = await ask(context.operator, command, { waitMs: context.waitMs });
  if (result === undefined) return { status: 202, json: { id: command.id, status: 'waiting', reason: NO_ANSWER, made: null, by: actorText(actor), at: null } };
  if (result.status === 'refused') return refusal(409, `refused: ${result.reason ?? 'no reason was given'}`, 'change the request as the reason says');
  return { status: 200, json: resultJson(result) };
}

function withNote<T extends object>(base: T, body: { readonly note?: string | undefined }): T & { readonly note?: string } {
  return body.note === undefined ? base : { ...base, note: body.note };
}

const alertMark = (alert: Alert): PageMark => ({ at: alert.startedAt, id: alert.id });
const incidentMark = (incident: Incident): PageMark => ({ at: incident.startedAt, id: incident.id });

const overlayBody = {
  reason: z.string().min(1).max(2000),
  includeCritical: z.boolean().optional().describe('Also tripwires and failed containment.'),
};

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
    answer: z.strictObject({ messages: z.array(messageSchema) }),
    handle: async ({ context, params }) => ({ status: 200, json: { messages: (await messagesOf(context.operator.views, params.id)).map(messageJson) } }),
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
    query: z.object({ all: isAll }),
    answer: z.strictObject({ exceptions: z.array(exceptionSchema) }),
    handle: async ({ context, query }) => {
      const now = context.clock.now();
      const found = await context.operator.views.exceptions(query.all === 'true' ? {} : { inForceAt: now });
      return { status: 200, json: { exceptions: found.map((each) => exceptionJson(each, now)) } };
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
    query: z.object({
      subject: z.string().optional(),
      limit: page.limit,
      before: z.coerce.number().int().min(1).optional().describe('`next` of the page before.'),
    }),
    answer: z.strictObject({ audit: z.array(auditSchema), next: z.int().nullable() }),
    handle: async ({ context, query }) => {
      const { subject, before, limit } = query;
      const rows = await context.operator.views.audit({ limit, ...(subject === undefined ? {} : { subject }), ...(before === undefined ? {} : { before }) });
      return { status: 200, json: { audit: rows.map(auditJson), next: rows.length < limit ? null : (rows.at(-1)?.seq ?? null) } };
    },
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

function overlayRoutes(noun: 'silence' | 'maintenance'): readonly Route[] {
  const path = noun === 'silence' ? '/v1/silences' : '/v1/maintenance';
  const name = noun === 'silence' ? 'silences' : 'maintenances';
  return [
    route({
      method: 'GET',
      path,
      role: 'viewer',
      summary: noun === 'silence' ? 'Silences that hold or will' : 'Maintenance windows that hold or will',
      query: z.object({ all: isAll }),
      answer: z.strictObject({ [name]: z.array(overlaySchema) }),
      handle: async ({ context, query }) => {
        const now = context.clock.now();
        const asked = query.all === 'true' ? {} : { inForceAt: now };
        const { views } = context.operator;
        const found = noun === 'silence' ? await views.silences(asked) : await views.maintenances(asked);
        return { status: 200, json: { [name]: found.map((each) => overlayJson(each, now)) } };
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
