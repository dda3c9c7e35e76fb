import type { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import type { Actor } from '../../../core/operator.ts';
import type { DurationMs } from '../../../core/types.ts';
import type { Directory } from '../../../keys/directory.ts';
import type { Operator } from '../../operate/ask.ts';
import type { Refusal } from '../answer.ts';
import type { Role } from '../roles.ts';

/** What the handlers of the API work with. */
export type ApiContext = {
  readonly operator: Operator;
  readonly clock: Clock;
  /** As it is now: a reload replaces it. */
  readonly directory: () => Directory;
  readonly channels: () => readonly string[];
  /** Reads the configuration again and answers what changed, or what is wrong with it. Absent: this process cannot. */
  readonly onReload?: ((actor: Actor) => Promise<{ readonly ok: boolean; readonly messages: readonly string[] }>) | undefined;
  /** How long a write waits for the judge. */
  readonly waitMs: DurationMs;
};

/** Who asks, and for what. */
export type Ask<Params, Query, Body> = {
  readonly context: ApiContext;
  readonly actor: Actor;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** From the Idempotency-Key, else random. */
  readonly commandId: string;
};

export type Reply = { readonly status: number; readonly json: unknown } | { readonly status: number; readonly text: string; readonly type: string };

/** One operation, from which both the server and the OpenAPI document are made. */
export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  /** A body that is right: shown in the document, and checked by a test. */
  readonly example?: unknown;
  /** What 200 gives. */
  readonly answer: z.ZodType;
  readonly handle: (ask: Ask<Record<string, string>, Record<string, unknown>, unknown>) => Promise<Reply | Refusal>;
};

type None = z.ZodObject<Readonly<Record<string, never>>>;

/** Types the handler by its own schemas; what it is given was parsed by them. */
export function route<P extends z.ZodObject = None, Q extends z.ZodObject = None, B extends z.ZodType = z.ZodUndefined>(
  given: Omit<Route, 'params' | 'query' | 'body' | 'handle'> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly handle: (ask: Ask<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Reply | Refusal>;
  },
): Route {
  // The server parses by these schemas before it calls the handler.
  return given as unknown as Route;
}
