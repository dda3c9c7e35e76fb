import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Evaluation, Finding } from '../../core/finding.ts';
import type { PartialRow } from '../../core/partial.ts';
import { type EntityId, REFUSED } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { createJudge } from '../../detectors/judge.ts';
import { ruleIds } from '../../detectors/registry.ts';
import { type EntitySeries, type RuleCase, credentials, numbers, readRuleTests, verdicts } from './scenario.ts';
import { T0, type Values, batch, cellsOf, directoryOf, segment } from './support.ts';

const FOLDER = join(import.meta.dirname, '../rules');
const files = readdirSync(FOLDER).map((name) => readRuleTests(join(FOLDER, name)));

test('every rule has tests as data', () => {
  expect(files.map(({ rule }) => rule).sort()).toEqual([...ruleIds].sort());
});

describe.each(files)('$rule', ({ rule, cases }) => {
  test.each(cases)('$name', (example) => run(rule, example));
});

function run(rule: string, example: RuleCase): void {
  const judge = createJudge({
    rules: [rule],
    directory: directoryOf({
      known: (example.known ?? {}) as Record<string, EntityId>,
      limits: (_rule, entity, defaults) => example.limits?.[entity] ?? defaults,
    }),
  });
  const watched = new Map(example.watched === undefined ? [] : [[example.watched.entity as EntityId, new Set([rule])]]);
  const all = Object.entries(example.series).map(([entity, series]) => ({ entity: entity as EntityId, values: valuesOf(series) }));
  const overflow = numbers(example.overflow ?? '_');
  const minutes = example.minutes ?? Math.max(overflow.length, ...all.map(({ values }) => values.length));
  const live: Evaluation[] = [];
  const closed: Evaluation[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    const rows = all.flatMap(({ entity, values }) => rowOf(minute, entity, values[minute]));
    const over = overflow[minute];
    const held = over === undefined ? [] : rowOf(minute, REFUSED, { requests: over });
    const now = startOf(T0 + minute + 1);
    live.push(...judge.observe(batch(rows, { held, next: minute + 1 }), now));
    closed.push(...judge.advance(now, watched).evaluations);
    for (const late of example.late?.filter(({ after }) => after === minute) ?? []) {
      const [values] = valuesOf(late.values);
      live.push(...judge.observe(batch(rowOf(late.at, late.entity as EntityId, values), { segment: segment(1000 + minute) }), now));
      closed.push(...judge.advance(now, watched).evaluations);
    }
  }
  const expected = example.expect.flatMap(({ until, ...finding }) =>
    Array.from({ length: (until ?? finding.at) - finding.at + 1 }, (_, index) => ({ ...finding, at: finding.at + index })),
  );
  expect(shown(closed, expected)).toEqual(expected);
  if (example.live !== undefined) expect(shown(live, example.live)).toEqual(example.live);
  if (example.watched !== undefined) {
    const mine = closed.filter(({ entity }) => entity === example.watched?.entity);
    expect(mine.map(({ verdict }) => verdict)).toEqual(verdicts(example.watched.verdicts));
  }
}

/** The findings with the fields that the expectation at the same place states. */
function shown(evaluations: readonly Evaluation[], expected: RuleCase['expect']): unknown[] {
  const findings = evaluations.flatMap(({ finding }) => finding ?? []);
  return findings.map((finding, index) => {
    const whole = { at: finding.window.end / 60_000 - 1 - T0, ...finding } as Finding & { at: number };
    const fields = Object.keys(expected[index] ?? { at: 0, entity: '', severity: '', observed: 0 });
    return Object.fromEntries(fields.map((field) => [field, whole[field as keyof Finding]]));
  });
}

function rowOf(minute: number, entity: EntityId, values: Values | undefined): PartialRow[] {
  return values === undefined ? [] : [{ window: T0 + minute, entity, cells: cellsOf(values) }];
}

/** A minute has a row when any of its series has a value there. */
function valuesOf({ attempted, ...series }: EntitySeries): (Values | undefined)[] {
  const fields = Object.entries(series).map(([name, text]) => ({ name, values: numbers(text ?? '_') }));
  const tried = attempted === undefined ? [] : credentials(attempted);
  const length = Math.max(tried.length, ...fields.map(({ values }) => values.length));
  return Array.from({ length }, (_, minute) => {
    const present = fields.filter(({ values }) => values[minute] !== undefined);
    const texts = tried[minute] ?? [];
    if (present.length === 0 && texts.length === 0) return undefined;
    const counters = Object.fromEntries(present.map(({ name, values }) => [name, values[minute] as number]));
    if (texts.length === 0) return counters;
    const counts = Object.fromEntries(texts.map((text) => [text, [1, 1] as const]));
    return { requests: texts.length, failedAuth: texts.length, s4xx: texts.length, s401: texts.length, ...counters, tallies: { attempted: counts } };
  });
}
