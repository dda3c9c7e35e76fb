/**
 * The protocol of exactly-once as steps on a state (protocol.md, brief of `ingest/`): what a worker may do at any moment,
 * one single write at a time, and what may happen to it. The rule that ends segments is the real one.
 */
import { endsBefore, spanOf } from '../../ingest/segment/chain.ts';
import { type ChainState, ROWS, WORKERS } from './chain-state.ts';

/** What a careless implementation leaves out; the checker must find each. */
export type Flaw =
  | 'no gates'
  | 'no opening head'
  | 'end before judge'
  | 'not told again'
  | 'commit first'
  | 'head before rows'
  | 'position from commit'
  | 'older generation left open';

/** Retention takes a record; somebody else commits; the topic is made anew; an operator begins a new generation. */
export type WorldStep = 'retention' | 'foreign commit' | 'new log' | 'new generation';

export type Model = {
  readonly partitions: number;
  /** By partition: second of each record, of the first log and of the one that may take its place. */
  readonly records: readonly (readonly [readonly number[], readonly number[]])[];
  readonly flaw?: Flaw | undefined;
  /** What may happen beside reading, writing, taking over and dying. */
  readonly world: readonly WorldStep[];
};

/** What is left to do of a batch, as bits: in this order, the two rows in any. */
export const OPEN = 1;
export const ROW0 = 2;
export const ROW1 = 4;
export const HEAD = 8;
export const TELL = 16;
export const END = 32;
export const COMMIT = 64;

const BASE = Date.UTC(2026, 0, 5);

export type Step = { readonly name: string; readonly state: ChainState };

/** Every step that can be next. */
export function stepsOf(model: Model, state: ChainState): Step[] {
  const steps: Step[] = [];
  const add = (name: string, change: (next: ChainState) => void): void => {
    const next = state.copy();
    change(next);
    steps.push({ name, state: next });
  };
  for (let p = 0; p < model.partitions; p++) {
    for (let w = 0; w < WORKERS; w++) workerSteps(model, state, w, p, add);
    worldSteps(model, state, p, add);
  }
  for (let w = 0; w < WORKERS; w++) {
    if (!ownsAny(model, state, w)) continue;
    add(`w${w} dies`, (next) => {
      for (let p = 0; p < model.partitions; p++) next.drop(w, p);
    });
  }
  return steps;
}

type Add = (name: string, change: (next: ChainState) => void) => void;

function workerSteps(model: Model, state: ChainState, w: number, p: number, add: Add): void {
  const isOn = state.held(w, p, 'isOn') === 1;
  // Whoever had it before is not told: it goes on as a zombie until it dies.
  if (!isOn) {
    for (const mode of modesOf(model, state, p)) add(`w${w} is assigned p${p} ${mode}`, (next) => assign(model, next, w, p, mode));
    return;
  }
  if (canRead(model, state, w, p)) add(`w${w} reads p${p} ${state.held(w, p, 'position')}`, (next) => read(model, next, w, p));
  if (canFlush(model, state, w, p)) add(`w${w} flushes p${p}`, (next) => begin(model, next, w, p, false));
  for (const bit of nextWrites(model, state, w, p)) add(`w${w} p${p} write ${bit}`, (next) => write(model, next, w, p, bit));
}

function worldSteps(model: Model, state: ChainState, p: number, add: Add): void {
  const may = (step: WorldStep): boolean => model.world.includes(step);
  const logStart = state.get(p, 'logStart');
  const head = state.newest(p);
  // What is not stored is outside the promise when retention takes it: then everybody stops.
  if (may('retention') && head !== undefined && head.era === state.get(p, 'era') && logStart < head.next)
    add(`retention p${p}`, (next) => next.set(p, 'logStart', logStart + 1));
  if (may('foreign commit') && state.get(p, 'isForeign') === 0) {
    add(`a stranger commits p${p}`, (next) => {
      next.set(p, 'isForeign', 1);
      next.set(p, 'committed', 1);
    });
  }
  if (may('new log') && state.get(p, 'era') === 0 && state.get(p, 'generation') === 1 && head !== undefined) {
    add(`p${p} is made anew`, (next) => {
      next.set(p, 'era', 1);
      next.set(p, 'logStart', 0);
    });
  }
  if (may('new generation') && state.get(p, 'generation') === 1 && isEmpty(state, p)) add(`a new generation of p${p}`, (next) => next.set(p, 'generation', 2));
}

function ownsAny(model: Model, state: ChainState, w: number): boolean {
  for (let p = 0; p < model.partitions; p++) if (state.held(w, p, 'isOn') === 1) return true;
  return false;
}

export function isEmpty(state: ChainState, p: number): boolean {
  for (let w = 0; w < WORKERS; w++) if (state.held(w, p, 'isOn') === 1) return false;
  return true;
}

function recordsOf(model: Model, p: number, era: number): readonly number[] {
  return model.records[p]?.[era === 0 ? 0 : 1] ?? [];
}

