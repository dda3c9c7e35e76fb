import type { OperatorCommand } from '../../core/operator.ts';
import type { CommandInbox } from '../../core/ports.ts';
import { PENDING_MAX } from '../command-text.ts';

/** Commands of the processes of a test: one list that they share. */
export function memoryCommandInbox(): CommandInbox {
  const waiting = new Map<string, string>();
  return {
    submit: async (command) => {
      if (!waiting.has(command.id)) waiting.set(command.id, JSON.stringify(command));
    },
    pending: async () => [...waiting.values()].slice(0, PENDING_MAX).map(parseCommand),
    remove: async (ids) => {
      for (const id of ids) waiting.delete(id);
    },
    [Symbol.asyncDispose]: async () => {
      // Nothing is open.
    },
  };
}

/** A copy of what was submitted, as a database would give it back. */
function parseCommand(json: string): OperatorCommand {
  return JSON.parse(json) as OperatorCommand;
}
