import type { Covers, OutboxRow } from '../core/alert.ts';
import type { Incident } from '../core/incident.ts';
import { type EpochMs, severityRank } from '../core/types.ts';
import { tellsThatItFired } from './channel-queue.ts';
import { splitRows } from './outbox.ts';
import { mergedText } from './summary.ts';

/** How many alerts a summary names. */
const WORST_MAX = 10;

/** One row in place of many, of which some may stand for many themselves. In order: the newest word on an alert is the last. */
export function mergedRow(
  rows: readonly OutboxRow[],
  parts: { readonly id: string; readonly channel: string; readonly now: EpochMs; readonly isStorm?: boolean },
): OutboxRow {
  const { id, channel, now } = parts;
  const covers = coversOf(rows);
  return { id, channel, kind: parts.isStorm === true ? 'storm' : 'summary', createdAt: now, dueAt: now, text: mergedText(covers), covers };
}

/** Of the rows of one decision those of a channel: a storm is told in few messages from the start, a hundred thousand rows would only be merged later. */
export function condensed(rows: readonly OutboxRow[], parts: { readonly id: string; readonly channel: string; readonly now: EpochMs }): readonly OutboxRow[] {
  const { kept, merged } = splitRows(rows.filter((row) => row.channel === parts.channel));
  return merged.length === 0 ? kept : [...kept, mergedRow(merged, parts)];
}

function coversOf(rows: readonly OutboxRow[]): Covers {
  const rules: Record<string, number> = {};
  const worst = new Map<string, Covers['worst'][number]>();
  const isFiring = new Map<string, boolean>();
  let messages = 0;
  let fired = 0;
  let resolved = 0;
  for (const row of rows) {
    const one = row.covers ?? coversOfOne(row);
    messages += one.messages;
    fired += one.fired;
    resolved += one.resolved;
    for (const [rule, amount] of Object.entries(one.rules)) rules[rule] = (rules[rule] ?? 0) + amount;
    for (const alert of one.worst) worst.set(alert.id, alert);
    for (const alert of one.firing) isFiring.set(alert, true);
    for (const alert of one.ended) isFiring.set(alert, false);
  }
  const byState = [...isFiring];
  return {
    messages,
    fired,
    resolved,
    rules,
    worst: [...worst.values()].sort((a, b) => severityRank(b.severity) - severityRank(a.severity) || b.score - a.score).slice(0, WORST_MAX),
    firing: byState.filter(([, is]) => is).map(([alert]) => alert),
    ended: byState.filter(([, is]) => !is).map(([alert]) => alert),
  };
}

function coversOfOne(row: OutboxRow): Covers {
  const { incident } = row;
  if (incident === undefined) return { messages: 1, fired: 0, resolved: 0, rules: {}, worst: [], firing: [], ended: [] };
  const isFired = tellsThatItFired(row);
  return {
    messages: 1,
    fired: isFired ? 1 : 0,
    resolved: row.kind === 'resolved' ? 1 : 0,
    rules: { [ruleOf(row)]: 1 },
    worst: [brief(row, incident)],
    firing: isFired ? [incident.id] : [],
    ended: row.kind === 'resolved' ? [incident.id] : [],
  };
}

function ruleOf({ incident, alert }: OutboxRow): string {
  return incident?.rule ?? alert?.rule ?? 'unknown';
}

function brief(row: OutboxRow, { id, label, severity, score, state }: Incident): Covers['worst'][number] {
  return { id, label, rule: ruleOf(row), severity, score, state };
}
