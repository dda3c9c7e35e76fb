import { type AbortedTransaction, type FetchedMessage, hideAborted } from './patch-aborted.ts';

/** What the answer to a fetch looks like inside kafkajs. */
export type FetchAnswer = { readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] };
type FetchedPartition = { readonly highWatermark: string; abortedTransactions: readonly AbortedTransaction[] | null; readonly messages: FetchedMessage[] };
type ResponseModule = { decode: (payload: Buffer) => Promise<FetchAnswer> };

/** The versions of the fetch answer that carry record batches. */
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];

/**
 * Puts our filter behind the decoder of every fetch answer. kafkajs looks these modules up anew for each request, so it does not matter
 * whether it was loaded before.
 */
export function patchFetch(load: NodeJS.Require): void {
  // A module takes the decoder of an older version from there when it is loaded: only then is that one ours already.
  const path = (version: number): string => load.resolve(`kafkajs/src/protocol/requests/fetch/v${version}/response`);
  for (const version of VERSIONS) delete load.cache[path(version)];
  const ours = new WeakSet<ResponseModule['decode']>();
  for (const version of VERSIONS) {
    const response = load(path(version)) as ResponseModule;
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

function finish(partition: FetchedPartition): void {
  hideAborted(partition.messages, partition.abortedTransactions ?? []);
  // Done: kafkajs' own filter has nothing left to find.
  partition.abortedTransactions = [];
}
