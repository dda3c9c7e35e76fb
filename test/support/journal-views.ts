import type { Journal, JournalViews } from '../../core/ports.ts';

/** The reads of a journal, for a double that wraps one; `through` is around each call. */
export function journalViews(journal: Journal, through: <T>(read: () => Promise<T>) => Promise<T> = (read) => read()): JournalViews {
  return {
    alerts: (query) => through(() => journal.alerts(query)),
    incidents: (query) => through(() => journal.incidents(query)),
    silences: (query) => through(() => journal.silences(query)),
    maintenances: (query) => through(() => journal.maintenances(query)),
    exceptions: (query) => through(() => journal.exceptions(query)),
    commandResult: (id) => through(() => journal.commandResult(id)),
    audit: (query) => through(() => journal.audit(query)),
    messages: (query) => through(() => journal.messages(query)),
  };
}
