import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { CommandResult, OperatorCommand } from '../../core/operator.ts';
import type { CommandInbox, JournalViews } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';

/** What people's tools need, whichever process they run in: what was decided, and the way to the judge. */
export type Operator = { readonly views: JournalViews; readonly inbox: CommandInbox; readonly clock: Clock };

/** The judge looks every second; a busy one, or a change of judges, takes some more. */
export const ANSWER_WAIT_MS: DurationMs = 15_000;
const POLL_MS: DurationMs = 100;

/** Undefined: the judge did not answer in time. The command waits on, and is obeyed when a judge runs. */
export async function ask(
  { views, inbox, clock }: Operator,
  command: OperatorCommand,
  options: { readonly waitMs?: DurationMs; readonly signal?: AbortSignal } = {},
): Promise<CommandResult | undefined> {
  const { waitMs = ANSWER_WAIT_MS, signal = new AbortController().signal } = options;
  // A repeat of what was answered already is not left in the inbox again.
  const known = await views.commandResult(command.id);
  if (known !== undefined) return known;
  await inbox.submit(command);
  const started = clock.monotonic();
  for (;;) {
    const result = await views.commandResult(command.id);
    if (result !== undefined) return result;
    if (signal.aborted || clock.monotonic() - started >= waitMs) return undefined;
    await clock.sleep(POLL_MS, signal);
  }
}

export function newCommandId(): string {
  return randomUUID();
}

/** What to say when `ask` gave nothing. */
export const NO_ANSWER = 'the command is stored, but the judge has not answered yet; it is obeyed as soon as a keywatch run with the role judge is up';
