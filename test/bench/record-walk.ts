/** A rough guide: `node test/bench/record-walk.ts`. Nanoseconds per record of what stands in front of the parser. */
import { crc32c } from '../../ingest/kafka/crc32c.ts';
import { batchSize, parseBatch } from '../../ingest/kafka/record-batch.ts';
import { RecordWalk } from '../../ingest/kafka/record-walk.ts';
import { encodeRecordBatch } from '../support/record-batch.ts';

const RECORDS = 2_000;
const VALUE_BYTES = 154;
const ROUNDS = 1_000;
const REPEATS = 5;

const line = `{"ts":"2026-11-24T16:00:00.000Z","method":"GET","uri":"/v1/orders/12345","status":200,"latency_ms":12,"ip":"203.0.113.9","key":"kf1_0123456789abcdef"}`;
const records = Array.from({ length: RECORDS }, (_, index) => ({
  value: Buffer.from(line.padEnd(VALUE_BYTES).slice(0, VALUE_BYTES - 8) + String(index * 7919).padStart(8)),
  timeDelta: index,
}));

function best(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = process.hrtime.bigint();
    for (let round = 0; round < ROUNDS; round++) run();
    least = Math.min(least, Number(process.hrtime.bigint() - started) / (ROUNDS * RECORDS));
  }
  return least;
}

const print = (name: string, ns: number): void => void process.stdout.write(`${name.padEnd(28)} ${ns.toFixed(1).padStart(7)} ns/record\n`);

for (const [name, compression] of Object.entries({ none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 })) {
  const batch = encodeRecordBatch(records, { compression });
  const walk = new RecordWalk();
  const header = parseBatch(batch, 0, batchSize(batch) as number);
  if ('damage' in header) throw new Error(header.damage);
  if (compression === 0)
    print(
      'checksum',
      best(() => crc32c(batch)),
    );
  print(
    `walk, ${name}`,
    best(() => {
      const damage = walk.walk(header, batch, 0);
      if (damage !== undefined || walk.count !== RECORDS) throw new Error('BUG: the walk failed');
    }),
  );
}
