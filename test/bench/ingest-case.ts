/**
 * One bench case in a process of its own, so that memory and CPU are its own. Prints one JSON line.
 * node test/bench/ingest-case.ts <parse|store> <file> <none|window> [threads] [scan|json]
 */
import { setFlagsFromString } from 'node:v8';
import { mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { DEFAULT_LIMITS } from '../../ingest/ingest-options.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { detectFormat } from '../../ingest/parse/detect.ts';
import type { Format } from '../../ingest/parse/format.ts';
import { KEY_NAMES } from '../../ingest/parse/key-names.ts';
import { Normaliser } from '../../ingest/parse/normaliser.ts';
import { PRIVATE_RANGES } from '../../ingest/parse/address.ts';
import { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { Pump } from '../../ingest/pump.ts';
import { expandInputs } from '../../ingest/source/expand.ts';
import { fileOnce } from '../../ingest/source/file-once.ts';
import { readRange } from '../../ingest/source/read-range.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import { Secret } from '../../core/secret.ts';
import { quietBus } from '../support/bus.ts';

const PEPPER = Buffer.alloc(32, 7).toString('base64');
const [kind = '', path = '', sketches = 'window', threadsText = '1', way = 'scan'] = process.argv.slice(2);
const threads = Number(threadsText);
const normaliser = (): Normaliser => new Normaliser({ fingerprinter: new Fingerprinter(new Secret(PEPPER)) });

type Result = { events: number; rows: number; cellBytes: number };

/** The bare loop that everything is compared with: read, cut at line ends, JSON.parse. */
function bareJsonParse(): Result {
  const descriptor = openSync(path, 'r');
  const buffer = Buffer.allocUnsafe((1 << 18) + (1 << 16));
  let carry = 0;
  let events = 0;
  for (;;) {
    const length = readSync(descriptor, buffer, carry, 1 << 18, null);
    if (length === 0) break;
    const end = carry + length;
    let from = 0;
    for (let feed = buffer.indexOf(10, from); feed >= 0 && feed < end; feed = buffer.indexOf(10, from)) {
      const record = JSON.parse(buffer.toString('latin1', from, feed)) as { status?: number };
      if (record.status !== undefined) events++;
      from = feed + 1;
    }
    buffer.copyWithin(0, from, end);
    carry = end - from;
  }
  return { events, rows: 0, cellBytes: 0 };
}

function formatOfFile(): Format {
  const head = Buffer.alloc(1 << 16);
  const length = readSync(openSync(path, 'r'), head, 0, head.length, 0);
  const found = detectFormat(head.subarray(0, length));
  if (found.format === undefined) throw new Error(found.why);
  return way === 'scan' ? found.format : { ...found.format, scan: () => -1 };
}

async function viaStore(): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'keywatch-bench-'));
  const result: Result = { events: 0, rows: 0, cellBytes: 0 };
  const count = (batch: PartialBatch): void => {
    const rejected = Object.values(batch.rejects).reduce((sum, reject) => sum + reject.count, 0);
    if (batch.isSealed) result.events += batch.records - rejected;
    result.rows += batch.rows.length;
    for (const row of batch.rows) result.cellBytes += row.cells.length;
  };
  try {
    await using store = await openMetricStore({ directory });
    if (threads > 1) {
      await using pool = new CellPool(threads, { pepper: PEPPER, keyNames: KEY_NAMES, keyBy: 'auto', trustedProxies: PRIVATE_RANGES, forwardedDepth: 0 });
      const { inputs } = await expandInputs([path]);
      const pump = new Pump(
        { segmentBytes: SEGMENT_BYTES, detect: {}, limits: DEFAULT_LIMITS, flushMs: 1e9, normaliser },
        {
          source: fileOnce({ inputs, segmentBytes: SEGMENT_BYTES }, { newId: () => 'bench' }),
          store,
          bus: quietBus(count),
          clock: systemClock,
          onProblem: (message) => {
            throw new Error(message);
          },
          origin: 'bench',
          pool,
        },
      );
      await pump.run(new AbortController().signal);
      return result;
    }
    const source = await store.source('bench');
    const ingest = new PartitionIngest({
      source,
      partition: 0,
      generation: 1,
      segmentBytes: SEGMENT_BYTES,
      format: formatOfFile(),
      normaliser: normaliser(),
      sketches: sketches === 'none' ? 'none' : 'window',
    });
    const put = async (batches: readonly PartialBatch[]): Promise<void> => {
      for (const batch of batches) {
        if (kind === 'store') {
          const outcome = await store.put(batch);
          if (!outcome.ok) throw new Error(outcome.reason);
        }
        count(batch);
      }
    };
    for (const event of readRange(path, 0, Number.MAX_SAFE_INTEGER, { segmentBytes: SEGMENT_BYTES })) {
      if (event.kind === 'block') ingest.block(event.bytes, event.offset);
      await put(ingest.takeSealed());
    }
    await put(ingest.finish());
    return result;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// As `keywatch run` sets it.
if (kind === 'store' && threads < 2) setFlagsFromString('--optimize-for-size');
const started = performance.now();
const before = process.cpuUsage();
const result = kind === 'bare' ? bareJsonParse() : await viaStore();
const ms = performance.now() - started;
const cpu = process.cpuUsage(before);
process.stdout.write(
  `${JSON.stringify({ ...result, seconds: ms / 1000, cpuSeconds: (cpu.user + cpu.system) / 1e6, eventsPerSecond: result.events / (ms / 1000), rssMb: process.resourceUsage().maxRSS / 1024 })}\n`,
);
