/** The promises of `Journal`, for every adapter. Projections are compared with a plain fold over what was appended. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Alert, AlertState, Delivery, JournalBody, JournalEntry, OutboxRow } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import type { Journal } from '../../core/ports.ts';
import { SEVERITIES, entityId } from '../../core/types.ts';
import type { ChainCheck } from '../../storage/journal-chain.ts';
import { auditPages } from './journal-audit.ts';

export type CheckedJournal = Journal & { verifyChain(): Promise<ChainCheck> };
export type OpenJournal<J extends CheckedJournal> = {
  readonly open: () => Promise<J>;
  readonly reopen: (journal: J) => Promise<J>;
  /** Changes the stored entry `seq` behind the journal's back. */
  readonly tamper: (journal: J, seq: number, change: 'body' | 'remove' | 'remove last') => Promise<J>;
  readonly runs: number;
};

const STATES: readonly AlertState[] = ['pending', 'firing', 'recovering', 'resolved'];

export function alertOf(id: string, over: Partial<Alert> = {}): Alert {
  const entity = over.entity ?? entityId('key', 'k1');
  return {
    id,
    dedupKey: id.split('-')[0] ?? id,
    episode: 1,
    rule: 'requests-per-minute',
    entity,
    label: 'billing',
    state: 'firing',
    severity: 'critical',
    score: 90,
    startedAt: 1000,
    lastBreachAt: 1000,
    peak: 1200,
    findings: 1,
    reopens: 0,
    dips: 0,
    excess: 0,
    finding: {
      id: `requests-per-minute|${entity}|0|critical`,
      rule: 'requests-per-minute',
      entity,
      window: { start: 0, end: 60_000 },
      severity: 'critical',
      score: 90,
      why: 'It made 1,200 requests in a minute.',
      observed: 1200,
      expected: 1000,
      unit: 'requests',
      action: 'apply rate limiting',
      contributions: [],
      isLive: true,
    },
    ...over,
  };
}

export function bodyOf(over: Partial<JournalBody> = {}): JournalBody {
  return { at: 5000, actor: 'judge', transitions: [], alerts: [], outbox: [], deliveries: [], ...over };
}

export function outboxRow(id: string, dueAt: number): OutboxRow {
  return { id, channel: 'slack', kind: 'fired', createdAt: 0, dueAt };
}

export async function entriesOf(journal: Journal, fromSeq = 0): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const entry of journal.entries(fromSeq)) entries.push(entry);
  return entries;
}

export function journalConformance<J extends CheckedJournal>(name: string, adapter: OpenJournal<J>): void {
  describe(`${name} keeps the promises of a journal`, () => {
    appendTests(adapter);
    projectionTests(adapter);
    viewTests(adapter);
  });
}

