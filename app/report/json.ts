import type { Writable } from 'node:stream';
import { OK, type Outcome, failed } from '../../core/types.ts';
import { alertJson } from '../json/alert.ts';
import { compareKeys, keyJson, statusJson } from '../json/key.ts';
import { stringify } from '../json/stringify.ts';
import { isoTime } from '../json/time.ts';
import type { AnalyzeReport, ReportKey, ReportKeys } from './report.ts';
import type { AnalyzeJson } from './schema.ts';

/** About how much text is handed over at once. */
export const CHUNK_CHARS = 64 * 1024;

/**
 * `analyze --json` as text in chunks: one object, each key and alert on a line of its own, so that it can be
 * searched and compared line by line. Only one chunk is held, however many keys there are.
 */
export function* analyzeJsonChunks(report: AnalyzeReport): Generator<string> {
  yield* inChunks(pieces(report));
}

function* pieces(report: AnalyzeReport): Generator<string> {
  const head = stringify(headJson(report));
  yield `${head.slice(0, -1)},\n"keys":[`;
  yield* listPieces(inOrder(report.keys), keyJson);
  yield '],\n"alerts":[';
  yield* listPieces(report.alerts, alertJson);
  yield '],\n';
  yield `${stringify(tailJson(report)).slice(1)}\n`;
}

function headJson(report: AnalyzeReport): Pick<AnalyzeJson, 'keywatch' | 'source' | 'formats' | 'range' | 'totals'> {
  const { source, totals } = report;
  return {
    keywatch: report.version,
    source: { files: source.files, bytes: source.bytes, records: source.records },
    formats: { ...report.formats },
    range: { from: isoTime(report.range?.from), to: isoTime(report.range?.to) },
    totals: {
      events: totals.events,
      dropped: totals.dropped,
      rejected: totals.rejected,
      requests: totals.requests,
      status: statusJson(totals.status),
      errors: totals.errors,
      failedAuth: totals.failedAuth,
      bytesIn: totals.bytesIn,
      bytesOut: totals.bytesOut,
    },
  };
}

function tailJson(report: AnalyzeReport): Pick<AnalyzeJson, 'rejects' | 'coverage'> {
  return {
    rejects: report.rejects.map((reject) => ({
      reason: reject.reason,
      count: reject.count,
      first: { source: reject.first.source, position: reject.first.position },
    })),
    coverage: report.coverage.map((covered) => ({ source: covered.source, blind: [...covered.blind] })),
  };
}

function* listPieces<T>(items: Iterable<T>, toJson: (item: T) => unknown): Generator<string> {
  let isFirst = true;
  for (const item of items) {
    yield `${isFirst ? '\n' : ',\n'}${stringify(toJson(item))}`;
    isFirst = false;
  }
  if (!isFirst) yield '\n';
}

/** Sorting a lazy list here would hold all of it: who fills the report sorts, and a slip shows at once. */
function* inOrder(keys: ReportKeys): Generator<ReportKey> {
  let before: ReportKey | undefined;
  for (const key of keys) {
    if (before !== undefined && compareKeys(before, key) > 0)
      throw new Error(`BUG: the keys of the report are not sorted: ${stringify(before.id)} before ${stringify(key.id)}`);
    before = key;
    yield key;
  }
}

function* inChunks(parts: Iterable<string>): Generator<string> {
  let held: string[] = [];
  let chars = 0;
  for (const part of parts) {
    held.push(part);
    chars += part.length;
    if (chars < CHUNK_CHARS) continue;
    yield held.join('');
    held = [];
    chars = 0;
  }
  if (chars > 0) yield held.join('');
}

/** Writes chunk by chunk, each one only after the sink took the one before. A closed pipe (`| head`) ends it early and is no failure. */
export async function writeChunks(chunks: Iterable<string>, sink: Writable): Promise<Outcome> {
  // A stream also emits what it tells the callback; unheard, that would end the process.
  const heard = (): void => undefined;
  sink.on('error', heard);
  for (const chunk of chunks) {
    const error = await new Promise<Error | null | undefined>((resolve) => {
      sink.write(chunk, resolve);
    });
    if (error === null || error === undefined) continue;
    return 'code' in error && error.code === 'EPIPE' ? OK : failed(`cannot write the report: ${error.message}`, false);
  }
  sink.off('error', heard);
  return OK;
}
