import { memoryJournal } from '../../../storage/memory/journal.ts';
import { journalConformance } from '../../conformance/journal.ts';

journalConformance('memory', {
  open: async () => memoryJournal(),
  reopen: async (journal) => {
    const next = memoryJournal();
    next.restore(journal.capture());
    return next;
  },
  tamper: async (journal, seq, change) => {
    const { entries, snapshot } = journal.capture();
    const changed =
      change === 'body'
        ? entries.map((entry) => (entry.seq === seq ? { ...entry, actor: 'somebody else' } : entry))
        : entries.filter((entry) => entry.seq !== seq);
    journal.restore({ entries: changed, snapshot });
    return journal;
  },
  runs: 100,
});
