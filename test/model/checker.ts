/** Walks every state that the steps of a model lead to, and looks at each: what is wrong now, and what would be if everybody stopped here. */
import { COMMIT, type Model, type Step, assign, begin, canFlush, endOf, modesOf, nextWrites, read, stepsOf, write } from './chain-model.ts';
import { ChainState, ROWS, STARTS, WORKERS } from './chain-state.ts';

export type Checked = { readonly states: number; readonly violation: { readonly what: string; readonly steps: readonly string[] } | undefined };

/** `statesMax` guards the test's own time: reaching it is a failure, not a pass. */
export function check(model: Model, statesMax = 2_000_000): Checked {
  const first = ChainState.fresh(model.partitions);
  const seen = new Map<string, { readonly from: string; readonly step: string }>([[first.key, { from: '', step: '' }]]);
  const todo: ChainState[] = [first];
  const looked = new Set<string>();
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    const key = state.key;
    const what = wrongHere(model, state, looked);
    if (what !== undefined) return { states: seen.size, violation: { what, steps: pathTo(seen, key) } };
    for (const step of stepsOf(model, state)) {
      const wrong = wrongStep(model, state, step);
      if (wrong !== undefined) return { states: seen.size, violation: { what: wrong, steps: [...pathTo(seen, key), step.name] } };
      step.state.sort(model.partitions);
      const next = step.state.key;
      if (seen.has(next)) continue;
      seen.set(next, { from: key, step: step.name });
      todo.push(step.state);
    }
    if (seen.size > statesMax) throw new Error(`more than ${statesMax} states: the model is too large to be walked`);
  }
  return { states: seen.size, violation: undefined };
}

function pathTo(seen: ReadonlyMap<string, { readonly from: string; readonly step: string }>, key: string): readonly string[] {
  const steps: string[] = [];
  for (let at = seen.get(key); at !== undefined && at.step !== ''; at = seen.get(at.from)) steps.push(at.step);
  return steps.reverse();
}

/** Depends on what is shared only, and few states differ in that. */
function wrongHere(model: Model, state: ChainState, looked: Set<string>): string | undefined {
  for (let p = 0; p < model.partitions; p++) {
    const key = `${p} ${state.sharedKey(p)}`;
    if (looked.has(key)) continue;
    looked.add(key);
    const what = wrongIn(state, p) ?? wrongAfter(model, state, p);
    if (what !== undefined) return what;
  }
  return undefined;
}

/** At no moment is a record in two segments, or twice in one. */
function wrongIn(state: ChainState, p: number): string | undefined {
  for (let row = 0; row < ROWS; row++) {
    for (const [record, count] of countsOf(state, p, row, 'stored')) if (count > 1) return `p${p} record ${record} is counted ${count} times in row ${row}`;
  }
  return undefined;
}

/** A commit of ours mirrors the chain: the store has the segment's end, and the judge all of its rows. */
function wrongStep(model: Model, state: ChainState, { name, state: after }: Step): string | undefined {
  if (!name.endsWith(`write ${COMMIT}`)) return undefined;
  for (let p = 0; p < model.partitions; p++) {
    const committed = after.get(p, 'committed');
    if (committed === state.get(p, 'committed')) continue;
    const ends = [1, 2].flatMap((generation) => STARTS.flatMap((start) => state.head(p, generation, start) ?? []));
    if (!ends.some(({ next, isSealed }) => isSealed && next === committed)) return `p${p} commits ${committed}, where no segment has ended`;
  }
  return undefined;
}

/** Everybody dies here; one worker takes all, reads to the end and stops. */
function wrongAfter(model: Model, before: ChainState, p: number): string | undefined {
  const state = before.copy();
  for (let w = 0; w < WORKERS; w++) state.drop(w, p);
  const head = state.newest(p);
  const isNewLog = head !== undefined && head.era !== state.get(p, 'era');
  if (modesOf(model, state, p).length === 0) {
    if (!isNewLog) return `p${p} halts although its log is the one that the chain is of`;
    state.set(p, 'generation', 2);
  }
  for (const mode of modesOf(model, state, p)) {
    const end = state.copy();
    finish(model, end, p, mode);
    const what = wrongAtRest(model, end, p, wasNewLog(state, p));
    if (what !== undefined) return `${what}, read on by ${mode}`;
  }
  return undefined;
}

/** Generation 2 is of another log. */
function wasNewLog(state: ChainState, p: number): boolean {
  return state.get(p, 'era') === 1;
}

function finish(model: Model, state: ChainState, p: number, mode: 'fresh' | 'segment' | 'rows'): void {
  const deliver = (): void => {
    for (let bits = nextWrites(model, state, 0, p); bits.length > 0; bits = nextWrites(model, state, 0, p)) write(model, state, 0, p, bits[0] ?? 0);
  };
  assign(model, state, 0, p, mode);
  deliver();
  while (state.held(0, p, 'position') < endOf(model, state, p)) {
    read(model, state, 0, p);
    deliver();
  }
  if (canFlush(model, state, 0, p)) begin(model, state, 0, p, false);
  deliver();
}

/** Sums are the truth, and the judge knows what the store knows. */
function wrongAtRest(model: Model, state: ChainState, p: number, isNewLog: boolean): string | undefined {
  for (let row = 0; row < ROWS; row++) {
    for (const where of ['stored', 'told'] as const) {
      const counts = countsOf(state, p, row, where, isNewLog ? 2 : undefined);
      for (let record = 0; record < endOf(model, state, p); record++) {
        const want = row === 0 || record % 2 === 1 ? 1 : 0;
        const got = counts.get(record) ?? 0;
        if (got !== want) return `p${p} record ${record} is ${where} ${got} times in row ${row}, not ${want}`;
      }
    }
    for (const generation of [1, 2]) {
      for (const start of STARTS) {
        const stored = state.row(p, 'stored', { generation, start, row });
        if (stored.set !== state.row(p, 'told', { generation, start, row }).set)
          return `p${p} generation ${generation} segment ${start} row ${row} is stored and was not told`;
      }
    }
  }
  return undefined;
}

function countsOf(state: ChainState, p: number, row: number, where: 'stored' | 'told', only?: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  // Generation 2 of a log that was made anew has records of its own.
  const isApart = state.get(p, 'era') === 1;
  for (const generation of [1, 2]) {
    if (only !== undefined && generation !== only) continue;
    for (const start of STARTS) {
      const { set } = state.row(p, where, { generation, start, row });
      for (let record = 0; record < 7; record++) {
        const name = isApart && only === undefined ? generation * 10 + record : record;
        if ((set & (1 << record)) !== 0) counts.set(name, (counts.get(name) ?? 0) + 1 + ((set & 0x80) !== 0 ? 1 : 0));
      }
    }
  }
  return counts;
}
