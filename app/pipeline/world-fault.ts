import { JournalTakenError } from '../../alerts/desk.ts';

/** Faults of the world carry whether it is worth to try again; a lost race for the journal means that somebody else judges. */
export function isWorldFault(error: unknown): error is Error {
  return error instanceof JournalTakenError || (error instanceof Error && 'isRetryable' in error);
}
