import { z } from 'zod';
import { matcherFault } from '../../../alerts/matchers.ts';
import type { Alert } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { type OperatorCommand, actorText } from '../../../core/operator.ts';
import type { PageMark } from '../../../core/ports.ts';
import { matcherSchema, resultJson } from '../../json/operator.ts';
import { NO_ANSWER, ask } from '../../operate/ask.ts';
import { cursorText, parseCursor } from '../../operate/cursor.ts';
import type { EpochMs } from '../../../core/types.ts';
import { type Refusal, refusal } from '../answer.ts';
import type { Ask, Reply } from './route.ts';

// What several operations share: fields, pages, and the way to the judge.

const PAGE = 100;
const PAGE_MAX = 500;

export const time = z.iso.datetime({ offset: true });
export const note = z.string().min(1).max(2000);
export const idParams = z.object({ id: z.string().min(1).max(200) });
export const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE),
  cursor: z.string().max(500).optional().describe('`next` of the page before.'),
};
export const next = z.string().nullable().describe('Cursor of the next page; null on the last one.');
export const isAll = z.enum(['true', 'false']).default('false').describe('Also what is over.');
export const fields = z.strictObject({ note: note.optional() });

export const ALERT_STATES = ['pending', 'firing', 'acknowledged', 'recovering', 'resolved', 'archived'] as const;
export const INCIDENT_STATES = ['firing', 'acknowledged', 'recovering', 'resolved', 'archived'] as const;

export function states<const T extends readonly [string, ...string[]]>(known: T): z.ZodType<T[number][] | undefined, string | undefined> {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(known)))
    .optional()
    .describe(`By commas: ${known.join(', ')}.`);
}

export const matchers = z
  .array(matcherSchema)
  .max(20)
  .check((context) => {
    const fault = matcherFault(context.value);
    if (fault !== undefined) context.issues.push({ code: 'custom', input: context.value, message: fault });
  });

const BAD_CURSOR = refusal(400, 'the cursor is not one of this list', 'take `next` of the page before, or leave it out for the first page');

export function missing(id: string): Refusal {
  return refusal(404, `there is no ${JSON.stringify(id.slice(0, 80))}`, 'list them to see which there are');
}

/** A page and the cursor of the next: one more than asked for tells whether there is one. */
export async function paged<T>(
  query: { readonly limit: number; readonly cursor?: string | undefined },
  name: string,
  read: (limit: number, after: PageMark | undefined) => Promise<readonly T[]>,
  shape: { readonly mark: (item: T) => PageMark; readonly isMark?: (mark: PageMark) => boolean; readonly json: (item: T) => unknown },
): Promise<Reply | Refusal> {
  const after = query.cursor === undefined ? undefined : parseCursor(query.cursor);
  if (query.cursor !== undefined && (after === undefined || shape.isMark?.(after) === false)) return BAD_CURSOR;
  const found = await read(query.limit + 1, after);
  const shown = found.slice(0, query.limit);
  const last = shown.at(-1);
  return {
    status: 200,
    json: { [name]: shown.map(shape.json), next: found.length > shown.length && last !== undefined ? cursorText(shape.mark(last)) : null },
  };
}

type Unsigned<T> = T extends OperatorCommand ? Omit<T, 'id' | 'at' | 'actor'> : never;

/** 200 applied, 202 the judge has not answered yet, 409 refused with its reason. */
export async function submit(
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

export function withNote<T extends object>(base: T, body: { readonly note?: string | undefined }): T & { readonly note?: string } {
  return body.note === undefined ? base : { ...base, note: body.note };
}

export const alertMark = (alert: Alert): PageMark => ({ at: alert.startedAt, id: alert.id });
export const incidentMark = (incident: Incident): PageMark => ({ at: incident.startedAt, id: incident.id });
/** Of what people made: silences, maintenance, exceptions; and of messages. */
export const madeMark = ({ createdAt, id }: { readonly createdAt: EpochMs; readonly id: string }): PageMark => ({ at: createdAt, id });

export const overlayBody = {
  reason: z.string().min(1).max(2000),
  includeCritical: z.boolean().optional().describe('Also tripwires and failed containment.'),
};
