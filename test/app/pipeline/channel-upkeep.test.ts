import { expect, test } from 'vitest';
import type { ChannelNotes } from '../../../alerts/notify/channel.ts';
import { keepUp } from '../../../app/pipeline/channel-upkeep.ts';
import type { JournalBody, Notification } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { OK, type Outcome, failed } from '../../../core/types.ts';
import { memoryJournal } from '../../../storage/memory/journal.ts';
import { T0, alertOf, incidentOf } from '../../alerts/support/build.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const told = { status: 'told', at: T0, openedAs: 'high', kind: 'fired' } as const;

function body(incidents: readonly Incident[]): JournalBody {
  return { at: T0, actor: 'keywatch', transitions: [], alerts: [alertOf()], incidents, outbox: [], deliveries: [] };
}

function notes(): ChannelNotes & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return { texts, read: async (name) => texts.get(name), write: async (name, text) => void texts.set(name, text) };
}

test('a far side that forgets is told every minute what this channel was told of and is not over', async () => {
  const journal = memoryJournal();
  await journal.append(
    1,
    body([
      incidentOf(alertOf(), { id: 'INC-1', channels: { am: told } }),
      incidentOf(alertOf(), { id: 'INC-2', channels: { slack: told } }),
      incidentOf(alertOf(), { id: 'INC-3', state: 'resolved', channels: { am: told } }),
      incidentOf(alertOf(), { id: 'INC-4', channels: { am: { status: 'held', at: T0, held: { reason: 'silence' } } } }),
    ]),
  );
  const clock = new VirtualClock(T0);
  const rounds: (readonly Notification[])[] = [];
  const am = {
    name: 'am',
    refreshMs: 60_000,
    notify: async () => OK,
    refresh: async (open: readonly Notification[]) => {
      rounds.push(open);
      return OK;
    },
  };
  const stop = new AbortController();
  const running = keepUp([am], { journal, clock, notes, onProblem: () => undefined }, stop.signal);
  await clock.advance(150_000);
  expect(rounds.map((open) => open.map(({ incident, openedAs, alert }) => [incident?.id, openedAs, alert?.id]))).toEqual(
    Array.from({ length: 3 }, () => [['INC-1', 'high', alertOf().id]]),
  );
  stop.abort();
  await running;
});

test('every entry is handed over once it is there, in order, also over a restart and a fault, which is told once', async () => {
  const journal = memoryJournal();
  for (let seq = 1; seq <= 450; seq++) await journal.append(seq, body([]));
  const clock = new VirtualClock(T0);
  const kept = notes();
  const problems: string[] = [];
  const seen: number[] = [];
  let answer: Outcome = failed('Splunk answered HTTP 503', true);
  const splunk = {
    name: 'splunk',
    notify: async () => OK,
    record: async (entries: readonly { readonly seq: number }[]) => {
      if (answer.ok) seen.push(...entries.map(({ seq }) => seq));
      return answer;
    },
  };
  const start = () => {
    const stop = new AbortController();
    const running = keepUp([splunk], { journal, clock, notes: () => kept, onProblem: (message) => void problems.push(message) }, stop.signal);
    return async () => {
      stop.abort();
      await running;
    };
  };
  const first = start();
  await clock.advance(60_000);
  expect(seen).toEqual([]);
  expect(problems).toEqual(['splunk does not take records: Splunk answered HTTP 503']);
  answer = OK;
  await clock.advance(600_000);
  await first();
  expect(seen).toEqual(Array.from({ length: 450 }, (_, index) => index + 1));
  expect(kept.texts.get('recorded')).toBe('450');
  await journal.append(451, body([]));
  const second = start();
  await clock.advance(10_000);
  await second();
  expect(seen.slice(450)).toEqual([451]);
});
