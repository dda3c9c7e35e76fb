import { explain, isRetryable, member } from './fault.ts';

/** What became of a bulk request that was answered. */
export type BulkVerdict =
  | { readonly kind: 'stored'; readonly conflicts: number }
  /** Something else than conflicts failed; which documents is known only from a full answer. */
  | { readonly kind: 'unclear' }
  | {
      readonly kind: 'failed';
      readonly conflicts: number;
      /** Places of documents that may succeed later. */
      readonly retryable: readonly number[];
      readonly retryReason: string | undefined;
      readonly isOverloaded: boolean;
      /** The first document that will never succeed. */
      readonly fatal: BulkFailure | undefined;
    };

/** A document that Elasticsearch will not take, without its content. */
export type BulkFailure = { readonly id: string; readonly index: string; readonly type: string; readonly reason: string };

const CONFLICT = 'version_conflict_engine_exception';

/** Reads the short answer: whether there were errors, and of failed items their types without their places. */
export function readShortAnswer(body: unknown): BulkVerdict {
  if (member(body, 'errors') === false) return { kind: 'stored', conflicts: 0 };
  const items = asArray(member(body, 'items'));
  if (items.length === 0) return { kind: 'unclear' };
  for (const item of items) if (member(member(inner(item), 'error'), 'type') !== CONFLICT) return { kind: 'unclear' };
  return { kind: 'stored', conflicts: items.length };
}

/** Reads the full answer: one item per document, in order. */
export function readFullAnswer(body: unknown): BulkVerdict {
  if (member(body, 'errors') === false) return { kind: 'stored', conflicts: 0 };
  const retryable: number[] = [];
  let conflicts = 0;
  let retryReason: string | undefined;
  let isOverloaded = false;
  let fatal: BulkFailure | undefined;
  asArray(member(body, 'items')).forEach((item, place) => {
    const result = inner(item);
    const status = asNumber(member(result, 'status'));
    const error = member(result, 'error');
    if (error === undefined) return;
    const type = asText(member(error, 'type'));
    const text = asText(member(error, 'reason'));
    const why = explain(status, type, text);
    if (status === 409 || type === CONFLICT) conflicts++;
    else if (isRetryable(status, type, text)) {
      retryable.push(place);
      retryReason ??= why;
      isOverloaded ||= status === 429;
    } else fatal ??= { id: asText(member(result, '_id')) ?? '', index: asText(member(result, '_index')) ?? '', type: type ?? '', reason: why };
  });
  if (fatal === undefined && retryable.length === 0) return { kind: 'stored', conflicts };
  return { kind: 'failed', conflicts, retryable, retryReason, isOverloaded, fatal };
}

/** An item is an object with one member, named by the action. */
function inner(item: unknown): unknown {
  return typeof item === 'object' && item !== null ? Object.values(item)[0] : undefined;
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
