import { encodeCells } from '../../core/cells.ts';
import { C, type CounterName, type Counters, emptyCounters } from '../../core/counters.ts';
import type { KeyDirectory, RuleLimits } from '../../core/directory.ts';
import type { Evaluation, Finding } from '../../core/finding.ts';
import { hashLanes, hashText } from '../../core/hash.ts';
import type { PartialBatch, PartialRow, SegmentRef } from '../../core/partial.ts';
import { type Dimension, Sketch } from '../../core/sketch/sketch.ts';
import { Tally, compareItems } from '../../core/sketch/tally.ts';
import { type EntityId, type Minute, entityId, entityName } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import type { Judge } from '../../detectors/judge.ts';

/** 2026-01-05T10:00Z, a full hour. */
export const T0: Minute = Date.UTC(2026, 0, 5, 10) / 60_000;

export type Values = Partial<Record<CounterName, number>> & {
  /** Value to count, or to [count, failed]. */
  readonly tallies?: Partial<Record<Dimension, Readonly<Record<string, number | readonly [number, number]>>>>;
};

export function countersOf(values: Values): Counters {
  const counters = emptyCounters();
  for (const name of Object.keys(C) as CounterName[]) if (values[name] !== undefined) counters[C[name]] = values[name];
  return counters;
}

export function sketchOf(values: Values): Sketch {
  const sketch = new Sketch();
  for (const [dimension, parts] of Object.entries(values.tallies ?? {})) {
    const items = Object.entries(parts).map(([text, amount]) => {
      const [count, failed] = typeof amount === 'number' ? [amount, 0] : amount;
      hashText(text);
      return { hi: hashLanes.hi, lo: hashLanes.lo, text, count, failed, over: 0 };
    });
    // Merging one by one gives an estimate where there are more than 32.
    const tally = new Tally();
    for (const item of items.sort(compareItems)) tally.merge(new Tally([item]));
    sketch.tallies.set(dimension as Dimension, tally);
  }
  return sketch;
}

export function cellsOf(values: Values): Uint8Array {
  return encodeCells(countersOf(values), sketchOf(values));
}

export function row(window: Minute, entity: EntityId, values: Values): PartialRow {
  return { window, entity, cells: cellsOf(values) };
}

export function segment(start = 0, source = 1): SegmentRef {
  return { source, partition: 0, generation: 0, start };
}

export function batch(rows: readonly PartialRow[], more: Partial<PartialBatch> = {}): PartialBatch {
  return {
    segment: segment(),
    next: 1,
    isSealed: false,
    rows,
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: rows.length,
    newest: 0,
    ...more,
  };
}

export const key = (name: string): EntityId => entityId('key', name);
export const client = (name: string): EntityId => entityId('client', name);
export const network = (name: string): EntityId => entityId('network', name);

export type DirectoryFacts = {
  readonly canonical?: Readonly<Record<string, EntityId>>;
  readonly known?: Readonly<Record<string, EntityId>>;
  readonly limits?: (rule: string, entity: EntityId, defaults: RuleLimits) => RuleLimits;
};

/** A directory of what the test says and nothing else. */
export function directoryOf(facts: DirectoryFacts = {}): KeyDirectory {
  return {
    canonical: (entity) => facts.canonical?.[entity] ?? entity,
    label: (entity) => (entity.startsWith('key:') ? `key ${entityName(entity).slice(0, 8)}` : entityName(entity)),
    known: (fingerprint) => facts.known?.[fingerprint],
    limits: (rule, entity, defaults) => facts.limits?.(rule, entity, defaults) ?? defaults,
  };
}

export const NOBODY: ReadonlyMap<EntityId, ReadonlySet<string>> = new Map();

/** Well after every window in use. */
export const LATER = startOf(T0 + 100_000);

export const NET: EntityId = network('203.0.113.0/24');

export function findings(evaluations: readonly Evaluation[]): Finding[] {
  return evaluations.flatMap(({ finding }) => finding ?? []);
}

export function closeAll(judge: Judge): Finding[] {
  return findings(judge.advance(LATER, NOBODY).evaluations);
}

/** Credentials that failed from a network, with how often. */
export function tried(counts: Readonly<Record<string, number>>): Values {
  const failed = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const attempted = Object.fromEntries(Object.entries(counts).map(([text, count]) => [text, [count, count] as const]));
  return { requests: failed, s4xx: failed, s401: failed, failedAuth: failed, tallies: { attempted } };
}