export function endOf(model: Model, state: ChainState, p: number): number {
  return recordsOf(model, p, state.get(p, 'era')).length;
}

/** How counting can go on; none where it must halt. */
export function modesOf(model: Model, state: ChainState, p: number): readonly ('fresh' | 'segment' | 'rows')[] {
  const head = state.newest(p);
  const generation = state.get(p, 'generation');
  if (head === undefined) return ['fresh'];
  if (head.generation < generation) return ['fresh'];
  // Another log than the one that the chain is of: halt until an operator says what it is.
  if (head.era !== state.get(p, 'era')) return [];
  if (model.flaw === 'position from commit') return ['fresh'];
  if (head.isSealed) return ['fresh'];
  return head.start >= state.get(p, 'logStart') ? ['segment', 'rows'] : ['rows'];
}

export function assign(model: Model, state: ChainState, w: number, p: number, mode: 'fresh' | 'segment' | 'rows'): void {
  const head = state.newest(p);
  const era = state.get(p, 'era');
  const generation = state.get(p, 'generation');
  state.hold(w, p, { isOn: 1, era, generation, start: 0, isBegun: 0, closesAt: 255 });
  if (mode === 'fresh') {
    const isNewLog = head !== undefined && head.era !== era;
    const from = model.flaw === 'position from commit' ? state.get(p, 'committed') : head === undefined || isNewLog ? state.get(p, 'logStart') : head.next;
    state.hold(w, p, { position: from, flushed: from, quietUntil: from });
    if (head !== undefined && !head.isSealed && head.generation < generation && model.flaw !== 'older generation left open')
      closeOlder(model, state, w, p, isNewLog);
    return;
  }
  if (head === undefined) throw new Error('BUG: nothing to go on with');
  state.hold(w, p, { isBegun: 1, start: head.start, quietUntil: head.next, segmentEra: head.era });
  if (mode === 'segment') state.hold(w, p, { position: head.start, flushed: head.start });
  else restore(model, state, w, p);
}

/** Goes on with the stored rows, each from its own place on; the judge is told of them first. */
function restore(model: Model, state: ChainState, w: number, p: number): void {
  const head = state.newest(p);
  if (head === undefined) throw new Error('BUG: nothing to go on with');
  const { generation, start, next } = head;
  let horizon = next;
  const fields = { position: next, flushed: next, isBegun: 1, start, generation, segmentEra: head.era };
  const sets = [0, 0];
  const gates = [0, 0];
  for (let row = 0; row < ROWS; row++) {
    const stored = state.row(p, 'stored', { generation, start, row });
    sets[row] = stored.set;
    gates[row] = model.flaw === 'no gates' ? 0 : Math.max(0, stored.version);
    horizon = Math.max(horizon, stored.version);
    if (stored.version >= 0 && model.flaw !== 'not told again')
      state.putRow(p, 'told', { generation, start, row }, { ...stored, version: Math.max(stored.version, next) });
  }
  state.hold(w, p, { ...fields, set0: sets[0] ?? 0, set1: sets[1] ?? 0, gate0: gates[0] ?? 0, gate1: gates[1] ?? 0, quietUntil: horizon });
}

/** A segment of an older generation is read up to where the store is ahead of it, and then ends. */
function closeOlder(model: Model, state: ChainState, w: number, p: number, isNewLog: boolean): void {
  const from = state.held(w, p, 'position');
  restore(model, state, w, p);
  const horizon = state.held(w, p, 'quietUntil');
  if (!isNewLog && horizon > from) {
    state.hold(w, p, { closesAt: horizon });
    return;
  }
  state.hold(w, p, { position: horizon });
  begin(model, state, w, p, true);
  next(state, w, p, from);
}

function canRead(model: Model, state: ChainState, w: number, p: number): boolean {
  const position = state.held(w, p, 'position');
  // It notices that the log is another one, or that the record is gone, and asks the chain again.
  if (state.held(w, p, 'era') !== state.get(p, 'era') || position >= endOf(model, state, p) || position < state.get(p, 'logStart')) return false;
  // The end of a segment waits for the batch before it.
  return !(cuts(model, state, w, p) && state.held(w, p, 'todo') !== 0);
}

function cuts(model: Model, state: ChainState, w: number, p: number): boolean {
  if (state.held(w, p, 'isBegun') === 0) return false;
  const position = state.held(w, p, 'position');
  const closesAt = state.held(w, p, 'closesAt');
  if (closesAt !== 255) return position >= closesAt;
  const start = state.held(w, p, 'start');
  const records = recordsOf(model, p, state.held(w, p, 'era'));
  const at = (offset: number): number => BASE + (records[offset] ?? 0) * 1000;
  return endsBefore(spanOf({ at: at(start), isPacked: false, clock: 'append', crc: 0 }), start, { offset: position, at: at(position) });
}

