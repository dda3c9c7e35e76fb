import { expect, test } from 'vitest';
import type { AuditNote, AuditRow, JournalBody } from '../../core/alert.ts';
import type { Journal } from '../../core/ports.ts';

/** Part of the conformance of a journal. */
export function auditPages(open: () => Promise<Journal>): void {
  test('pages of the audit show every act once, also where one ends within an entry', async () => {
    await using journal = await open();
    // Twelve, so that the tenth does not come after the first.
    const acts = (count: number, name: string): AuditNote[] => Array.from({ length: count }, (_, at) => ({ action: `${name}${at}`, subject: `INC-${at % 2}` }));
    await journal.append(1, entry({ audit: acts(2, 'a') }));
    await journal.append(2, entry({ audit: acts(12, 'b') }));
    await journal.append(3, entry({ audit: acts(1, 'c') }));
    const pages = async (limit: number, subject?: string): Promise<readonly string[]> => {
      const seen: string[] = [];
      for (let after: AuditRow | undefined; ;) {
        const page = await journal.audit({ limit, ...(subject === undefined ? {} : { subject }), ...(after === undefined ? {} : { after }) });
        seen.push(...page.map(({ action }) => action));
        after = page.at(-1);
        if (after === undefined) return seen;
      }
    };
    const all = ['c0', ...Array.from({ length: 12 }, (_, at) => `b${at}`), 'a0', 'a1'];
    for (const limit of [1, 3, 5, 100]) expect(await pages(limit)).toEqual(all);
    expect(await pages(2, 'INC-1')).toEqual(['b1', 'b3', 'b5', 'b7', 'b9', 'b11', 'a1']);
  });
}

function entry(over: Partial<JournalBody>): JournalBody {
  return { at: 5000, actor: 'judge', transitions: [], alerts: [], outbox: [], deliveries: [], ...over };
}