function appendTests<J extends CheckedJournal>({ open, reopen, tamper }: OpenJournal<J>): void {
  test('an entry is appended once: a seq that is taken, or one that leaves a gap, is refused and changes nothing', async () => {
    await using journal = await open();
    expect((await journal.head()).seq).toBe(0);
    expect(await journal.append(2, bodyOf())).toBe('taken');
    expect(await journal.append(1, bodyOf({ actor: 'first', alerts: [alertOf('a-1')] }))).toBe('appended');
    const head = await journal.head();
    expect(await journal.append(1, bodyOf({ actor: 'zombie', alerts: [alertOf('b-1')], outbox: [outboxRow('r', 1)] }))).toBe('taken');
    expect(await journal.append(0, bodyOf())).toBe('taken');
    expect(await journal.append(3, bodyOf())).toBe('taken');
    expect(await journal.head()).toEqual(head);
    expect((await entriesOf(journal)).map((entry) => entry.actor)).toEqual(['first']);
    expect((await journal.alerts({})).map((alert) => alert.id)).toEqual(['a-1']);
    expect(await journal.pending()).toEqual([]);
  });

  test('of two that append the same seq at once exactly one is told that it did', async () => {
    await using journal = await open();
    const results = await Promise.all(Array.from({ length: 8 }, async (_, writer) => journal.append(1, bodyOf({ actor: `judge ${writer}` }))));
    expect(results.filter((result) => result === 'appended')).toHaveLength(1);
    expect(await entriesOf(journal)).toHaveLength(1);
  });

  test('entries come back as they were written, in order, from any seq, after a restart', async () => {
    const first = await open();
    const bodies = Array.from({ length: 600 }, (_, i) =>
      bodyOf({ at: i, judgedThrough: i * 2, audit: [{ action: 'note', subject: 'x', note: 'ümläut "quoted" \u0000' }] }),
    );
    for (const [i, body] of bodies.entries()) await first.append(i + 1, body);
    await using journal = await reopen(first);
    const entries = await entriesOf(journal, 301);
    expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: 300 }, (_, i) => i + 301));
    const [first301] = entries;
    expect(first301).toEqual({ ...bodies[300], seq: 301, prevHash: first301?.prevHash, hash: first301?.hash });
    const [before] = await entriesOf(journal, 300);
    expect(first301?.prevHash).toBe(before?.hash);
    expect((await journal.head()).hash).toBe(entries.at(-1)?.hash);
  });

  test('the chain names the first entry that was changed or removed, and a tail that is missing', async () => {
    const filled = async (): Promise<J> => {
      const journal = await open();
      for (let seq = 1; seq <= 6; seq++) await journal.append(seq, bodyOf({ at: seq, actor: `actor ${seq}` }));
      await journal.saveSnapshot({ seq: 6, state: '{}' });
      expect(await journal.verifyChain()).toEqual({ isIntact: true, entries: 6 });
      return journal;
    };
    await using changed = await tamper(await filled(), 4, 'body');
    expect(await changed.verifyChain()).toEqual({ isIntact: false, seq: 4, reason: 'entry 4 was changed after it was written' });
    await using removed = await tamper(await filled(), 3, 'remove');
    expect(await removed.verifyChain()).toEqual({ isIntact: false, seq: 3, reason: 'entry 3 is missing' });
    await using cut = await tamper(await filled(), 6, 'remove last');
    expect(await cut.verifyChain()).toMatchObject({ isIntact: false, seq: 6 });
  });

  test('equal bodies have equal hashes whatever the order of their fields', async () => {
    await using one = await open();
    await using other = await open();
    await one.append(1, { at: 1, actor: 'a', transitions: [], alerts: [], outbox: [], deliveries: [] });
    await other.append(1, { deliveries: [], outbox: [], alerts: [], transitions: [], actor: 'a', at: 1 });
    expect((await one.head()).hash).toBe((await other.head()).hash);
  });

  test('the newest snapshot stays, also after a restart', async () => {
    const first = await open();
    expect(await first.snapshot()).toBeUndefined();
    await first.saveSnapshot({ seq: 5, state: 'five' });
    await first.saveSnapshot({ seq: 9, state: 'nine' });
    await first.saveSnapshot({ seq: 7, state: 'a judge that is behind' });
    await using journal = await reopen(first);
    expect(await journal.snapshot()).toEqual({ seq: 9, state: 'nine' });
  });
}

