import { createRequire } from 'node:module';
import type * as KafkaJs from 'kafkajs';
import { COMPRESSION, compress, decompress } from './codecs.ts';
import { type DecoderChoice, patchFetch } from './patch-fetch.ts';
import { patchReceive } from './patch-receive.ts';
import { selfTest } from './patch-self-test.ts';

/** Which decoder is in use: `raw` delivers whole record batches, `stock` single messages as kafkajs decodes them. `why` is one line. */
export type PatchResult = { readonly hook: 'raw' | 'stock'; readonly why?: string };

/** The patches reach into the source of this version; nothing newer is expected, kafkajs is no longer developed. */
const PATCHED_VERSION = '2.2.4';

const load = createRequire(import.meta.url);
const choice: DecoderChoice = { hook: 'stock' };
let result: PatchResult | undefined;

/** The module, patched. Everything that needs more of kafkajs than its types takes it from here. */
export function kafkajs(): typeof KafkaJs {
  patchKafkajs();
  return load('kafkajs') as typeof KafkaJs;
}

/**
 * Adds the codecs that kafkajs lacks, and mends it where it burns the processor and where it leaks aborted records.
 * Puts the raw-batch hook in place of its decoder, when that passes its self-test. For the whole process, once: later calls only tell what was decided.
 */
export function patchKafkajs(): PatchResult {
  result ??= patch();
  return result;
}

/** For tests: which decoder runs from now on in this process. Returns the one that ran before. */
export function chooseDecoder(hook: 'raw' | 'stock'): 'raw' | 'stock' {
  patchKafkajs();
  const before = choice.hook;
  choice.hook = hook;
  return before;
}

function patch(): PatchResult {
  const module = load('kafkajs') as typeof KafkaJs;
  registerCodecs(module);
  const { version } = load('kafkajs/package.json') as { readonly version: string };
  if (version !== PATCHED_VERSION) return { hook: 'stock', why: `kafkajs is ${version}, our patches are for ${PATCHED_VERSION}` };
  patchRequestQueue();
  patchReceive(load);
  patchFetch(load, { choice, refuse: (why) => new module.KafkaJSNonRetriableError(why) });
  const fault = selfTest(load);
  if (fault !== undefined) return { hook: 'stock', why: `the self-test of the raw-batch hook failed: ${fault}` };
  choice.hook = 'raw';
  return { hook: 'raw' };
}

/** kafkajs calls them for what it decodes itself, and for what a producer sends. A fault there is final: the same bytes come again. */
function registerCodecs({ CompressionCodecs, KafkaJSNonRetriableError }: typeof KafkaJs): void {
  for (const type of [COMPRESSION.gzip, COMPRESSION.snappy, COMPRESSION.lz4, COMPRESSION.zstd]) {
    const codec = {
      compress: async (encoder: { readonly buffer: Buffer }): Promise<Uint8Array> => compress(type, encoder.buffer),
      decompress: async (bytes: Buffer): Promise<Uint8Array> => {
        const records = decompress(type, bytes);
        if (records instanceof Uint8Array) return records;
        throw new KafkaJSNonRetriableError(`a record batch cannot be read: ${records.damage}`);
      },
    };
    CompressionCodecs[type] = () => codec;
  }
}

/**
 * The queue of every connection looks for waiting requests once a millisecond, for ever: an idle consumer costs 3 to 6 % of a core, and
 * Node 24 complains about the negative delay. `push` calls this again when there is something to wait for.
 */
function patchRequestQueue(): void {
  type Queue = { readonly prototype: { readonly pending: readonly unknown[]; scheduleCheckPendingRequests: () => void } };
  const { prototype } = load('kafkajs/src/network/requestQueue') as Queue;
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleWhenPending(this: Queue['prototype']): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
