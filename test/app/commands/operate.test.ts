import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exceptionSchema, incidentSchema, overlaySchema, resultSchema, whySchema } from '../../../app/json/operator.ts';
import { dossierSchema } from '../../../app/json/dossier.ts';
import type { JournalBody } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { type CommandResult, type OperatorCommand, actorText } from '../../../core/operator.ts';
import type { CommandInbox, Journal } from '../../../core/ports.ts';
import { entityId } from '../../../core/types.ts';
import { systemClock } from '../../../core/clock.ts';
import { openCommandInbox } from '../../../storage/sqlite/command-inbox.ts';
import { openJournal } from '../../../storage/sqlite/journal.ts';
import { runCli } from '../cli/capture.ts';
import { alertOf } from './stored-fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch operate '));
const env = { HOME: directory, KEYWATCH_DATA_DIR: join(directory, 'data') };
const started = Date.now() - 600_000;
const key = entityId('key', 'kf1_9f3c12ab00000000000000000000000a');
const alert = {
  ...alertOf({ id: 'abcdef0123-29000000', entity: key, startedAt: started, severity: 'critical' }),
  label: 'billing',
  firedAt: started + 120_000,
  incident: 'INC-1',
};
const incident: Incident = {
  id: 'INC-1',
  kind: 'key',
  lineage: key,
  label: 'billing | <script>`x`',
  state: 'firing',
  severity: 'critical',
  score: 94,
  risk: 0,
  startedAt: started,
  openedAt: started + 120_000,
  changedAt: started + 120_000,
  reopens: 0,
  alerts: [alert.id],
  alertsTotal: 1,
  lineages: 1,
  suppressed: 3,
  channels: { ops: { status: 'held', at: started + 120_000, held: { reason: 'silence', by: 'SIL-9' } } },
};

let journal: Journal;
let inbox: CommandInbox;
let seq = 0;
const asked: OperatorCommand[] = [];
const stop = new AbortController();
let judge: Promise<void>;

const append = async (body: Partial<JournalBody>): Promise<void> => {
  expect(await journal.append(++seq, { at: Date.now(), actor: 'keywatch', transitions: [], alerts: [], outbox: [], deliveries: [], ...body })).toBe('appended');
};

/** Answers as the judge does by the contract: one entry that names the command, and only then the removal. */
async function answer(): Promise<void> {
  while (!stop.signal.aborted) {
    for (const command of await inbox.pending()) {
      asked.push(command);
      const isRefused = 'reason' in command && command.reason === 'refuse me';
      const result: CommandResult = {
        id: command.id,
        kind: command.kind,
        actor: command.actor,
        at: Date.now(),
        status: isRefused ? 'refused' : 'applied',
        ...(isRefused ? { reason: 'it would match everything; name a key' } : { made: 'X-1' }),
      };
      await append({ commands: [result], audit: [{ action: command.kind, subject: 'INC-1', actor: command.actor, command: command.id }] });
      await inbox.remove([command.id]);
    }
    await systemClock.sleep(20, stop.signal);
  }
}