function projectionTests<J extends CheckedJournal>({ open, reopen, runs }: OpenJournal<J>): void {
  test('alerts are the newest version of each, newest first, by state, time, entity and number', async () => {
    await using journal = await open();
    const other = entityId('key', 'k2');
    await journal.append(
      1,
      bodyOf({ alerts: [alertOf('a-1', { state: 'pending', startedAt: 100, lastBreachAt: 100 }), alertOf('b-1', { startedAt: 300, lastBreachAt: 300 })] }),
    );
    await journal.append(2, bodyOf({ alerts: [alertOf('a-1', { state: 'resolved', startedAt: 100, lastBreachAt: 200, resolvedAt: 900 })] }));
    await journal.append(3, bodyOf({ alerts: [alertOf('c-1', { entity: other, startedAt: 300, lastBreachAt: 350, state: 'recovering' })] }));
    const ids = async (query: Parameters<Journal['alerts']>[0]): Promise<readonly string[]> => (await journal.alerts(query)).map((alert) => alert.id);
    expect(await ids({})).toEqual(['b-1', 'c-1', 'a-1']);
    expect(await ids({ states: ['resolved', 'recovering'] })).toEqual(['c-1', 'a-1']);
    expect(await ids({ states: [] })).toEqual([]);
    // What changed or breached since then, although it started before.
    expect(await ids({ since: 900 })).toEqual(['a-1']);
    expect(await ids({ since: 301 })).toEqual(['c-1', 'a-1']);
    expect(await ids({ entity: other })).toEqual(['c-1']);
    expect(await ids({ limit: 1 })).toEqual(['b-1']);
    expect((await journal.alerts({ states: ['resolved'] }))[0]).toEqual(
      alertOf('a-1', { state: 'resolved', startedAt: 100, lastBreachAt: 200, resolvedAt: 900 }),
    );
  });

  test('a message is pending until it is sent, merged or given up, and is never decided twice', async () => {
    await using journal = await open();
    const rows = ['sent', 'dead', 'merged', 'retry', 'fresh'].map((id, i) => outboxRow(id, 100 + i));
    const delivery = (row: string, result: Delivery['result'], over: Partial<Delivery> = {}): Delivery => ({ row, at: 200, attempt: 1, result, ...over });
    await journal.append(1, bodyOf({ outbox: rows }));
    expect((await journal.pending()).map(({ row, attempts, nextAt }) => [row.id, attempts, nextAt])).toEqual(rows.map((row) => [row.id, 0, row.dueAt]));
    await journal.append(
      2,
      bodyOf({
        deliveries: [
          delivery('retry', 'retry', { nextAt: 102 }),
          delivery('sent', 'sent'),
          delivery('dead', 'dead'),
          delivery('merged', 'merged', { into: 'sent' }),
        ],
      }),
    );
    await journal.append(3, bodyOf({ outbox: rows, deliveries: [delivery('nobody', 'sent'), delivery('retry', 'retry', { attempt: 2, nextAt: 900 })] }));
    expect(await journal.pending()).toEqual([
      { row: outboxRow('fresh', 104), attempts: 0, nextAt: 104 },
      { row: outboxRow('retry', 103), attempts: 2, nextAt: 900 },
    ]);
  });

  test('projections equal a fold over the entries, whatever was appended and wherever it restarted', async () => {
    const id = fc.constantFrom('a-1', 'a-2', 'b-1', 'c-1');
    const alertArb = fc
      .record({ id, state: fc.constantFrom(...STATES), severity: fc.constantFrom(...SEVERITIES), startedAt: fc.nat(50) })
      .map(({ id: alert, ...over }) => alertOf(alert, { ...over, lastBreachAt: over.startedAt }));
    const outboxArb = fc.record({ id, dueAt: fc.nat(100) }).map((row) => outboxRow(row.id, row.dueAt));
    const deliveryArb: fc.Arbitrary<Delivery> = fc.record({
      row: id,
      at: fc.nat(100),
      attempt: fc.integer({ min: 1, max: 5 }),
      result: fc.constantFrom('sent', 'retry', 'dead', 'merged'),
      nextAt: fc.nat(200),
    });
    const bodyArb = fc
      .record({
        alerts: fc.array(alertArb, { maxLength: 3 }),
        outbox: fc.array(outboxArb, { maxLength: 2 }),
        deliveries: fc.array(deliveryArb, { maxLength: 2 }),
      })
      .map((over) => bodyOf(over));
    await fc.assert(
      fc.asyncProperty(fc.array(bodyArb, { maxLength: 12 }), fc.nat(12), async (bodies, restartAfter) => {
        let journal = await open();
        for (const [i, body] of bodies.entries()) {
          if (i === restartAfter) journal = await reopen(journal);
          expect(await journal.append(i + 1, body)).toBe('appended');
        }
        const alerts = new Map<string, Alert>();
        for (const body of bodies) for (const alert of body.alerts) alerts.set(alert.id, alert);
        expect(new Map((await journal.alerts({})).map((alert) => [alert.id, alert]))).toEqual(alerts);
        expect(new Set((await journal.pending()).map(({ row, attempts, nextAt }) => `${row.id} ${row.dueAt} ${attempts} ${nextAt}`))).toEqual(
          pendingOf(bodies),
        );
        expect(await journal.verifyChain()).toEqual({ isIntact: true, entries: bodies.length });
        await journal[Symbol.asyncDispose]();
      }),
      { numRuns: runs },
    );
  });
}

