import { openJournal } from '../../../storage/elasticsearch/journal.ts';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import type { OutboxRow } from '../../../core/alert.ts';
import type { ReceivedPost } from '../../support/http-receiver.ts';
import { type Ledger, entityOf } from './ledger.ts';

export type AlertResult = {
  readonly expected: number;
  readonly fired: number;
  readonly missing: number;
  readonly extra: number;
  /** Rows of the outbox, and how many of them Slack has seen, more than once too. */
  readonly notifications: number;
  readonly untold: number;
  readonly posts: number;
  readonly faults: readonly string[];
};

/** Who broke a limit, from the ledger alone: `rule entity`. */
export function expectedAlerts(
  ledger: Ledger,
  failures: ReadonlyMap<string, number>,
  limits: { readonly requests: number; readonly failures: number },
): Set<string> {
  const expected = new Set<string>();
  for (const [owner, minutes] of ledger.cells) {
    if (owner === 'refused') continue;
    for (const { requests } of minutes.values()) if (requests > limits.requests) expected.add(`request_rate ${entityOf(owner)}`);
  }
  for (const [network, count] of failures) if (count > limits.failures) expected.add(`failed_auth network:${network}`);
  return expected;
}

/** Every breach one alert and no other; every message that was decided was sent or went out inside another, and Slack has seen what was sent. */
export async function checkAlerts(
  elasticsearch: Elasticsearch,
  prefix: string,
  expected: ReadonlySet<string>,
  posts: readonly ReceivedPost[],
): Promise<AlertResult> {
  await using journal = await openJournal({ elasticsearch, prefix, readOnly: true });
  const faults: string[] = [];
  const chain = await journal.verifyChain();
  if (!chain.isIntact) faults.push(`the journal is broken at ${JSON.stringify(chain)}`);
  const fired = new Map<string, string[]>();
  const names = new Map<string, string>();
  const rows = new Map<string, OutboxRow>();
  const settled = new Map<string, string[]>();
  for await (const entry of journal.entries(0)) {
    for (const alert of entry.alerts) names.set(alert.id, `${alert.rule} ${alert.entity}`);
    for (const { alert, cause } of entry.transitions) {
      if (cause !== 'confirmed') continue;
      const name = names.get(alert) ?? alert;
      // What several rules add up to is no breach of its own.
      if (name.startsWith('risk ')) continue;
      fired.set(name, [...(fired.get(name) ?? []), alert]);
    }
    for (const row of entry.outbox) {
      if (rows.has(row.id)) faults.push(`message ${row.id} was decided twice`);
      rows.set(row.id, row);
    }
    for (const { row, result } of entry.deliveries) if (result !== 'retry') settled.set(row, [...(settled.get(row) ?? []), result]);
  }
  for (const [name, alerts] of fired) if (alerts.length > 1) faults.push(`${name} fired ${alerts.length} times`);
  const missing = [...expected].filter((name) => !fired.has(name));
  const extra = [...fired.keys()].filter((name) => !expected.has(name));
  faults.push(
    ...missing.slice(0, 5).map((name) => `${name} broke its limit and did not fire`),
    ...extra.slice(0, 5).map((name) => `${name} fired without a breach`),
  );
  const seen = posts.map(({ body }) => body).join('\n');
  let untold = 0;
  for (const [id, row] of rows) {
    const results = settled.get(id) ?? [];
    if (results.length > 1) faults.push(`message ${id} has ${results.length} results: ${results.join(', ')}`);
    // What people see, and so what a message names, is the incident.
    const isSeen = row.incident === undefined || results[0] !== 'sent' || seen.includes(row.incident.id);
    if (results.length === 0 || results[0] === 'dead' || !isSeen) {
      untold++;
      if (untold <= 5) faults.push(`message ${id} (${row.kind}) was not told: ${results.join(', ') || 'no result'}${isSeen ? '' : ', Slack never saw it'}`);
    }
  }
  return {
    expected: expected.size,
    fired: fired.size,
    missing: missing.length,
    extra: extra.length,
    notifications: rows.size,
    untold,
    posts: posts.length,
    faults,
  };
}
