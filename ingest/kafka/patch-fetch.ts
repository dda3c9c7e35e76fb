import { type AbortedTransaction, type FetchedMessage, hideAborted } from './patch-aborted.ts';
import { type Refuse, decodeBatches, limitDamaged } from './patch-raw.ts';

/** What the answer to a fetch looks like inside kafkajs. */
export type FetchAnswer = { readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[] };
export type FetchedPartition = {
  readonly partition: number;
  readonly highWatermark: string;
  abortedTransactions: readonly AbortedTransaction[] | null;
  messages: readonly FetchedMessage[];
};
/** kafkajs' reader of an answer, as far as we use it. */
type Decoder = { readInt32(): number; canReadBytes(count: number): boolean; readBytes(count: number): Buffer };
type DecodeMessages = (decoder: Decoder) => Promise<FetchedMessage[]>;
type ResponseModule = { decode: (payload: Buffer) => Promise<FetchAnswer> };

/** The versions of the fetch answer that carry record batches. */
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];

/** Which decoder runs: a setting of the process, looked at for every answer. */
export type DecoderChoice = { hook: 'raw' | 'stock' };

/**
 * Puts our decoder in place of kafkajs' own, and our filter behind it, for every version of the fetch answer. kafkajs looks these modules up
 * anew for each request, so it does not matter whether it was loaded before.
 */
export function patchFetch(load: NodeJS.Require, deps: { readonly choice: DecoderChoice; readonly refuse: Refuse }): void {
  const path = (name: string): string => load.resolve(`kafkajs/src/protocol/requests/fetch/${name}`);
  const decoderPath = path('v4/decodeMessages');
  // Each takes the decoders that it uses when it is loaded: so all are loaded once more, in order.
  for (const one of [decoderPath, ...VERSIONS.map((version) => path(`v${version}/response`))]) delete load.cache[one];

  const stock = load(decoderPath) as DecodeMessages;
  const loaded = load.cache[decoderPath];
  if (loaded === undefined) throw new Error('BUG: a loaded module is not in the cache');
  const decodeMessages: DecodeMessages = async (decoder) => (deps.choice.hook === 'stock' ? stock(decoder) : decodeRaw(decoder, deps.refuse));
  loaded.exports = decodeMessages;

  const ours = new WeakSet<ResponseModule['decode']>();
  for (const version of VERSIONS) {
    const response = load(path(`v${version}/response`)) as ResponseModule;
    const decode = response.decode;
    if (ours.has(decode)) continue;
    response.decode = async (payload) => {
      const answer = await decode(payload);
      for (const { partitions } of answer.responses) for (const partition of partitions) finish(partition);
      return answer;
    };
    ours.add(response.decode);
  }
}

function decodeRaw(decoder: Decoder, refuse: Refuse): FetchedMessage[] {
  const size = decoder.readInt32();
  return size <= 0 || !decoder.canReadBytes(size) ? [] : decodeBatches(decoder.readBytes(size), refuse);
}

function finish(partition: FetchedPartition): void {
  partition.messages = limitDamaged(partition.messages, Number(partition.highWatermark));
  hideAborted(partition.messages, partition.abortedTransactions ?? []);
  // Done: kafkajs' own filter has nothing left to find.
  partition.abortedTransactions = [];
}