function viewTests<J extends CheckedJournal>({ open, reopen }: OpenJournal<J>): void {
  test('incidents are the newest version of each, by state, time, lineage and id, in pages without a gap', async () => {
    await using journal = await open();
    const other = entityId('key', 'k2');
    await journal.append(
      1,
      bodyOf({
        incidents: [incidentOf('INC-1', { startedAt: 100 }), incidentOf('INC-2', { startedAt: 300 }), incidentOf('INC-3', { startedAt: 300, lineage: other })],
      }),
    );
    await journal.append(2, bodyOf({ incidents: [incidentOf('INC-1', { startedAt: 100, state: 'resolved', changedAt: 900 })] }));
    const ids = async (query: Parameters<Journal['incidents']>[0]): Promise<readonly string[]> =>
      (await journal.incidents(query)).map((incident) => incident.id);
    expect(await ids({})).toEqual(['INC-2', 'INC-3', 'INC-1']);
    expect(await ids({ states: ['resolved'] })).toEqual(['INC-1']);
    expect(await ids({ since: 800 })).toEqual(['INC-1']);
    expect(await ids({ lineage: other })).toEqual(['INC-3']);
    expect(await ids({ ids: ['INC-1', 'INC-9'] })).toEqual(['INC-1']);
    const [first] = await journal.incidents({ limit: 1 });
    expect(await ids({ after: { at: first?.startedAt ?? 0, id: first?.id ?? '' } })).toEqual(['INC-3', 'INC-1']);
    expect((await journal.incidents({ states: ['resolved'] }))[0]).toEqual(incidentOf('INC-1', { startedAt: 100, state: 'resolved', changedAt: 900 }));
  });

  test('alerts are found by incident and by id, in pages without a gap', async () => {
    await using journal = await open();
    const alerts = ['a-1', 'b-1', 'c-1', 'd-1'].map((id, index) => alertOf(id, { startedAt: 100 * (index >> 1), incident: index === 3 ? 'INC-2' : 'INC-1' }));
    await journal.append(1, bodyOf({ alerts }));
    const ids = async (query: Parameters<Journal['alerts']>[0]): Promise<readonly string[]> => (await journal.alerts(query)).map((alert) => alert.id);
    expect(await ids({ incident: 'INC-1' })).toEqual(['c-1', 'a-1', 'b-1']);
    expect(await ids({ ids: ['d-1', 'a-1'] })).toEqual(['d-1', 'a-1']);
    expect(await ids({ after: { at: 100, id: 'c-1' } })).toEqual(['d-1', 'a-1', 'b-1']);
    expect(await ids({ after: { at: 0, id: 'a-1' }, limit: 5 })).toEqual(['b-1']);
  });

  test('silences, maintenance and exceptions are the newest version of each, and those that are over can be left out', async () => {
    const first = await open();
    const overlay = { matchers: [], actor: PERSON, createdAt: 10, reason: 'x', includeCritical: false };
    const silence = { ...overlay, id: 'SIL-1', startsAt: 10, endsAt: 100, covers: {} };
    await first.append(
      1,
      bodyOf({
        silences: [silence, { ...silence, id: 'SIL-2', createdAt: 20, endsAt: 500 }],
        maintenances: [{ ...overlay, id: 'MNT-1', startsAt: 1, endsAt: 50 }],
        exceptions: [{ id: 'EXC-1', lineage: entityId('key', 'k1'), label: 'k', rule: 'r', upTo: 5, until: 90, reason: 'x', actor: PERSON, createdAt: 3 }],
      }),
    );
    await first.append(2, bodyOf({ silences: [{ ...silence, id: 'SIL-2', createdAt: 20, endsAt: 500, endedAt: 200 }] }));
    await using journal = await reopen(first);
    const ids = (list: readonly { readonly id: string }[]): readonly string[] => list.map((each) => each.id);
    expect(ids(await journal.silences({}))).toEqual(['SIL-2', 'SIL-1']);
    expect(ids(await journal.silences({ inForceAt: 150 }))).toEqual(['SIL-2']);
    expect(ids(await journal.silences({ inForceAt: 200 }))).toEqual([]);
    expect(ids(await journal.maintenances({ inForceAt: 49 }))).toEqual(['MNT-1']);
    expect(ids(await journal.exceptions({ inForceAt: 90 }))).toEqual([]);
    expect(await journal.silences({ inForceAt: 99 })).toContainEqual(silence);
  });

  test('the answer to a command is found by its id, and every act is in the audit with who did it, newest first', async () => {
    await using journal = await open();
    const result = { id: 'cmd-1', kind: 'acknowledge', actor: PERSON, at: 5000, status: 'applied' } as const;
    await journal.append(1, bodyOf({ actor: 'keywatch', audit: [{ action: 'channel_failing', subject: 'slack' }] }));
    await journal.append(
      2,
      bodyOf({
        commands: [result],
        audit: [
          { action: 'acknowledge', subject: 'INC-1', actor: PERSON, command: 'cmd-1' },
          { action: 'note', subject: 'INC-2', actor: PERSON },
        ],
      }),
    );
    expect(await journal.commandResult('cmd-1')).toEqual(result);
    expect(await journal.commandResult('cmd-2')).toBeUndefined();
    expect((await journal.audit({})).map((row) => [row.seq, row.action, row.actor.name])).toEqual([
      [2, 'acknowledge', 'maria'],
      [2, 'note', 'maria'],
      [1, 'channel_failing', 'keywatch'],
    ]);
    expect((await journal.audit({ subject: 'INC-2' })).map((row) => row.action)).toEqual(['note']);
    expect((await journal.audit({ after: { seq: 2, index: 1 }, limit: 5 })).map((row) => row.seq)).toEqual([1]);
    expect((await journal.audit({ after: { seq: 1, index: 0 } })).map((row) => row.seq)).toEqual([]);
    expect((await journal.audit({ limit: 1 })).map((row) => row.action)).toEqual(['acknowledge']);
  });

  auditPages(open);

  test('messages keep what became of them when their text is gone, by incident and channel', async () => {
    const first = await open();
    const row = (id: string, createdAt: number, incident?: string): OutboxRow => ({
      ...outboxRow(id, createdAt),
      createdAt,
      ...(incident === undefined ? {} : { incident: incidentOf(incident) }),
    });
    await first.append(1, bodyOf({ outbox: [row('r1', 10, 'INC-1'), row('r2', 20, 'INC-1'), row('r3', 20)] }));
    await first.append(2, bodyOf({ deliveries: [{ row: 'r1', at: 30, attempt: 1, result: 'retry', reason: 'HTTP 500', nextAt: 40 }] }));
    await first.append(
      3,
      bodyOf({
        deliveries: [
          { row: 'r1', at: 40, attempt: 2, result: 'sent' },
          { row: 'r2', at: 40, attempt: 1, result: 'dead', reason: 'HTTP 404' },
        ],
      }),
    );
    await using journal = await reopen(first);
    expect((await journal.messages({ incident: 'INC-1' })).map(({ id, result, attempts, at, reason }) => [id, result, attempts, at, reason])).toEqual([
      ['r2', 'dead', 1, 40, 'HTTP 404'],
      ['r1', 'sent', 2, 40, 'HTTP 500'],
    ]);
    expect((await journal.messages({ channel: 'slack', limit: 2 })).map(({ id }) => id)).toEqual(['r2', 'r3']);
    expect((await journal.messages({ after: { at: 20, id: 'r2' } })).map(({ id }) => id)).toEqual(['r3', 'r1']);
  });
}

