import type { Clock } from '../../core/clock.ts';
import { openCommandInbox as openIndexedInbox } from '../../storage/elasticsearch/command-inbox.ts';
import { openJournal as openIndexedJournal } from '../../storage/elasticsearch/journal.ts';
import { openCommandInbox } from '../../storage/sqlite/command-inbox.ts';
import { openJournal } from '../../storage/sqlite/journal.ts';
import type { Config } from '../config/config.ts';
import type { Operator } from '../operate/ask.ts';
import { connectElasticsearch } from './stores.ts';

/** What was decided, and the way to the judge, beside a process that runs. Throws one line where nothing ran yet. `create`: the caller runs. */
export async function openOperator(config: Config, deps: { readonly clock: Clock; readonly create?: boolean }): Promise<Operator & AsyncDisposable> {
  const { elasticsearch, directory } = config.store;
  const { clock } = deps;
  await using stack = new AsyncDisposableStack();
  if (elasticsearch === undefined) {
    const views = stack.use(await openJournal({ directory, readOnly: true }));
    const inbox = stack.use(await openCommandInbox({ directory, create: deps.create ?? false }));
    const opened = stack.move();
    return { views, inbox, clock, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  }
  const client = stack.use(await connectElasticsearch(elasticsearch, clock));
  const views = stack.use(await openIndexedJournal({ elasticsearch: client, prefix: elasticsearch.prefix, readOnly: true }));
  const inbox = stack.use(await openIndexedInbox({ elasticsearch: client, prefix: elasticsearch.prefix }));
  const opened = stack.move();
  return { views, inbox, clock, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
