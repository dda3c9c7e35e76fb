import type { CommandInbox } from '../../core/ports.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { PENDING_MAX, commandOf } from '../command-text.ts';
import { ElasticsearchFault, isConflict } from './fault.ts';
import { documentId, ensureIndex, singleName } from './judge-indices.ts';
import type { Elasticsearch } from './client.ts';

export type CommandInboxOptions = {
  readonly elasticsearch: Elasticsearch;
  readonly prefix: string;
  /** How long a request is tried whose outcome is not known. Default 5,000: a person waits. */
  readonly patienceMs?: DurationMs;
  /** A document that cannot be read, in one line. */
  readonly onProblem?: (message: string) => void;
};

type CommandDocument = { readonly at: EpochMs; readonly id: string; readonly order: EpochMs; readonly command: string };

const PATIENCE_MS = 5000;
const REQUEST_TIMEOUT_MS = 3000;

/**
 * The inbox as documents of `{prefix}-command`, one a command. `pending` refreshes first, so that it sees all that was
 * submitted; of an index that did not change that costs next to nothing.
 */
export async function openCommandInbox(options: CommandInboxOptions): Promise<CommandInbox> {
  const { elasticsearch, prefix, onProblem } = options;
  const call = { patienceMs: options.patienceMs ?? PATIENCE_MS };
  const index = singleName(prefix, 'command');
  await ensureIndex(elasticsearch, prefix, 'command');
  const told = new Set<string>();
  return {
    submit: async (command) => {
      // Processes have clocks of their own: the time of the process that submits is only the order among commands.
      const document: CommandDocument = { at: command.at, id: command.id, order: elasticsearch.clock.now(), command: JSON.stringify(command) };
      try {
        await elasticsearch.call(
          'submitting a command',
          (client, request) => client.create({ index, id: documentId(command.id), document }, { ...request, requestTimeout: REQUEST_TIMEOUT_MS }),
          call,
        );
      } catch (error) {
        // It was submitted before, perhaps by this very request, whose first answer was lost.
        if (!isConflict(error)) throw error;
      }
    },
    pending: async () => {
      const hits = await elasticsearch.call(
        `reading the commands of ${index}`,
        async (client, request) => {
          const patient = { ...request, requestTimeout: REQUEST_TIMEOUT_MS };
          await client.indices.refresh({ index }, patient);
          const found = await client.search<CommandDocument>({ index, size: PENDING_MAX, sort: ['order', 'id'], allow_partial_search_results: false }, patient);
          return found.hits.hits;
        },
        call,
      );
      return hits.flatMap(({ _id: id = '', _source: document }) => {
        const command = typeof document?.command === 'string' ? commandOf(document.command) : undefined;
        if (command !== undefined) return [command];
        if (!told.has(id)) onProblem?.(`the command ${JSON.stringify(id.slice(0, 80))} in ${index} cannot be read and is passed over`);
        told.add(id);
        return [];
      });
    },
    remove: async (ids) => {
      if (ids.length === 0) return;
      const operations = ids.map((id) => ({ delete: { _id: documentId(id) } }));
      await elasticsearch.call(
        `removing commands from ${index}`,
        async (client, request) => {
          const { items } = await client.bulk({ index, operations }, { ...request, requestTimeout: REQUEST_TIMEOUT_MS });
          const bad = items.find(({ delete: item }) => item?.status !== 200 && item?.status !== 404)?.delete;
          if (bad !== undefined)
            throw new ElasticsearchFault(`elasticsearch: removing commands from ${index}: ${bad.error?.type ?? bad.status}`, {
              isRetryable: true,
              status: bad.status,
            });
        },
        call,
      );
    },
    [Symbol.asyncDispose]: async () => {
      // The client is its owner's to close.
    },
  };
}
