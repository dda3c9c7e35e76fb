import { labelsOf } from '../../alerts/overlay.ts';
import { conditionOf } from '../../alerts/matchers.ts';
import { type Why, previewOf, why } from '../../alerts/why.ts';
import type { Alert, AuditRow, MessageRecord } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import type { Matcher } from '../../core/operator.ts';
import type { JournalViews, PageMark } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import type { Directory } from '../../keys/directory.ts';

/** What an id stands for. */
export type Found = { readonly incident: Incident | undefined; readonly alert: Alert | undefined };

/** Read at once: a page. */
const PAGE = 500;

/** An incident or an alert by its whole id; undefined when neither is stored. */
export async function find(views: JournalViews, id: string): Promise<Found | undefined> {
  const [incident] = await views.incidents({ ids: [id], limit: 1 });
  if (incident !== undefined) return { incident, alert: undefined };
  const [alert] = await views.alerts({ ids: [id], limit: 1 });
  if (alert === undefined) return undefined;
  const [own] = alert.incident === undefined ? [] : await views.incidents({ ids: [alert.incident], limit: 1 });
  return { incident: own, alert };
}

/** Alerts page by page, newest first. */
export async function* allAlerts(
  views: JournalViews,
  { after: from, ...query }: Omit<Parameters<JournalViews['alerts']>[0], 'limit'>,
): AsyncGenerator<Alert, void, undefined> {
  for (let after: PageMark | undefined = from; ;) {
    const page = await views.alerts({ ...query, limit: PAGE, ...(after === undefined ? {} : { after }) });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { at: last.startedAt, id: last.id };
  }
}

/** Why each channel was or was not told. Of a channel that the incident does not know yet, `channels` are the configured ones. */
export async function whyOf(views: JournalViews, found: Found, channels: readonly string[]): Promise<readonly Why[]> {
  const { incident, alert } = found;
  const messages = incident === undefined ? [] : await messagesOf(views, incident.id);
  const names = new Set([...channels, ...Object.keys(incident?.channels ?? {})]);
  return [...names].map((channel) => why({ incident, alert, messages }, channel));
}

/** Incidents page by page, newest first. */
export async function* allIncidents(
  views: JournalViews,
  { after: from, ...query }: Omit<Parameters<JournalViews['incidents']>[0], 'limit'>,
): AsyncGenerator<Incident, void, undefined> {
  for (let after: PageMark | undefined = from; ;) {
    const page = await views.incidents({ ...query, limit: PAGE, ...(after === undefined ? {} : { after }) });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { at: last.startedAt, id: last.id };
  }
}

export async function messagesOf(views: JournalViews, incident: string): Promise<readonly MessageRecord[]> {
  const all: MessageRecord[] = [];
  for (let after: { at: EpochMs; id: string } | undefined; ;) {
    const page = await views.messages({ incident, limit: PAGE, ...(after === undefined ? {} : { after }) });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    after = { at: last.createdAt, id: last.id };
  }
}

export async function auditOf(views: JournalViews, subjects: readonly string[]): Promise<readonly AuditRow[]> {
  const rows: AuditRow[] = [];
  for (const subject of new Set(subjects)) {
    for (let after: AuditRow | undefined; ;) {
      const page = await views.audit({ subject, limit: PAGE, ...(after === undefined ? {} : { after }) });
      rows.push(...page);
      after = page.at(-1);
      if (after === undefined || page.length < PAGE) break;
    }
  }
  return rows.toSorted((a, b) => a.seq - b.seq || a.index - b.index);
}

const WEEK_MS = 7 * 86_400_000;

/** What a silence would cover now and would have covered within a week. */
export async function previewSilence(
  { views, directory }: { readonly views: JournalViews; readonly directory: Directory },
  matchers: readonly Matcher[],
  now: EpochMs,
): Promise<ReturnType<typeof previewOf>> {
  const condition = conditionOf(matchers);
  const alerts: { readonly alert: Alert; readonly isMatch: boolean }[] = [];
  for await (const alert of allAlerts(views, { since: now - WEEK_MS })) {
    alerts.push({ alert, isMatch: condition(labelsOf(alert, directory.labels(alert.entity))) });
  }
  return previewOf(alerts, now);
}