const PERSON = { way: 'cli', name: 'maria' } as const;

export function incidentOf(id: string, over: Partial<Incident> = {}): Incident {
  return {
    id,
    kind: 'key',
    lineage: entityId('key', 'k1'),
    label: 'billing',
    state: 'firing',
    severity: 'high',
    score: 80,
    risk: 0,
    startedAt: 1000,
    openedAt: 0,
    changedAt: 0,
    reopens: 0,
    alerts: [],
    alertsTotal: 0,
    lineages: 1,
    suppressed: 0,
    channels: {},
    ...over,
  };
}

/** What is pending after a list of bodies, told row by row. */
function pendingOf(bodies: readonly JournalBody[]): ReadonlySet<string> {
  const rows = new Set(bodies.flatMap((body) => body.outbox.map((row) => row.id)));
  const pending = new Set<string>();
  for (const id of rows) {
    const first = bodies.findIndex((body) => body.outbox.some((row) => row.id === id));
    const row = bodies[first]?.outbox.find((candidate) => candidate.id === id);
    const deliveries = bodies.slice(first).flatMap((body) => body.deliveries.filter((delivery) => delivery.row === id));
    if (row === undefined || deliveries.some((delivery) => delivery.result !== 'retry')) continue;
    const last = deliveries.at(-1);
    pending.add(`${id} ${row.dueAt} ${last?.attempt ?? 0} ${last === undefined ? row.dueAt : (last.nextAt ?? last.at)}`);
  }
  return pending;
}
