/** What a broker answered for one partition, with the record batches as they lie in its log. */
export type FetchedPartition = {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  /** -1 from brokers before 1.0. */
  readonly logStart: number;
  readonly records: Buffer;
};

export const OFFSET_OUT_OF_RANGE = 1;

/** The answer to a Fetch request of version 4 to 11, undecoded: the client's own decoder shows no checksum. */
export function decodeFetch(payload: Buffer, version: number): readonly FetchedPartition[] {
  let at = version >= 7 ? 10 : 4;
  const int16 = (): number => payload.readInt16BE((at += 2) - 2);
  const int32 = (): number => payload.readInt32BE((at += 4) - 4);
  const int64 = (): number => Number(payload.readBigInt64BE((at += 8) - 8));
  const found: FetchedPartition[] = [];
  for (let topics = int32(); topics > 0; topics--) {
    const length = int16();
    const topic = payload.toString('utf8', at, (at += length));
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32();
      const errorCode = int16();
      const highWatermark = int64();
      int64(); // last stable offset
      const logStart = version >= 5 ? int64() : -1;
      for (let aborted = int32(); aborted > 0; aborted--) at += 16;
      if (version >= 11) int32(); // preferred read replica
      const size = Math.max(0, int32());
      found.push({ topic, partition, errorCode, highWatermark, logStart, records: payload.subarray(at, (at += size)) });
    }
  }
  return found;
}