export function read(model: Model, state: ChainState, w: number, p: number): void {
  if (cuts(model, state, w, p)) {
    begin(model, state, w, p, true);
    next(state, w, p, state.held(w, p, 'position'));
  }
  const position = state.held(w, p, 'position');
  if (state.held(w, p, 'isBegun') === 0) state.hold(w, p, { isBegun: 1, start: position, segmentEra: state.held(w, p, 'era') });
  let dirty = state.held(w, p, 'dirty');
  for (let row = 0; row < ROWS; row++) {
    if (row === 1 && position % 2 === 0) continue;
    if (position < state.held(w, p, row === 0 ? 'gate0' : 'gate1')) continue;
    const field = row === 0 ? 'set0' : 'set1';
    state.hold(w, p, { [field]: add(state.held(w, p, field), position) });
    dirty |= 1 << row;
  }
  state.hold(w, p, { dirty, position: position + 1 });
}

/** A record that is counted twice in one row shows: the highest bit. */
function add(set: number, record: number): number {
  return (set & (1 << record)) !== 0 ? set | 0x80 : set | (1 << record);
}

function next(state: ChainState, w: number, p: number, from: number): void {
  state.hold(w, p, {
    generation: state.get(p, 'generation'),
    isBegun: 0,
    start: 0,
    set0: 0,
    set1: 0,
    gate0: 0,
    gate1: 0,
    dirty: 0,
    closesAt: 255,
    position: from,
    flushed: from,
    quietUntil: 0,
  });
}

export function canFlush(_model: Model, state: ChainState, w: number, p: number): boolean {
  const position = state.held(w, p, 'position');
  return state.held(w, p, 'todo') === 0 && position > state.held(w, p, 'flushed') && position >= state.held(w, p, 'quietUntil');
}

/** A batch of what changed is made. */
export function begin(model: Model, state: ChainState, w: number, p: number, isSealed: boolean): void {
  const dirty = state.held(w, p, 'dirty');
  const generation = state.held(w, p, 'generation');
  const start = state.held(w, p, 'start');
  const isOpened = state.held(w, p, 'opened') === generation * 16 + start + 1 || model.flaw === 'no opening head';
  const todo = (isOpened ? 0 : OPEN) | ((dirty & 1) !== 0 ? ROW0 : 0) | ((dirty & 2) !== 0 ? ROW1 : 0) | HEAD | TELL | (isSealed ? END | COMMIT : 0);
  state.hold(w, p, {
    todo,
    batchGeneration: generation,
    batchStart: start,
    batchEra: state.held(w, p, 'segmentEra'),
    batchNext: state.held(w, p, 'position'),
    batchSet0: state.held(w, p, 'set0'),
    batchSet1: state.held(w, p, 'set1'),
    batchRows: dirty,
    batchIsSealed: isSealed ? 1 : 0,
    dirty: 0,
    flushed: state.held(w, p, 'position'),
    opened: generation * 16 + start + 1,
  });
}

/** The single writes of a batch that can be next: one is acknowledged before the next, but for those of rows. */
export function nextWrites(model: Model, state: ChainState, w: number, p: number): readonly number[] {
  const todo = state.held(w, p, 'todo');
  if (todo === 0) return [];
  if (model.flaw === 'commit first' && (todo & COMMIT) !== 0) return [COMMIT];
  if (model.flaw === 'head before rows' && (todo & HEAD) !== 0) return [HEAD];
  if ((todo & OPEN) !== 0) return [OPEN];
  const rows = [ROW0, ROW1].filter((bit) => (todo & bit) !== 0);
  if (rows.length > 0) return rows;
  return [[HEAD, TELL, END, COMMIT].find((bit) => (todo & bit) !== 0) ?? COMMIT];
}

export function write(model: Model, state: ChainState, w: number, p: number, bit: number): void {
  const generation = state.held(w, p, 'batchGeneration');
  const start = state.held(w, p, 'batchStart');
  const version = state.held(w, p, 'batchNext');
  const rows = state.held(w, p, 'batchRows');
  const era = state.held(w, p, 'batchEra');
  const isSealed = state.held(w, p, 'batchIsSealed') === 1;
  const set = (row: number): number => state.held(w, p, row === 0 ? 'batchSet0' : 'batchSet1');
  switch (bit) {
    case OPEN:
      state.putHead(p, generation, start, { next: start, isSealed: false, era });
      break;
    case ROW0:
    case ROW1: {
      const row = bit === ROW0 ? 0 : 1;
      state.putRow(p, 'stored', { generation, start, row }, { version, set: set(row) });
      break;
    }
    case HEAD:
      state.putHead(p, generation, start, { next: version, isSealed: isSealed && model.flaw === 'end before judge', era });
      break;
    case TELL:
      for (let row = 0; row < ROWS; row++) if ((rows & (1 << row)) !== 0) state.putRow(p, 'told', { generation, start, row }, { version, set: set(row) });
      break;
    case END:
      state.putHead(p, generation, start, { next: version, isSealed: true, era });
      break;
    case COMMIT:
      state.set(p, 'committed', version);
      break;
  }
  state.hold(w, p, { todo: state.held(w, p, 'todo') & ~bit });
}
