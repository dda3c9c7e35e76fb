import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Journal } from '../../../core/ports.ts';
import { Fingerprinter } from '../../../core/fingerprint.ts';
import { Secret } from '../../../core/secret.ts';
import type { EpochMs } from '../../../core/types.ts';
import { PEPPER } from './installation.ts';
import type { Loud } from './takeover-load.ts';

/** A message as it came, by what is told of which alert. */
type Received = { readonly at: EpochMs; readonly name: string; readonly text: string };

export type Receiver = AsyncDisposable & { readonly address: string; readonly received: readonly Received[] };

/** What Slack was to be told, and what it was told. */
export type Told = {
  /** Rows of the outbox that are no longer there to be sent. */
  readonly rows: number;
  readonly received: number;
  /** Received again although it was known to be sent. */
  readonly twice: readonly string[];
  /** Received again since the process died between sending and writing that down: the at-least-once rule. */
  readonly again: readonly string[];
  /** Sent by the journal, and never received. */
  readonly lost: readonly string[];
  /** Keys over their limit of which the journal has no alert. */
  readonly unjudged: readonly string[];
  /** Keys whose alert has no message of its own, since it was found late and told in a summary. */
  readonly summed: number;
};

/** Slack, as far as Keywatch can tell. */
export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const at = Date.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end('ok');
      const text = Buffer.concat(chunks).toString('utf8');
      received.push({ at, text, name: nameOf(text) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/hook`,
    received,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Holds the journal, row by row, against what came, and against what should have been noticed. `kills`: when a process died. */
export async function compare(
  journal: Journal,
  receiver: Receiver,
  { kills, loud }: { readonly kills: readonly EpochMs[]; readonly loud: readonly Loud[] },
): Promise<Told> {
  const rows = new Map<string, string>();
  const twice: string[] = [];
  const sent = new Map<string, { readonly count: number; readonly at: EpochMs }>();
  const judged = new Set<string>();
  const fired = new Map<string, number>();
  let summaries = 0;
  for await (const { alerts, outbox, deliveries } of journal.entries(1)) {
    for (const { entity } of alerts) judged.add(entity);
    for (const { id, kind, alert } of outbox) {
      if (rows.has(id)) twice.push(`row ${id}`);
      rows.set(id, alert === undefined ? 'other' : `${alert.id} ${kind === 'resolved' ? 'resolved' : 'firing'}`);
      if (kind === 'summary') summaries++;
      if (kind === 'fired' && alert !== undefined) fired.set(alert.entity, (fired.get(alert.entity) ?? 0) + 1);
    }
    for (const { row, at, result } of deliveries) {
      const name = rows.get(row) ?? row;
      if (result === 'sent') sent.set(name, { count: (sent.get(name)?.count ?? 0) + 1, at });
    }
  }
  for (const [entity, count] of fired) if (count > 1) twice.push(`alert of ${entity}`);
  const again: string[] = [];
  const lost: string[] = [];
  const byName = Map.groupBy(receiver.received, ({ name }) => name);
  for (const [name, { count, at }] of sent) {
    const messages = byName.get(name) ?? [];
    if (messages.length < count) lost.push(name);
    if (messages.length <= count) continue;
    const first = messages[0]?.at ?? 0;
    (kills.some((kill) => first <= kill && at >= kill) ? again : twice).push(name);
  }
  const fingerprinter = new Fingerprinter(new Secret(PEPPER));
  const entityOf = ({ key }: Loud): string => `key:${fingerprinter.fingerprint(key)}`;
  const untold = loud.filter((one) => !fired.has(entityOf(one)));
  const isSummed = (one: Loud): boolean => summaries > 0 && judged.has(entityOf(one));
  const unjudged = untold.filter((one) => !isSummed(one)).map(({ key, at }) => `${key} at ${new Date(at).toISOString()}`);
  return { rows: rows.size, received: receiver.received.length, twice, again, lost, unjudged, summed: untold.filter(isSummed).length };
}

/** Of which alert it tells, and whether that fires. */
function nameOf(text: string): string {
  const alert = /Alert `([^`]+)`/.exec(text)?.[1];
  return alert === undefined ? 'other' : `${alert} ${/RESOLVED/.test(text) ? 'resolved' : 'firing'}`;
}