beforeAll(async () => {
  journal = await openJournal({ directory: env.KEYWATCH_DATA_DIR });
  inbox = await openCommandInbox({ directory: env.KEYWATCH_DATA_DIR, create: true });
  const actor = { way: 'api', name: 'ada' } as const;
  const silence = {
    id: 'SIL-9',
    matchers: [{ label: 'key', op: '=', value: 'billing' }],
    startsAt: started,
    endsAt: started + 86_400_000,
    actor,
    createdAt: started,
    reason: 'load test',
    includeCritical: false,
  } as const;
  await append({
    alerts: [alert],
    incidents: [incident],
    silences: [{ ...silence, covers: {} }],
    maintenances: [{ ...silence, id: 'MNT-1' }],
    exceptions: [
      { id: 'EXC-1', lineage: key, label: 'billing', rule: 'error_rate', upTo: 0.12, until: started + 86_400_000, reason: 'batch', actor, createdAt: started },
    ],
  });
  judge = answer();
});
afterAll(async () => {
  stop.abort();
  await judge;
  await inbox[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const run = (...argv: readonly string[]): ReturnType<typeof runCli> => runCli(argv, { env, clock: systemClock });
const json = async (...argv: readonly string[]): Promise<Record<string, unknown>> => {
  const ran = await run(...argv, '--json');
  expect(ran.stderr).toBe('');
  return JSON.parse(ran.stdout) as Record<string, unknown>;
};

test('every verb asks the judge for what was typed, in the name of who typed it', async () => {
  const before = asked.length;
  const now = Date.now();
  for (const argv of [
    ['alerts', 'ack', 'INC-1', '--for', '2h', '--note', 'mine'],
    ['alerts', 'ack', 'abcdef', '--undo'],
    ['alerts', 'resolve', 'INC-1', '--reason', 'fixed'],
    ['alerts', 'feedback', 'abcdef0123-29000000', 'false'],
    ['silences', 'add', '--key', 'bill*', '--match', 'owner!=x', '--for', '1h', '--reason', 'load test'],
    ['silences', 'end', 'SIL-9'],
    ['maintenance', 'add', '--for', '30m', '--reason', 'upgrade'],
    ['maintenance', 'end', 'MNT-1', '--note', 'done'],
    ['exceptions', 'add', '--key', 'billing', '--rule', 'error_rate', '--up-to', '12%', '--until', '30d', '--reason', 'batch'],
    ['exceptions', 'end', 'EXC-1'],
  ]) {
    const ran = await run(...argv);
    expect({ argv, code: ran.code, stderr: ran.stderr, lines: ran.stdout.split('\n').length }).toEqual({
      argv,
      code: 0,
      stderr: '',
      // A silence also says what it covers.
      lines: argv[0] === 'silences' && argv[1] === 'add' ? 3 : 2,
    });
  }
  const made = asked.slice(before).map(({ id: _, at: __, actor: ___, ...rest }) => rest);
  expect(made).toEqual([
    { kind: 'acknowledge', target: 'INC-1', note: 'mine', forMs: 7_200_000 },
    { kind: 'unacknowledge', target: alert.id },
    { kind: 'resolve', target: 'INC-1', reason: 'fixed' },
    { kind: 'feedback', target: alert.id, verdict: 'false' },
    {
      kind: 'add_silence',
      matchers: [
        { label: 'key', op: '=~', value: 'bill.*' },
        { label: 'owner', op: '!=', value: 'x' },
      ],
      endsAt: expect.any(Number),
      reason: 'load test',
    },
    { kind: 'end_silence', silence: 'SIL-9' },
    { kind: 'add_maintenance', matchers: [], startsAt: expect.any(Number), endsAt: expect.any(Number), reason: 'upgrade' },
    { kind: 'end_maintenance', maintenance: 'MNT-1', note: 'done' },
    { kind: 'add_exception', entity: key, rule: 'error_rate', upTo: 0.12, until: expect.any(Number), reason: 'batch' },
    { kind: 'end_exception', exception: 'EXC-1' },
  ]);
  for (const command of asked.slice(before)) expect(actorText(command.actor)).toMatch(/^cli:.+/);
  const silence = asked.find(({ kind }) => kind === 'add_silence');
  expect(silence?.kind === 'add_silence' ? (silence.endsAt ?? 0) - now : 0).toBeGreaterThanOrEqual(3_600_000);
});

test('a refusal is said in one line with the reason of the judge, and the exit code is 1', async () => {
  const ran = await run('silences', 'add', '--key', '*', '--reason', 'refuse me');
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toBe('keywatch silences add: refused: it would match everything; name a key\n');
});

test('what cannot be right is said at once, with what comes close, and nothing is asked', async () => {
  const before = asked.length;
  for (const [argv, code, text] of [
    [['alerts', 'ack', 'INC-2'], 1, /there is no alert or incident 'INC-2' \(did you mean 'INC-1'\?\)/],
    [['alerts', 'resolve', 'INC-1', '--reason', 'bored'], 2, /expected|fixed/],
    [['alerts', 'feedback', 'INC-1', 'flase'], 2, /did you mean 'false'/],
    [['alerts', 'why', 'INC-1', '--channel', 'opps'], 1, /did you mean 'ops'/],
    [['silences', 'add', '--reason', 'x'], 2, /nothing to match/],
    [['silences', 'add', '--match', 'owner', '--reason', 'x'], 2, /expected a label/],
    [['silences', 'add', '--match', 'key=~(a+)+', '--reason', 'x'], 2, /repeats a repetition/],
    [['silences', 'add', '--rule', 'eror_rate', '--reason', 'x'], 2, /did you mean 'error_rate'/],
    [['maintenance', 'add', '--reason', 'x'], 2, /exactly one of --for 2h and --until/],
    [['exceptions', 'add', '--key', 'biling', '--rule', 'error_rate', '--up-to', '1', '--until', '1d', '--reason', 'x'], 1, /did you mean 'billing'/],
    [['incidents', 'list', '--state', 'fireing'], 2, /did you mean 'firing'/],
  ] as const) {
    const ran = await run(...argv);
    expect({ argv, code: ran.code, stderr: ran.stderr }).toEqual({ argv, code, stderr: expect.stringMatching(text) });
    expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1);
  }
  expect(asked.length).toBe(before);
});

test('the JSON of every list and answer has the shape that is promised', async () => {
  const each = (list: unknown, schema: { parse(value: unknown): unknown }): void => {
    expect(list).toHaveLength(1);
    for (const item of list as readonly unknown[]) schema.parse(item);
  };
  each((await json('silences', 'list'))['silences'], overlaySchema);
  each((await json('maintenance', 'list'))['maintenances'], overlaySchema);
  each((await json('exceptions', 'list'))['exceptions'], exceptionSchema);
  each((await json('incidents', 'list'))['incidents'], incidentSchema);
  each((await json('alerts', 'why', 'INC-1'))['channels'], whySchema);
  expect((await json('alerts', 'why', alert.id))['channels']).toMatchObject([{ channel: 'ops', told: false, clause: 'silence' }]);
  resultSchema.parse(await json('alerts', 'ack', 'INC-1'));
  const preview = await json('silences', 'preview', '--key', 'bill*');
  expect(preview).toMatchObject({ matchesEverything: false, now: [{ id: alert.id }], lastWeek: [{ id: alert.id }] });
});

test('the dossier tells the incident as JSON and as Markdown, and nothing from traffic is markup in it', async () => {
  const dossier = dossierSchema.parse(JSON.parse((await run('incidents', 'export', 'INC-1', '--format', 'json')).stdout));
  expect(dossier).toMatchObject({ id: 'INC-1', severity: 'critical', times: { secondsToDetect: 120 }, verdict: null });
  const { stdout } = await run('incidents', 'export', 'INC-1');
  expect(stdout).toMatch(/^# INC-1: critical, firing\n/);
  expect(stdout).toContain("`billing ¦ <script>'x'`");
});

test('lists fit 80 columns', async () => {
  for (const argv of [
    ['silences', 'list'],
    ['maintenance', 'list'],
    ['exceptions', 'list'],
    ['incidents', 'list'],
    ['alerts', 'show', 'INC-1'],
    ['alerts', 'why', 'INC-1'],
  ]) {
    const { stdout } = await runCli(argv, { env, clock: systemClock, columns: 80 });
    expect(stdout).not.toBe('');
    expect(
      Math.max(
        ...stripVTControlCharacters(stdout)
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  }
});

test('what is mistyped is refused before it is asked for, and a silence that covers nothing says so', async () => {
  const before = asked.length;
  for (const [argv, said] of [
    [['silences', 'add', '--severity', 'hihg', '--reason', 'x'], "there is no severity 'hihg' (did you mean 'high'?)"],
    [['silences', 'add', '--rule', 'eror_rate', '--reason', 'x'], "there is no rule 'eror_rate' (did you mean 'error_rate'?)"],
    [['exceptions', 'add', '--key', 'billing', '--rule', 'error_rate', '--up-to', '12', '--until', '7d', '--reason', 'x'], 'write --up-to 12%'],
    [['alerts', 'feedback', 'INC-1', 'flase'], "there is no verdict 'flase' (did you mean 'false'?)"],
  ] as const)
    expect(await run(...argv)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(said) });
  expect(asked.length).toBe(before);
  expect((await run('silences', 'add', '--key', 'bilings', '--reason', 'load test')).stdout).toContain('NO open alert matches it now');
  expect((await run('silences', 'add', '--key', 'billing', '--reason', 'load test')).stdout).toContain('1 open alert matches it now');
});
