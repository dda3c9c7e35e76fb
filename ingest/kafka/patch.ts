import { createRequire } from 'node:module';
import type * as KafkaJs from 'kafkajs';

/** Which decoder is in use: `raw` delivers whole record batches, `stock` single messages as kafkajs decodes them. `why` is one line. */
export type PatchResult = { readonly hook: 'raw' | 'stock'; readonly why?: string };

const load = createRequire(import.meta.url);

/** The module itself. Everything that uses kafkajs takes it from here, so that it is patched first. */
export function kafkajs(): typeof KafkaJs {
  patchKafkajs();
  return load('kafkajs') as typeof KafkaJs;
}

let result: PatchResult | undefined;

export function patchKafkajs(): PatchResult {
  result ??= { hook: 'stock', why: 'the raw-batch hook is not built yet' };
  return result;
}
